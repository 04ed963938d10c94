"""Erasing a subject: the key goes, proofs stay, open cases close, labels are taken back, receivers listed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from reviewsvc.db import tables as t
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.moments import microseconds
from reviewsvc.domain.verdict import Verdict
from reviewsvc.outside.erasure_journal import JournalError, Line
from reviewsvc.usecases import approving, erasure, erasures, holds, labels
from reviewsvc.usecases.approvals import ApprovalStateError, SecondPersonError
from reviewsvc.usecases.dossiers import ErasedError
from reviewsvc.usecases.subjects import SubjectMissingError
from tests.fixtures.cases import event
from tests.fixtures.erasing import STEWARD, Eraser
from tests.fixtures.installed import AT

pytestmark = pytest.mark.real

OTHER = Actor("cli", "otto")


def test_an_erased_subject_leaves_proofs_and_nothing_else(eraser: Eraser) -> None:
    bank = eraser.bank
    bank.capture(
        [event("p-1", segment="a"), event("p-2", segment="b"), event("p-3", subject="subject of p-1")]
    )
    anna = bank.person("anna")
    held = bank.claim(anna, 3)
    bank.decide(anna, held[0])
    bank.decide(anna, held[1])
    list(labels.stream(bank.desk, "loans", None, actor=OTHER, at=AT))
    done = eraser.erase("p-1")
    assert (done.predictions, done.tasks, done.labels) == (2, 1, 1)
    told = erasures.get(bank.house.sessions, bank.house.keyring, done.erasure_id)
    assert (told.status, told.reason) == ("done", "asked by letter 17")
    assert [(one.kind, one.receiver, one.amount) for one in told.left] == [
        ("source", "reviewsvc.predictions.v1", 2),
        ("labels", "cli:otto", 1),
    ]
    rows = bank.rows(sa.select(t.prediction.c.subject, t.prediction.c.segment).order_by(t.prediction.c.seq))
    assert [(row.subject is None, row.segment) for row in rows] == [(True, None), (False, 1), (True, None)]
    with pytest.raises(ErasedError):
        bank.decide(anna, held[2], number=9)
    statuses = sorted(row.status for row in bank.rows(sa.select(t.task.c.status)))
    assert statuses == ["decided", "decided", "withdrawn"]
    page = labels.page(bank.desk, "loans", None, 10, actor=OTHER, at=AT).items
    assert [one.op for one in page] == ["withdraw", "add", "withdraw"]
    assert eraser.verified().verdict is Verdict.VERIFIED, eraser.verified()


def test_a_subject_who_returns_gets_another_pseudonym(eraser: Eraser) -> None:
    eraser.bank.capture([event("p-1")])
    before = eraser.key_of("p-1")
    eraser.erase("p-1")
    with pytest.raises(SubjectMissingError):
        eraser.ask("p-1")
    eraser.bank.capture([event("p-2", subject="subject of p-1")])
    assert eraser.key_of("p-1") not in {None, before}
    eraser.erase("p-1")
    assert eraser.verified().verdict is Verdict.VERIFIED


def test_two_stewards_at_once_erase_once(eraser: Eraser) -> None:
    eraser.bank.capture([event("p-1")])

    def ask(name: str) -> str:
        try:
            return eraser.ask("p-1", actor=Actor("cli", name)).status
        except (ApprovalStateError, SubjectMissingError):
            return "told"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(ask, "abcd")) == ["approved", "told", "told", "told"]
        (wanted,) = erasures.page(eraser.bank.house.sessions, eraser.bank.house.keyring)
        ran = pool.map(lambda _: erasure.run(eraser.desk, eraser.journal, wanted.erasure_id, at=AT), range(2))
        assert sorted(one is None for one in ran) == [False, True]
    assert len(eraser.journal.read()) == 1


def test_where_a_second_person_is_needed_nobody_erases_alone(eraser: Eraser) -> None:
    eraser.bank.capture([event("p-1")])
    house, asked = eraser.bank.house, eraser.ask("p-1", second_person=True)
    stella = eraser.bank.person("stella", "steward")
    assert erasure.step(eraser.desk, eraser.journal, at=AT) == 0
    for same in (STEWARD, stella):
        with pytest.raises(SecondPersonError):
            approving.approve(house.sessions, house.keyring, asked.erasure_id, actor=same, at=AT)
    approving.approve(house.sessions, house.keyring, asked.erasure_id, actor=OTHER, at=AT)
    assert erasure.step(eraser.desk, eraser.journal, at=AT) == 1
    assert eraser.key_of("p-1") is None
    with pytest.raises(ApprovalStateError):
        approving.refuse(house.sessions, house.keyring, asked.erasure_id, actor=OTHER, at=AT)


def test_what_the_journal_names_is_erased_after_a_crash_before_the_key_went(eraser: Eraser) -> None:
    eraser.bank.capture([event("p-1"), event("p-2")])
    asked, key = eraser.ask("p-1"), eraser.key_of("p-1")
    assert key is not None
    eraser.journal.append(str(asked.erasure_id), [key.hex()], 1)
    (done,) = erasure.replay(eraser.desk, eraser.journal.read(), actor=OTHER, at=AT)
    assert done.tasks == 1
    assert eraser.key_of("p-1") is None
    assert erasure.replay(eraser.desk, eraser.journal.read(), actor=OTHER, at=AT) == []
    assert erasure.step(eraser.desk, eraser.journal, at=AT) == 0
    assert eraser.verified().verdict is Verdict.VERIFIED


def test_a_hold_that_came_between_a_crash_and_the_next_try_stands_after_a_restore_too(eraser: Eraser) -> None:
    eraser.bank.capture([event("p-1"), event("p-2")])
    house, lines = eraser.bank.house, list[Line]()
    for number, name in enumerate(("p-1", "p-2")):
        key = eraser.key_of(name)
        assert key is not None
        lines.append(Line(1, microseconds(AT) + number * 2, str(UUID(int=number)), [key.hex()]))
        held_at = AT + timedelta(microseconds=1)
        on = holds.HoldOn(f"subject of {name}")
        holds.place(house.sessions, house.keyring, on, "a law suit", actor=STEWARD, at=held_at)
    done = erasure.replay(eraser.desk, lines, actor=OTHER, at=AT)
    assert [one.erasure_id for one in done] == [UUID(int=1)], "its line came after the hold, which had ended"
    assert eraser.key_of("p-1") is not None


def test_a_journal_that_went_missing_or_is_older_is_not_taken_for_whole(eraser: Eraser) -> None:
    eraser.bank.capture([event(f"p-{n}") for n in range(3)])
    eraser.erase("p-0")
    older = eraser.journal.path.read_bytes()
    eraser.erase("p-1")
    assert len(erasure.lines_of(eraser.desk.sessions, eraser.journal)) == 2
    eraser.journal.path.write_bytes(older)
    with pytest.raises(JournalError, match="lacks 1"):
        erasure.lines_of(eraser.desk.sessions, eraser.journal)
    assert len(erasure.lines_of(eraser.desk.sessions, eraser.journal, may_lack=True)) == 1
    eraser.journal.path.unlink()
    with pytest.raises(JournalError, match="2 keys were destroyed before"):
        eraser.erase("p-2")
    assert eraser.key_of("p-2") is not None
    eraser.journal.path.touch()
    assert erasure.step(eraser.desk, eraser.journal, at=AT) == 1


def test_a_key_that_is_gone_without_an_erasure_is_noticed(eraser: Eraser, owner_url: str) -> None:
    eraser.bank.capture([event("p-1")])
    engine = sa.create_engine(owner_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE prediction SET subject = NULL"))
        connection.execute(sa.text("DELETE FROM keys.data_key WHERE subject IS NOT NULL"))
    engine.dispose()
    report = eraser.verified()
    assert report.verdict is Verdict.TAMPERED
    assert ["no erasure says so" in one.what for log in report.logs for one in log.findings] == [True]
