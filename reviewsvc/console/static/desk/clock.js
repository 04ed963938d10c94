// Times in the reader's own zone, and due times that count down.

const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

function localise(element) {
  const at = new Date(element.dateTime);
  const isToday = at.toDateString() === new Date().toDateString();
  element.textContent = (isToday ? time : day).format(at);
  element.title = element.dateTime;
}

function span(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  const parts = [[Math.floor(minutes / 1440), "d"], [Math.floor(minutes / 60) % 24, "h"], [minutes % 60, "min"]];
  return parts.filter(([amount]) => amount).slice(0, 2).map(([amount, unit]) => `${amount}\u00a0${unit}`).join(" ");
}

function countDown(element) {
  const left = (new Date(element.dateTime) - Date.now()) / 1000;
  const words = left > 0 ? `${span(left)} left` : `${span(-left)} overdue`;
  if (element.textContent !== words) element.textContent = words;
  element.classList.toggle("late", left <= 0);
}

/** Bring every time under `root` up to date. */
export function refresh(root = document) {
  root.querySelectorAll("time[data-clock]").forEach(localise);
  root.querySelectorAll("time[data-due]").forEach(countDown);
}

refresh();
setInterval(() => {
  if (!document.hidden) document.querySelectorAll("time[data-due]").forEach(countDown);
}, 1000);
