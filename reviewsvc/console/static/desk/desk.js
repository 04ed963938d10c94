// The desk: one key answers, the next card is there at once, the answer travels behind it.

import { Cards, parse } from "./cards.js";
import { refresh } from "./clock.js";
import { showDay, showDue } from "./header.js";
import { on } from "./keys.js";
import { postForHtml, postForJson, wordsFor } from "./send.js";

const LOOK_AGAIN = 4_000;
const UNDO_DEPTH = 10;

const main = document.querySelector("[data-desk]");
const cards = new Cards(main.dataset.desk, Number(main.dataset.prefetch));
const answered = [];
let armed = null;
let said = "";
let looking = 0;

const find = (selector) => main.querySelector(selector);

function say(words) {
  said = words;
  const place = find("[data-said]");
  if (place) place.textContent = words;
  document.getElementById("status").textContent = words;
}

function showUndo() {
  const form = find('[data-act-form="undo"]');
  if (form) form.querySelector("button").disabled = !answered.length && form.action.endsWith("/none/undo");
}

function show(card) {
  const next = card || document.getElementById("desk-empty").content.firstElementChild.cloneNode(true);
  find(".case, [data-desk-empty]").replaceWith(next);
  cards.shown = card;
  armed = null;
  if (said && find("[data-said]")) find("[data-said]").textContent = said;
  prepare();
  window.scrollTo(0, 0);
  next.querySelector("h1").focus({ preventScroll: true });
}

function prepare() {
  find("#answer")?.setAttribute("novalidate", "");
  refresh(main);
  showDue(cards.shown);
  showUndo();
}

async function showNext() {
  let card = cards.next();
  if (!card) {
    find(".case")?.classList.add("leaving");
    cards.shown = null;
    await cards.fill(1).catch(() => {});
    if (cards.shown) return;
    card = cards.next();
  }
  show(card);
  if (card) cards.fill().catch(() => {});
  else lookAgain();
}

function showRefused(card, words, { isGone }) {
  if (cards.shown && cards.shown !== card) cards.putBack(cards.shown);
  if (cards.shown !== card) show(card);
  const place = card.querySelector("[data-refused]");
  place.hidden = false;
  place.querySelector("span").textContent = words;
  card.toggleAttribute("data-gone", isGone);
  card.querySelectorAll("#answer button, [data-leave] button").forEach((button) => { button.disabled = isGone; });
  const onward = card.querySelector("[data-onward]");
  onward.hidden = !isGone;
  if (isGone) onward.focus();
  say("Not saved");
}

const isGone = (error) => [404, 409, 410].includes(error.status);

/** Post for this card and go on at once; the card comes back if it is refused. */
function sendAndGoOn(card, url, fields, words) {
  say(words);
  const sent = cards.whileSending(card, () => postForJson(url, fields, card.dataset.key));
  showNext();
  return sent.then((answer) => {
    showDay(answer.day);
    return answer;
  }, (error) => {
    showRefused(card, wordsFor(error), { isGone: isGone(error) });
    return null;
  });
}

function needsNote(card, button) {
  const need = card.dataset.noteRequired;
  const isWanted = need === "always" || (need === "correct" && !button.matches('[data-act="agree"], [data-model]'));
  return isWanted && !card.querySelector("#note").value.trim();
}

function arm(button) {
  armed?.setAttribute("aria-pressed", "false");
  armed = button;
  button.setAttribute("aria-pressed", "true");
}

/** Something was typed, and more than the model's text as it was given to begin with. */
const isOwnAnswer = (own) => Boolean(own?.value.trim()) && own.value !== own.defaultValue;

