"""Retention: months are dropped, disks freed, holds kept byte for byte; verification tells why."""

import os
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from reviewsvc.db import tables as t
from reviewsvc.domain.review import TaskClosedError
from reviewsvc.domain.verdict import Verdict
from reviewsvc.usecases import decisions, erasure, holds, labels, retention
from reviewsvc.usecases.dossiers import ErasedError
from reviewsvc.usecases.holds import HoldOn
from reviewsvc.usecases.steps import months_step
from reviewsvc.usecases.subjects import HeldError
from tests.fixtures.cases import CONTRACT, POLICY, Bank, event
from tests.fixtures.erasing import STEWARD, Eraser
from tests.fixtures.installed import AT

pytestmark = pytest.mark.real

PAST = AT + timedelta(days=100)
FAR = AT + timedelta(days=800)


def brief(bank: Bank) -> None:
    """Let the model keep payloads for 30 days and rows for 400."""
    kept = {"class": "brief", "keep_days": 30, "prediction_days": 400}
    bank.apply({**CONTRACT, "retention": kept})


def size(bank: Bank) -> int:
    """Bytes of the database on the disk."""
    return int(bank.rows(sa.select(sa.func.pg_database_size(sa.func.current_database())))[0][0])


def hold(bank: Bank, on: HoldOn) -> holds.Hold:
    house = bank.house
    return holds.place(house.sessions, house.keyring, on, "case 4711", actor=STEWARD, at=AT)


def run(eraser: Eraser, at: datetime) -> list[retention.Dropped]:
    """Drop what is past; the months that were made ahead and stayed empty, and keys, are left out."""
    done = retention.run(eraser.desk, actor=STEWARD, at=at)
    return [one for one in done if one.rows and one.table != "data_key"]


def stored(bank: Bank, table: sa.Table) -> set[tuple[int, int, bytes]]:
    rows = bank.rows(sa.select(table.c.log_id, table.c.seq, table.c.ciphertext))
    return {(row.log_id, row.seq, bytes(row.ciphertext)) for row in rows}


def test_a_past_month_is_dropped_and_its_disk_is_free(eraser: Eraser) -> None:
    bank = eraser.bank
    brief(bank)
    bank.apply({**POLICY, "rules": POLICY["rules"][:1]})
    noise = [{"income": 1, "job": 1, "remarks": os.urandom(2000).hex()} for _ in range(300)]
    sure = {"label": "approve", "confidence": 0.99}
    bank.capture([event("p-0", input=noise[0])])
    bank.capture([event(f"p-{n}", input=told, output=sure) for n, told in enumerate(noise[1:], 1)])
    anna = bank.person("anna")
    bank.decide(anna, bank.claim(anna)[0])
    months_step(eraser.desk.sessions, at=PAST)
    before = size(bank)
    assert retention.step(eraser.desk, at=AT + timedelta(days=30)) == 0
    (done,) = run(eraser, PAST)
    assert (done.table, done.retention_class, done.held) == ("payload", "brief", 0)
    assert done.rows == 302
    assert before - size(bank) > 300 * 4000 * 0.9
    assert done.bytes > 300 * 4000
    assert [one.op for one in labels.page(bank.desk, "loans", None, 9, actor=STEWARD, at=PAST).items] == [
        "withdraw"
    ]
    assert eraser.verified().verdict is Verdict.VERIFIED, eraser.verified()
    gone = run(eraser, FAR)
    assert [(one.table, one.rows) for one in gone] == [("prediction", 300)]
    assert eraser.verified().verdict is Verdict.VERIFIED
    assert retention.run(eraser.desk, actor=None, at=FAR) == []


def test_a_hold_stops_erasing_and_dropping_until_it_is_released(eraser: Eraser) -> None:
    bank, house = eraser.bank, eraser.bank.house
    brief(bank)
    bank.capture([event("p-1"), event("p-2"), event("p-3")])
    anna = bank.person("anna")
    for claimed in bank.claim(anna, 3):
        bank.decide(anna, claimed)
    asked = eraser.ask("p-2")
    placed = [hold(bank, HoldOn("subject of p-1")), hold(bank, HoldOn(model="loans", prediction_id="p-2"))]
    assert erasure.step(eraser.desk, eraser.journal, at=AT) == 0
    with pytest.raises(HeldError):
        erasure.run(eraser.desk, eraser.journal, asked.erasure_id, at=AT)
    with pytest.raises(HeldError):
        eraser.ask("p-1")
    assert eraser.journal.read() == []
    before = stored(bank, t.payload)
    (done,) = run(eraser, PAST)
    assert (done.rows, done.held) == (9, 6)
    kept = stored(bank, t.payload_held)
    assert len(kept) == 6
    assert kept < before
    told = labels.page(bank.desk, "loans", None, 9, actor=STEWARD, at=PAST).items
    assert [one.op for one in told] == ["add", "add", "withdraw"]
    assert run(eraser, FAR) == []
    assert eraser.verified().verdict is Verdict.VERIFIED, eraser.verified()
    months_step(eraser.desk.sessions, at=FAR)
    for one in placed:
        holds.release(house.sessions, house.keyring, one.hold_id, "settled", actor=STEWARD, at=FAR)
    assert erasure.step(eraser.desk, eraser.journal, at=FAR) == 1
    gone = run(eraser, FAR + timedelta(days=800))
    assert [(one.table, one.rows) for one in gone] == [("payload", 1), ("prediction", 3), ("payload_held", 6)]
    assert eraser.verified().verdict is Verdict.VERIFIED, eraser.verified()


