// Parts of a page that renew themselves: a conditional request every few seconds, none while the tab is hidden.

import { refresh } from "./clock.js";

async function renew(element) {
  const headers = { Accept: "text/html" };
  if (element.dataset.etag) headers["If-None-Match"] = element.dataset.etag;
  const answer = await fetch(element.dataset.live, { headers, cache: "no-store", redirect: "error" });
  if (answer.status !== 200) return;
  const html = await answer.text();
  if (element.contains(document.activeElement)) return;
  element.dataset.etag = answer.headers.get("ETag") || "";
  element.innerHTML = html;
  refresh(element);
}

function watch(element) {
  const tick = () => {
    if (!document.hidden) renew(element).catch(() => {});
  };
  setInterval(tick, Number(element.dataset.liveSeconds || 15) * 1000);
  document.addEventListener("visibilitychange", tick);
}

document.querySelectorAll("[data-live]").forEach(watch);
