"""`reviewsvc capture`, `quarantine` and `queues` on a real database."""

import getpass
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from reviewsvc import cli
from reviewsvc.db.hot import places
from reviewsvc.db.hot.connection import connect
from reviewsvc.domain.moments import microseconds
from reviewsvc.domain.permissions import Grant
from reviewsvc.domain.verdict import Verdict
from reviewsvc.usecases.verification import verify
from tests.fixtures.cases import TOPIC, Bank, event
from tests.fixtures.installed import AT

pytestmark = pytest.mark.real

LOG = f"predictions/{TOPIC}/0/0"
ALARM = {"kind": "jump", "topic": TOPIC, "partition": 0, "jumped_to": 9}


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def told(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(
    bank: Bank,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    bank.capture([event("p-1"), b"{no\x00 event\xff", event("p-2")])
    (tmp_path / "kek").write_bytes(bytes(range(32)))
    (tmp_path / "kek").chmod(0o600)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REVIEWSVC_KEK_FILE", str(tmp_path / "kek"))
    monkeypatch.setenv("REVIEWSVC_ORIGIN", bank.house.installation.origin)

    def command(*words: str) -> Ran:
        out, err = io.TextIOWrapper(io.BytesIO(), write_through=True), io.StringIO()
        monkeypatch.setattr("sys.stdout", out)
        monkeypatch.setattr("sys.stderr", err)
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        data = out.buffer.getvalue()
        return Ran(int(ended.value.code or 0), data.decode("latin-1"), err.getvalue())

    return command


def stop(database_url: str) -> None:
    with connect(database_url, "capture") as conn:
        log_id = conn.execute("SELECT log_id FROM log WHERE name = %s", (LOG,)).fetchone()
        assert log_id is not None
        places.raise_alarm(conn, log_id[0], "offsets jump from 3 to 9", ALARM)


def consent(owner_url: str) -> Any:
    with psycopg.connect(owner_url) as conn:
        row = conn.execute("SELECT consent FROM capture_alarm").fetchone()
        return row and row[0]


def test_partitions_are_shown_with_where_they_stand(run: Any) -> None:
    (place,) = run("capture", "--json").told["items"]
    assert place.pop("last_at").startswith("2026-11-21T09:00:30")
    assert place == {
        "topic": TOPIC,
        "partition": 0,
        "log": LOG,
        "size": 4,
        "next_offset": 3,
        "owner": None,
        "alarm": None,
    }
    assert run("capture").out == (
        f"{TOPIC}/0  4 entries, the last at 2026-11-21 09:00:30Z, next offset 3, by nobody yet\n"
    )


def test_a_consent_is_kept_beside_the_alarm_and_is_an_entry(
    run: Any, database_url: str, owner_url: str
) -> None:
    stop(database_url)
    shown = run("capture").out
    assert "Z: offsets jump from 3 to 9" in shown
    assert f"reviewsvc capture accept-gap {TOPIC} 0" in shown
    done = run("capture", "accept-gap", TOPIC, "0", "--to", "9", "--as", "olga", "--json")
    assert (done.code, done.told["alarm"]["reason"]) == (0, "offsets jump from 3 to 9")
    kept = consent(owner_url)
    assert (kept["by"], kept["to_offset"]) == ("cli:olga", 9)
    assert kept["at"] > microseconds(AT)
    with psycopg.connect(owner_url) as conn:
        acts = conn.execute("SELECT actor, object FROM activity WHERE kind = 'gap_consented'").fetchall()
        assert acts == [("cli:olga", f"log:{LOG}")]
        report = verify(conn)
    assert (report.verdict, report.findings) == (Verdict.VERIFIED, [])
    assert "cli:olga consented" in run("capture").out


def test_without_an_offset_capture_goes_on_where_kafka_does(
    run: Any, database_url: str, owner_url: str
) -> None:
    stop(database_url)
    told = run("capture", "accept-gap", TOPIC, "0").out
    assert (
        told == f"{TOPIC}/0 may go on from where Kafka goes on. It was stopped: offsets jump from 3 to 9.\n"
    )
    kept = consent(owner_url)
    assert (kept["by"], kept["to_offset"]) == (f"cli:{getpass.getuser()}", None)


def test_a_consent_that_was_refused_says_why_and_another_takes_its_place(
    run: Any, database_url: str, owner_url: str
) -> None:
    stop(database_url)
    run("capture", "accept-gap", TOPIC, "0", "--to", "700")
    with connect(database_url, "capture") as conn:
        places.refuse_consent(conn, 7, "offset 700 is not in the topic")
    assert "could not be followed: offset 700 is not in the topic" in run("capture").out
    run("capture", "accept-gap", TOPIC, "0")
    assert "refused" not in consent(owner_url)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((TOPIC, "0"), f"partition 0 of topic {TOPIC} is not stopped: there is no gap to accept"),
        ((TOPIC, "7"), "partition 7"),
        (("nothing", "0"), "was never captured: `reviewsvc capture` lists those that were"),
        ((TOPIC, "0", "--to", "-1"), "--to"),
    ],
)
def test_a_consent_to_nothing_is_one_clear_line(run: Any, words: tuple[str, ...], told: str) -> None:
    done = run("capture", "accept-gap", *words)
    assert (done.code, done.out) == (1, "")
    assert told in done.err


