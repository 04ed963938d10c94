// Single-key commands: never while typing, composing or holding a key down; remapped or switched off by body data.

const acts = new Map();
const letters = {
  agree: "a", correct: "c", escalate: "e", snooze: "s", flag: "f", undo: "u", note: "n",
  down: "j", up: "k", search: "/", help: "?",
};

for (const pair of (document.body.dataset.keymap || "").split(" ").filter(Boolean)) {
  const [act, letter] = pair.split("=");
  if (act in letters && letter) letters[act] = letter;
}

const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable]") !== null;

const actOf = (letter) => Object.keys(letters).find((act) => letters[act] === letter);

function onKey(event) {
  if (event.isComposing || event.repeat || event.defaultPrevented) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return run("send", event);
  if (event.key === "Escape") return run("leave", event);
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (document.body.dataset.keys === "off") return;
  if (document.querySelector("dialog[open]") && event.key !== letters.help) return;
  if (/^[1-9]$/.test(event.key)) return run("choice", event, event.key);
  run(actOf(event.key), event);
}

function run(act, event, argument) {
  const handle = acts.get(act);
  if (handle && handle(argument, event) !== false) event.preventDefault();
}

/** Let `handle` carry out the command `act`; it returns false when it had nothing to do. */
export function on(act, handle) {
  acts.set(act, handle);
}

document.addEventListener("keydown", onKey);
