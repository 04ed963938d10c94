// The thin header of the desk: place in the day's work, time to due.

import { refresh } from "./clock.js";

/** Count down to the due time of `card`, or say that there is none. */
export function showDue(card) {
  const place = document.querySelector("[data-case-due]");
  if (!card?.dataset.dueAt) {
    place.textContent = card ? "no due time" : "–";
    return;
  }
  const due = document.createElement("time");
  due.dateTime = card.dataset.dueAt;
  due.dataset.due = "";
  place.replaceChildren(due);
  refresh(place);
}

/** Show the figures of the day that an answer brought. */
export function showDay(day) {
  for (const [name, amount] of Object.entries(day || {})) {
    const place = document.querySelector(`[data-day="${name}"]`);
    if (place) place.textContent = amount.toLocaleString("en");
  }
}
