"""What a reviewer waits for in a browser: `python -m tests.benchmarks.bench_desk`.

The real server with the demo's real cases; Chromium loads the desk with an empty cache, then answers by keys.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from playwright.sync_api import CDPSession, Page, sync_playwright

from reviewsvc.db import tables as t
from reviewsvc.demo.opening import DOCUMENTS
from reviewsvc.demo.stream import applications
from reviewsvc.domain.permissions import Grant
from reviewsvc.local.postgres import Postgres
from reviewsvc.usecases import apply as applying
from reviewsvc.usecases.documents import read_documents
from tests.benchmarks import bench_queue
from tests.fixtures.browser import FLAGS, HOW, find_chromium
from tests.fixtures.cases import Bank
from tests.fixtures.installed import PASSWORD, SYSTEM
from tests.fixtures.template import own_template

ANSWERS: Final = 60
PAUSE_MS: Final = 400
_WARM_UP: Final = 5
Row = dict[str, Any]

# From the key's event to the frame after the next card stands in the page.
PRESS: Final = """
key => new Promise(done => {
  const began = performance.now();
  setTimeout(() => done(10000), 10000);
  const watcher = new MutationObserver(() => {
    watcher.disconnect();
    requestAnimationFrame(() => done(performance.now() - began));
  });
  watcher.observe(document.querySelector('[data-desk]'), { childList: true });
  document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
})
"""


class Weighed:
    """Counts what comes over the wire, headers included, in bytes: pages and files, and cards."""

    def __init__(self, session: CDPSession) -> None:
        self._paths: dict[str, str] = {}
        self.first_load = 0
        self.cards: list[int] = []
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.loadingFinished", self._finished)

    def _sent(self, event: Row) -> None:
        self._paths[event["requestId"]] = event["request"]["url"]

    def _finished(self, event: Row) -> None:
        size, path = int(event["encodedDataLength"]), self._paths.get(event["requestId"], "")
        if path.endswith("/cards"):
            self.cards.append(size)
        elif "/static/" in path or path.endswith("/desk"):
            self.first_load += size


def figures() -> list[Row]:
    """Measure, and return the rows of the bench."""
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o711)
        server = ends.enter_context(Postgres.start(folder / "postgres"))
        bank = bench_queue.opened_bank(server.owner_url, own_template(server.owner_url, "bench"), ends)
        _seed(bank)
        port = ends.enter_context(bench_queue._served(bank.database_url, folder))
        page = ends.enter_context(_opened())
        weighed, waited = _measure(page, f"http://127.0.0.1:{port}/queues/{_fullest(bank)}/desk")
    load = f"{len(waited)} answers by key, the demo's cases, {PAUSE_MS} ms between"
    next_card = sorted(weighed.cards)[len(weighed.cards) // 2] if weighed.cards else 0
    rows = [
        _row("page.first_load_kb", weighed.first_load / 1000, "kB", 150),
        _row("page.next_card_kb", next_card / 1000, "kB", 15),
        _row("desk.key_to_card_p95_ms", sorted(waited)[int(len(waited) * 0.95)], "ms", 100),
    ]
    return [{**row, "load": load} for row in rows]


def _seed(bank: Bank) -> None:
    documents = read_documents(DOCUMENTS)
    applying.apply(bank.house.sessions, bank.house.keyring, documents, actor=SYSTEM, at=datetime.now(UTC))
    at = datetime.now(UTC)
    bank.capture([each.event(prediction_id=each.number, predicted_at=at) for each in applications()], at=at)
    bank.house.add_person("rosa", Grant("reviewer"))


@contextmanager
def _opened() -> Iterator[Page]:
    with sync_playwright() as playwright:
        found = find_chromium(playwright)
        if found is None:
            raise FileNotFoundError(HOW)
        browser = playwright.chromium.launch(executable_path=found, args=[*FLAGS])
        yield browser.new_page(viewport={"width": 1440, "height": 900})
        browser.close()


def _fullest(bank: Bank) -> str:
    """The queue in which most cases wait."""
    waiting = sa.select(t.queue.c.name).join(t.task, t.task.c.queue_id == t.queue.c.queue_id)
    found = bank.rows(waiting.group_by(t.queue.c.name).order_by(sa.func.count().desc()))
    return str(found[0].name)


def _measure(page: Page, desk: str) -> tuple[Weighed, list[float]]:
    page.goto(desk)
    page.get_by_label("Login name").fill("rosa")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(desk)
    weighed = Weighed(page.context.new_cdp_session(page))
    with page.expect_response("**/cards"):
        page.goto(desk, wait_until="networkidle")
    weighed.cards.clear()
    waited = []
    for number in range(ANSWERS + _WARM_UP):
        waited.append(float(page.evaluate(PRESS, "a" if number % 2 else "1")))
        page.wait_for_timeout(PAUSE_MS)
    return weighed, waited[_WARM_UP:]


def _row(name: str, value: float, unit: str, target: float) -> Row:
    return {"name": name, "value": round(value, 1), "unit": unit, "target": target, "ok": value <= target}


if __name__ == "__main__":
    for row in figures():
        print(json.dumps(row))  # noqa: T201 - a script's output
