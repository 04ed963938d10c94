import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY
from sqlalchemy.exc import OperationalError

from reviewsvc.crypto import signing_keys as files
from reviewsvc.crypto.kek import load_kek
from reviewsvc.crypto.log_signer import LogSigner
from reviewsvc.db import locks
from reviewsvc.db import tables as t
from reviewsvc.db.sessions import Limits, Sessions
from reviewsvc.outside.erasure_journal import ErasureJournal
from reviewsvc.usecases import signing_keys, watching
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.installation import open_installation
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.steps import Step, all_steps, run_alone, subject_steps
from reviewsvc.usecases.turns import Turns
from tests.fixtures.cases import QUEUE, Bank, event
from tests.fixtures.house import RunProcesses
from tests.fixtures.installed import AT, SYSTEM
from tests.fixtures.processes import eventually
from tests.fixtures.sealed import SealedBank
from tests.fixtures.service import Clock

pytestmark = pytest.mark.real
SECOND = timedelta(seconds=1)


@pytest.fixture
def desk(bank: Bank, worker_sessions: Sessions) -> Desk:
    return Desk(worker_sessions, bank.house.keyring)


def step(run: Callable[[datetime], int], every: timedelta = SECOND) -> Step:
    return Step("test", 99, every, run)


def test_all_steps_run_under_the_workers_role_and_do_what_time_asks(bank: Bank, desk: Desk) -> None:
    bank.apply({**QUEUE, "due_in_minutes": 1, "when_due": "defaulted"})
    bank.capture([event("p-1")])
    bank.claim(bank.person("anna"))
    clock = Clock(AT)
    turns = Turns(desk.sessions, all_steps(desk), clock)
    turns.turn()
    clock.at = AT + timedelta(minutes=1)
    assert turns.turn()
    assert [row.status for row in bank.rows(sa.select(t.task.c.status))] == ["defaulted"]
    assert turns.reasons() == []


def test_the_workers_metrics_say_what_waits_in_queues_and_for_a_seal(signed: SealedBank, desk: Desk) -> None:
    signed.bank.apply({**QUEUE, "due_in_minutes": 1})
    signed.seal(AT)
    signed.bank.capture([event("p-1"), event("p-2")])
    due = signed.bank.rows(sa.select(t.task.c.due_at, t.task.c.created_at))[0]
    later = due.due_at + timedelta(seconds=1)
    watching.step(desk.sessions, later)
    told = REGISTRY.get_sample_value
    queue = {"queue": str(QUEUE["name"])}
    assert told("reviewsvc_queue_tasks", {**queue, "state": "pending"}) == len(["p-1", "p-2"])
    assert told("reviewsvc_queue_tasks", {**queue, "state": "overdue"}) == len(["p-1", "p-2"])
    assert told("reviewsvc_queue_oldest_seconds", queue) == (later - due.created_at).total_seconds()
    assert (told("reviewsvc_unsealed_entries") or 0) >= len(["p-1", "p-2"])
    assert (told("reviewsvc_unsealed_seconds") or 0) > 0
    signed.seal(later)
    watching.step(desk.sessions, later)
    assert [told("reviewsvc_unsealed_entries"), told("reviewsvc_unsealed_seconds")] == [0, 0]


def test_a_step_that_found_work_is_done_again_at_once_others_at_their_time(desk: Desk) -> None:
    clock, amounts, done = Clock(AT), [2, 0, 0], []

    def run(at: datetime) -> int:
        done.append(at)
        return amounts[len(done) - 1]

    turns = Turns(desk.sessions, [step(run)], clock)
    assert [turns.turn(), turns.turn(), turns.turn()] == [True, False, False]
    clock.at = AT + SECOND
    turns.turn()
    assert done == [AT, AT, AT + SECOND]


def test_a_step_that_fails_keeps_no_other_from_its_turn(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, done = Clock(AT), []
    monkeypatch.setattr("reviewsvc.usecases.turns._TROUBLED_SECONDS", -1.0)

    def fail(_at: datetime) -> int:
        raise OperationalError("select", {}, Exception("gone"))

    def run(at: datetime) -> int:
        done.append(at)
        return 0

    turns = Turns(desk.sessions, [step(fail), Step("other", 98, SECOND, run)], clock)
    turns.turn()
    assert done == [AT]
    assert turns.reasons()[0].startswith("test has failed for")


def test_steps_that_may_take_long_are_not_cut_off_as_idle_transactions(bank: Bank, tmp_path: Path) -> None:
    sessions = Sessions(bank.database_url, "worker", size=2, limits=Limits(idle_ms=20))
    desk = Desk(sessions, bank.house.keyring)

    def run(_at: datetime) -> int:
        time.sleep(0.05)
        return 1

    for each in subject_steps(desk, ErasureJournal(tmp_path / "journal")):
        assert run_alone(sessions, each._replace(run=run), AT) == 1, each.name
    sessions.close()


def test_one_process_at_a_time_does_a_step(bank: Bank, desk: Desk) -> None:
    with bank.house.sessions.begin() as session:
        assert locks.try_step(session, 99)
        assert run_alone(desk.sessions, step(lambda _: 1), AT) is None
    assert run_alone(desk.sessions, step(lambda _: 1), AT) == 1


def test_the_process_serves_its_health_anchors_what_it_sealed_and_ends_when_told(
    run_processes: RunProcesses, process_settings: dict[str, str], tmp_path: Path
) -> None:
    origin, key = process_settings["REVIEWSVC_ORIGIN"], tmp_path / "signing.key"
    files.make(key, origin)
    LogSigner(key, tmp_path / "signing.key.state").begin()
    sessions = Sessions(process_settings["DATABASE_URL"], "worker", size=2)
    keyring = Keyring(load_kek(Path(process_settings["REVIEWSVC_KEK_FILE"])))
    now = datetime.now(UTC)
    open_installation(sessions, keyring, origin, now)
    vkeys = [each.verifier().text() for each in files.load(key)]
    signing_keys.announce(sessions, keyring, vkeys, actor=SYSTEM, at=now)
    sessions.close()
    (tmp_path / "far").mkdir()
    keeper = run_processes(
        "worker", REVIEWSVC_SIGNING_KEY_FILE=str(key), REVIEWSVC_ANCHOR_FOLDER=str(tmp_path / "far")
    )
    assert eventually(lambda: not keeper.not_ready())
    assert eventually(lambda: bool(list((tmp_path / "far").rglob("*.checkpoint"))))
