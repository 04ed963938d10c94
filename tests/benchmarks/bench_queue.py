"""How long the next case takes with many waiting and many at work; `python -m tests.benchmarks.bench_queue`.

Cases are captured as the consumer does; reviewers claim, open and answer them by HTTP from the real server,
each every two seconds.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psycopg

from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.permissions import Grant
from reviewsvc.local.ports import free_ports
from reviewsvc.local.postgres import Postgres
from reviewsvc.usecases import tokens
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.installation import open_installation
from reviewsvc.usecases.keyring import Keyring
from tests.fixtures.cases import CONTRACT, POLICY, QUEUE, Bank, event
from tests.fixtures.installed import KEK, ORIGIN, SYSTEM, House
from tests.fixtures.template import Template, own_template

PENDING, REVIEWERS, SECONDS, EVERY_SECONDS = 100_000, 50, 20.0, 2.0
TARGET_MS = 50.0
_BATCH = 5_000
_WARM_UP_SHARE = 0.1
Row = dict[str, Any]


@dataclass
class Seen:
    """What the reviewers saw: seconds by act, who was given which task, what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {"next": [], "decide": []})
    given: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def main() -> list[Row]:
    """Measure, print one line each, and return the rows of the bench."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--pending", type=int, default=PENDING)
    words.add_argument("--reviewers", type=int, default=REVIEWERS)
    words.add_argument("--seconds", type=float, default=SECONDS)
    asked = words.parse_args()
    rows = measure(asked.pending, asked.reviewers, asked.seconds)
    for row in rows:
        print(json.dumps(row))  # noqa: T201 - a script's output
    return rows


def measure(
    pending: int = PENDING, reviewers: int = REVIEWERS, seconds: float = SECONDS, *, fsync: str = "on"
) -> list[Row]:
    """Seed a database of its own, let the reviewers work, and return the rows of the bench."""
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o711)
        server = ends.enter_context(Postgres.start(folder / "postgres", settings={"fsync": fsync}))
        template = own_template(server.owner_url, "bench")
        bank = opened_bank(server.owner_url, template, ends)
        url = bank.database_url
        _seed(bank, pending)
        with psycopg.connect(template.owner_url("bench"), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        people = [_token(bank.house, number) for number in range(reviewers)]
        address = ends.enter_context(_served(url, folder))
        seen = _work(address, people, seconds)
    return _rows(seen, pending, reviewers)


def opened_bank(owner_url: str, template: Template, ends: ExitStack) -> Bank:
    """Make the database `bench` with an installation, a model and its queue."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE bench TEMPLATE "{template.database}"')
    url = template.process_url("bench")
    sessions, keyring = Sessions(url, "web", size=4), Keyring(KEK)
    ends.callback(sessions.close)
    installation = open_installation(sessions, keyring, ORIGIN, datetime.now(UTC))
    bank = Bank(House(sessions, keyring, installation), Desk(sessions, keyring), url)
    bank.apply(CONTRACT, POLICY, QUEUE)
    return bank


def _seed(bank: Bank, pending: int) -> None:
    for first in range(0, pending, _BATCH):
        behind = min(first + _BATCH, pending)
        bank.capture([event(f"p-{number}") for number in range(first, behind)], at=datetime.now(UTC))


def _token(house: House, number: int) -> str:
    person = house.add_person(f"reviewer{number}", Grant("reviewer"))
    at = datetime.now(UTC)
    until = at + timedelta(days=1)
    made = tokens.create(
        house.sessions, house.keyring, person, "bench", scopes=("*",), expires_at=until, actor=SYSTEM, at=at
    )
    return made.text


@contextmanager
def _served(url: str, folder: Path) -> Iterator[int]:
    """Run the real web server until the block ends; yield its port when it is ready."""
    kek = folder / "kek"
    kek.write_bytes(bytes(range(32)))
    kek.chmod(0o600)
    (port,) = free_ports(1)
    settings = {
        "DATABASE_URL": url,
        "REVIEWSVC_ORIGIN": ORIGIN,
        "REVIEWSVC_KEK_FILE": str(kek),
        "REVIEWSVC_SECRET_KEY": "for the bench only, long enough",
        "REVIEWSVC_PORT": str(port),
        "REVIEWSVC_DATA_DIR": str(folder),
        "REVIEWSVC_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "reviewsvc.cli", "web"]
    with subprocess.Popen(command, env={**os.environ, **settings}) as process:
        try:
            _wait_until_ready(port)
            yield port
        finally:
            process.terminate()


def _wait_until_ready(port: int) -> None:
    for _ in range(300):
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise TimeoutError("the web server did not become ready")


def _work(port: int, people: list[str], seconds: float) -> Seen:
    seen, ends_at = Seen(), time.monotonic() + seconds
    threads = [threading.Thread(target=_review, args=(port, token, ends_at, seen)) for token in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def _review(port: int, token: str, ends_at: float, seen: Seen) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    pause = random.Random(token)  # noqa: S311 - only spreads the load
    time.sleep(pause.uniform(0, EVERY_SECONDS))

    def call(method: str, path: str, sent: Row | None = None) -> Any:
        connection.request(method, f"/api/v1{path}", json.dumps(sent) if sent else None, headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status >= 300:
            seen.failed.append(f"{method} {path}: {answer.status} {body[:200]!r}")
        return json.loads(body) if body else None

    while time.monotonic() < ends_at:
        began = time.perf_counter()
        items = call("POST", "/queues/unsure/claims", {"count": 1})["items"]
        if not items:
            break
        call("GET", f"/tasks/{items[0]['task']}")
        seen.seconds["next"].append(time.perf_counter() - began)
        seen.given.append(items[0]["task"])
        time.sleep(pause.uniform(0.5, 1.5) * EVERY_SECONDS / 2)
        began = time.perf_counter()
        sent = {"token": items[0]["token"], "value": "refuse"}
        call("POST", f"/tasks/{items[0]['task']}/decisions", sent)
        seen.seconds["decide"].append(time.perf_counter() - began)
        time.sleep(pause.uniform(0.5, 1.5) * EVERY_SECONDS / 2)


def _rows(seen: Seen, pending: int, reviewers: int) -> list[Row]:
    twice = len(seen.given) - len(set(seen.given))
    rows = [
        _row("next_task.p95_ms", _p95_ms(seen.seconds["next"]), "ms", TARGET_MS),
        _row("submit.p95_ms", _p95_ms(seen.seconds["decide"]), "ms", TARGET_MS),
        _row("next_task.given_twice", twice, "tasks", 0),
        _row("next_task.failed_calls", len(seen.failed), "calls", 0),
    ]
    for text in seen.failed[:3]:
        print(text, file=sys.stderr)  # noqa: T201 - a script's output
    load = f"{pending:,} pending, {reviewers} reviewers, {len(seen.given)} cases"
    return [{**row, "load": load} for row in rows]


def _row(name: str, value: float, unit: str, target: float) -> Row:
    return {"name": name, "value": round(value, 1), "unit": unit, "target": target, "ok": value <= target}


def _p95_ms(seconds: list[float]) -> float:
    """The 95th percentile of what was measured after the first tenth, in milliseconds."""
    counted = sorted(seconds[int(len(seconds) * _WARM_UP_SHARE) :])
    return counted[int(len(counted) * 0.95)] * 1000 if counted else float("inf")


if __name__ == "__main__":
    main()
