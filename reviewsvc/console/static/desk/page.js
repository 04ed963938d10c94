// What every page has: keys for lists, search and help; menus that close.

import "./clock.js";
import "./live.js";
import { on } from "./keys.js";

const rows = () => [...document.querySelectorAll("[data-list] tbody tr")];

function move(step) {
  const all = rows();
  if (!all.length) return false;
  const at = all.findIndex((row) => row.getAttribute("aria-selected") === "true");
  const next = all[Math.min(all.length - 1, Math.max(0, at + step))];
  all.forEach((row) => row.removeAttribute("aria-selected"));
  next.setAttribute("aria-selected", "true");
  next.scrollIntoView({ block: "nearest" });
  next.querySelector("a, button")?.focus();
}

function toggle(dialog) {
  if (dialog.open) dialog.close();
  else dialog.showModal();
}

function closeMenus(except) {
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (menu !== except) menu.open = false;
  });
}

// Where a row of links is wider than the window, the page that one is on comes into view.
document.querySelectorAll(".site-nav [aria-current]").forEach((link) => {
  const row = link.closest(".site-nav");
  row.scrollLeft = link.offsetLeft - row.offsetLeft - (row.clientWidth - link.offsetWidth) / 2;
});

on("down", () => move(1));
on("up", () => move(-1));
on("search", () => {
  const field = document.querySelector("[data-search]");
  if (!field) return false;
  field.focus();
  field.select();
});
on("help", () => toggle(document.getElementById("keys")));
on("leave", () => {
  const menu = document.querySelector("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  } else if (document.activeElement.matches("textarea, [data-search], #own")) document.activeElement.blur();
  else return false;
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  const dialog = opener && document.getElementById(opener.dataset.dialog);
  if (dialog) {
    event.preventDefault();
    toggle(dialog);
  }
  closeMenus(event.target.closest("details.menu"));
});