function answer(form, button) {
  const card = cards.shown;
  if (!card || card.hasAttribute("data-gone")) return;
  if (button.matches("[data-send]") && !isOwnAnswer(form.elements.own)) {
    form.elements.own.focus();
    return say("Give the correct answer first.");
  }
  if (needsNote(card, button)) {
    arm(button);
    card.querySelector("#note").focus();
    return say("This answer needs a note. Write it, then press Ctrl Enter.");
  }
  const words = button.dataset.words || `Answered: ${form.elements.own.selectedOptions?.[0].text ?? form.elements.own.value}`;
  const fields = new FormData(form, button);
  const entry = { card, note: fields.get("note") };
  entry.sent = sendAndGoOn(card, form.action, fields, words);
  entry.sent.then((reply) => {
    if (!reply) answered.splice(answered.indexOf(entry), 1);
    showUndo();
  });
  answered.push(entry);
  if (answered.length > UNDO_DEPTH) answered.shift();
  showUndo();
}

async function undo() {
  const entry = answered.pop();
  if (!entry) return;
  showUndo();
  const reply = await entry.sent;
  if (!reply) return;
  try {
    const html = await postForHtml(`/decisions/${reply.decision.id}/undo`, [], `undo-${entry.card.dataset.key}`);
    const [card] = parse(html);
    say(card ? "Taken back. Answer it again." : "Taken back. The case went to the queue.");
    showDay({ decided: Number(document.querySelector('[data-day="decided"]').textContent.replace(/\D/g, "")) - 1 });
    if (!card) return;
    cards.putBack(cards.shown);
    show(card);
    card.querySelector("#note").value = entry.note || "";
  } catch (error) {
    say(wordsFor(error));
  }
}

async function lookAgain() {
  clearTimeout(looking);
  if (cards.shown) return;
  if (!document.hidden) await cards.fill(1).catch(() => {});
  const card = cards.shown ? null : cards.next();
  if (card) {
    say("A new case.");
    show(card);
  } else if (!cards.shown) looking = setTimeout(lookAgain, LOOK_AGAIN);
}

async function stay(form) {
  try {
    await postForJson(form.action, new FormData(form), crypto.randomUUID());
    form.closest("details").open = false;
    say(`${form.dataset.stay}.`);
  } catch (error) {
    say(wordsFor(error));
  }
}

function onSubmit(event) {
  const form = event.target;
  const isOurs = form.matches("#answer, [data-act-form], [data-leave], [data-stay]");
  if (!isOurs || (form.dataset.actForm === "undo" && !answered.length)) return;
  event.preventDefault();
  if (form.id === "answer") answer(form, event.submitter);
  else if (form.dataset.actForm === "undo") undo();
  else if (form.dataset.stay) stay(form);
  else if (cards.shown) sendAndGoOn(cards.shown, form.action, new FormData(form, event.submitter), `${form.dataset.leave}.`);
}

function press(selector) {
  const button = find(selector);
  if (!button || button.disabled) return false;
  button.click();
}

function open(act) {
  const menu = find(`details[data-act="${act}"]`);
  if (!menu) return false;
  menu.open = true;
  menu.querySelector("textarea, .menu-body button").focus();
}

function correct() {
  const own = find("#own");
  if (own) return own.focus();
  const others = main.querySelectorAll("[data-choice]:not([data-model])");
  if (others.length !== 1) return others[0]?.focus();
  others[0].click();
}

function send() {
  const form = document.activeElement.closest("[data-leave], [data-stay]");
  if (form) return form.requestSubmit();
  if (armed) return armed.click();
  if (isOwnAnswer(find("#own"))) return press("[data-send]");
  say("Choose an answer first: Escape, then a or a number.");
}

on("agree", () => press('[data-act="agree"]'));
on("choice", (digit) => press(`[data-choice="${digit}"]`));
on("correct", correct);
on("note", () => find("#note")?.focus());
on("undo", () => press('[data-act-form="undo"] button'));
on("escalate", () => open("escalate"));
on("snooze", () => open("snooze"));
on("flag", () => open("flag"));
on("send", send);

main.addEventListener("submit", onSubmit);
main.addEventListener("click", (event) => {
  if (!event.target.closest("[data-onward]")) return;
  say("");
  showNext();
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
cards.onLost = (card) => showRefused(card, "Your time for this case ran out and it went back to the queue. Nothing was saved.", { isGone: true });
cards.shown = find(".case");
prepare();
cards.fill().catch(() => {});
if (!cards.shown) lookAgain();
