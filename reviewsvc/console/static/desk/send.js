// Requests of the desk. A refusal is a Refusal with words; what is only unreachable is tried again under the same key.

const csrf = document.querySelector('meta[name="csrf-token"]').content;
const pauses = [400, 1600, 4000];
// What is sent while the page goes away may have 64 KiB in all; browsers refuse more.
const KEPT_ALIVE = 30_000;

/** What the service refused, in its own words. */
export class Refusal extends Error {
  constructor(status, problem) {
    super([problem.title, problem.detail].filter(Boolean).join(". ").replace(/\.\./g, "."));
    this.status = status;
    this.code = problem.code;
  }
}

const isPassing = (status) => status === 429 || status >= 500;

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

async function refusalOf(answer) {
  if ((answer.headers.get("Content-Type") || "").includes("json")) return new Refusal(answer.status, await answer.json());
  const title = answer.status === 401 || answer.redirected
    ? "You are signed out. Sign in again in another tab, then repeat your answer here"
    : `The service answered ${answer.status}. Nothing was saved`;
  return new Refusal(answer.status, { title });
}

async function attempt(url, body, { key, accept }) {
  const headers = { Accept: accept, "X-CSRFToken": csrf };
  if (key) headers["Idempotency-Key"] = key;
  const answer = await fetch(url, { method: "POST", body, headers, redirect: "manual", keepalive: String(body).length < KEPT_ALIVE });
  if (answer.ok) return answer;
  throw answer.type === "opaqueredirect" ? await refusalOf(new Response(null, { status: 401 })) : await refusalOf(answer);
}

async function post(url, fields, options) {
  for (let round = 0; ; round += 1) {
    try {
      return await attempt(url, new URLSearchParams(fields), options);
    } catch (error) {
      const isFinal = error instanceof Refusal && !isPassing(error.status);
      if (isFinal || round === pauses.length || !options.key) throw error;
      await sleep(pauses[round]);
    }
  }
}

/** Post form fields under an idempotency key; the answer is JSON. */
export async function postForJson(url, fields, key) {
  return (await post(url, fields, { key, accept: "application/json" })).json();
}

/** Post form fields; the answer is HTML, or "" when there is none. */
export async function postForHtml(url, fields, key) {
  return (await post(url, fields, { key, accept: "text/html" })).text();
}

/** Send form fields while the page is being left. */
export function postOnLeaving(url, fields) {
  navigator.sendBeacon(url, new URLSearchParams([...fields, ["csrf_token", csrf]]));
}

/** Words for a failure of any kind. */
export function wordsFor(error) {
  if (error instanceof Refusal) return error.message;
  return "The service cannot be reached. Your answer is still here: give it again when the connection is back.";
}