def test_open_cases_of_a_past_month_end_as_withdrawn_and_those_of_holds_do_not(eraser: Eraser) -> None:
    bank, house = eraser.bank, eraser.bank.house
    brief(bank)
    bank.capture([event("p-1"), event("p-2"), event("p-3")])
    anna = bank.person("anna")
    (claimed, *_) = bank.claim(anna)
    placed = hold(bank, HoldOn("subject of p-2"))
    run(eraser, PAST)
    statuses = sorted(row.status for row in bank.rows(sa.select(t.task.c.status)))
    assert statuses == ["pending", "withdrawn", "withdrawn"]
    with pytest.raises((ErasedError, TaskClosedError)):
        bank.decide(anna, claimed)
    told = decisions.answer(bank.desk, "loans", "p-1", None, actor=STEWARD, at=PAST)
    assert (told.status, told.value, told.prediction_id) == ("withdrawn", None, "p-1")
    assert bank.rows(sa.select(t.label)) == []
    holds.release(house.sessions, house.keyring, placed.hold_id, "settled", actor=STEWARD, at=PAST)
    run(eraser, PAST)
    assert {row.status for row in bank.rows(sa.select(t.task.c.status))} == {"withdrawn"}
    assert {row.state for row in bank.rows(sa.select(t.slot.c.state))} == {"closed"}
    assert eraser.verified().verdict is Verdict.VERIFIED, eraser.verified()


def day_keys(bank: Bank, kind: str) -> int:
    """How many keys of days the logs of a kind have."""
    query = sa.select(t.data_key.c.key_id).join(t.log, t.log.c.log_id == t.data_key.c.log_id)
    return len(bank.rows(query.where(t.log.c.kind == kind)))


def test_the_keys_of_days_go_with_the_last_payload_that_needs_them(eraser: Eraser) -> None:
    bank, house, later = eraser.bank, eraser.bank.house, AT + timedelta(days=20)
    brief(bank)
    anonymous = {name: told for name, told in event("p-1", segment="a").items() if name != "subject"}
    bank.capture([anonymous, b"{no json"])
    months_step(eraser.desk.sessions, at=later)
    anna = bank.person("anna")
    bank.decide(anna, bank.claim(anna, at=later)[0], at=later)
    run(eraser, AT + timedelta(days=55))
    assert day_keys(bank, "predictions") == 1
    placed = hold(bank, HoldOn(model="loans", prediction_id="p-1"))
    assert [(one.table, one.rows, one.held) for one in run(eraser, PAST)] == [("payload", 2, 2)]
    assert day_keys(bank, "predictions") == 1
    holds.release(house.sessions, house.keyring, placed.hold_id, "settled", actor=STEWARD, at=PAST)
    gone = retention.run(eraser.desk, actor=STEWARD, at=PAST)
    assert [one.table for one in gone] == ["payload_held", "data_key"]
    assert (day_keys(bank, "predictions"), day_keys(bank, "activity") > 0) == (0, True)
    assert [row.segment for row in bank.rows(sa.select(t.prediction.c.segment))] == [0]
    assert eraser.verified().verdict is Verdict.VERIFIED, eraser.verified()
    told = decisions.answer(bank.desk, "loans", "p-1", None, actor=STEWARD, at=PAST)
    assert (told.status, told.value) == ("decided", "approve")
    months_step(eraser.desk.sessions, at=AT + timedelta(days=250))
    (unread,) = run(eraser, AT + timedelta(days=250))
    assert (unread.retention_class, unread.rows) == ("quarantine", 1)
    own = (t.data_key.c.log_id.is_(None), t.data_key.c.subject.is_(None))
    assert bank.rows(sa.select(t.data_key.c.key_id).where(*own)) == []
    assert eraser.verified().verdict is Verdict.VERIFIED, eraser.verified()


def test_a_model_that_is_held_keeps_its_months(eraser: Eraser) -> None:
    brief(eraser.bank)
    eraser.bank.capture([event("p-1")])
    hold(eraser.bank, HoldOn(model="loans"))
    assert run(eraser, FAR) == []
    assert any(month.is_held for month in retention.show(eraser.desk.sessions))
    with pytest.raises(HeldError):
        eraser.ask("p-1")


def test_a_payload_that_is_missing_from_a_month_that_was_kept_is_noticed(
    eraser: Eraser, owner_url: str
) -> None:
    brief(eraser.bank)
    eraser.bank.capture([event("p-1")])
    engine = sa.create_engine(owner_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM payload WHERE retention_class > 0"))
    engine.dispose()
    assert eraser.verified().verdict is Verdict.TAMPERED