def test_events_that_could_not_be_read_are_listed_without_their_bytes(run: Any) -> None:
    (kept,) = run("quarantine", "--json").told["items"]
    assert {name: kept[name] for name in ("log", "seq", "topic", "partition", "offset", "size")} == {
        "log": LOG,
        "seq": 2,
        "topic": TOPIC,
        "partition": 0,
        "offset": 1,
        "size": 11,
    }
    assert f"11 bytes  {TOPIC}/0 offset 1  {LOG} 2" in run("quarantine", "--limit", "5").out
    assert run("quarantine", "--topic", "nothing").out == ""
    shown = run("quarantine", "show", LOG, "2")
    assert kept["text"] in shown.out
    assert "event\xff" not in shown.out


def test_raw_bytes_are_for_who_may_open_payloads_and_leave_an_entry(
    run: Any, bank: Bank, owner_url: str
) -> None:
    bank.house.add_person("olga", Grant("operator"))
    bank.house.add_person("rita", Grant("reviewer", "queue:unsure"))
    bank.house.add_person("audra", Grant("auditor"))
    show = ("quarantine", "show", LOG, "2", "--raw")
    assert "--as" in run(*show).err
    for login in ("olga", "rita", "nobody"):
        refused = run(*show, "--as", login)
        assert (refused.code, refused.out) == (1, "")
    assert run(*show, "--as", "audra").out == "{no\x00 event\xff"
    with psycopg.connect(owner_url) as conn:
        acts = conn.execute("SELECT actor FROM activity WHERE kind = 'access'").fetchall()
    assert acts == [("cli:audra",)]


@pytest.mark.parametrize("place", [(LOG, "1"), (LOG, "70"), ("no/such/0", "1")])
def test_an_entry_that_is_no_such_event_is_said_so(run: Any, place: tuple[str, str]) -> None:
    done = run("quarantine", "show", *place)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: ")


def test_queues_are_shown_with_what_waits(run: Any, bank: Bank) -> None:
    (queue,) = run("queues", "--json").told["items"]
    assert (queue["name"], queue["pending"], queue["overdue"]) == ("unsure", 2, 0)
    anna = bank.person("anna")
    (held,) = bank.claim(anna)
    bank.decide(anna, held, at=AT + timedelta(minutes=1))
    told = "1 pending, 0 due within the hour, 0 overdue, 0 disputed, the oldest since 2026-11-21 09:00Z"
    assert run("queues").out == f"unsure  {told}\n"
