// The cards this tab holds: one shown, some ahead, some on their way to the service.

import { postForHtml, postForJson, postOnLeaving } from "./send.js";

const HEARTBEAT = 60_000;

/** The `case` sections in a piece of HTML. */
export function parse(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return [...holder.content.querySelectorAll(".case")];
}

export class Cards {
  #ahead = [];
  #sending = new Set();
  #filling = null;

  constructor(address, wanted) {
    this.address = address;
    this.wanted = wanted;
    this.shown = null;
    this.onLost = () => {};
    setInterval(() => this.renew(), HEARTBEAT);
    document.addEventListener("visibilitychange", () => this.renew());
    window.addEventListener("pagehide", () => this.#giveBackAhead());
  }

  next() {
    return this.#ahead.shift() || null;
  }

  putBack(card) {
    if (card) this.#ahead.unshift(card);
  }

  /** Keep the task out of what is asked for while its answer travels. */
  async whileSending(card, work) {
    this.#sending.add(card);
    try {
      return await work();
    } finally {
      this.#sending.delete(card);
    }
  }

  /** Claim cards until enough are ahead; resolves when there is nothing more to ask for now. */
  fill(extra = 0) {
    this.#filling ??= this.#claim(extra).finally(() => { this.#filling = null; });
    return this.#filling;
  }

  async #claim(extra) {
    const count = this.wanted + extra - this.#ahead.length;
    if (count <= 0) return;
    const fields = [["count", count], ...this.#known().map((card) => ["held", card.dataset.task])];
    const known = new Set(this.#known().map((card) => card.dataset.task));
    const cards = parse(await postForHtml(`${this.address}/cards`, fields));
    this.#ahead.push(...cards.filter((card) => !known.has(card.dataset.task)));
  }

  #held() {
    return [this.shown, ...this.#ahead].filter(Boolean);
  }

  #known() {
    return [...this.#held(), ...this.#sending];
  }

  async renew() {
    const held = this.#held();
    if (document.hidden || !held.length) return;
    const fields = held.map((card) => ["claim", `${card.dataset.task}:${card.dataset.token}`]);
    const answer = await postForJson(`${this.address}/renew`, fields).catch(() => ({ lost: [] }));
    const lost = new Set(answer.lost);
    this.#ahead = this.#ahead.filter((card) => !lost.has(card.dataset.task));
    if (this.shown && lost.has(this.shown.dataset.task)) this.onLost(this.shown);
  }

  #giveBackAhead() {
    if (!this.#ahead.length) return;
    const fields = this.#ahead.map((card) => ["claim", `${card.dataset.task}:${card.dataset.token}`]);
    postOnLeaving(`${this.address}/release`, fields);
    this.#ahead = [];
  }
}
