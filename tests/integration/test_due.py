from datetime import timedelta

import psycopg
import pytest
import sqlalchemy as sa

from reviewsvc.crypto.envelope import EnvelopeError
from reviewsvc.db import tables as t
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain import review
from reviewsvc.domain.decisions import read_ending
from reviewsvc.domain.entries import parse
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.due import due_step, lease_step
from tests.fixtures.cases import LEADS, QUEUE, SECOND, Bank, event
from tests.fixtures.installed import AT

pytestmark = pytest.mark.real
DUE = AT + timedelta(minutes=30)


@pytest.fixture
def desk(bank: Bank, worker_sessions: Sessions) -> Desk:
    return Desk(worker_sessions, bank.house.keyring)


def captured(bank: Bank, when_due: object) -> None:
    bank.apply(LEADS, {**QUEUE, "due_in_minutes": 30, "when_due": when_due})
    bank.capture([event("p-1")])


def status(bank: Bank) -> tuple[str, bool, bool, str | None]:
    (row,) = bank.rows(sa.select(t.task))
    return row.status, row.overdue, row.escalated, row.answer_label


def test_nothing_happens_before_the_due_time(bank: Bank, desk: Desk) -> None:
    captured(bank, "defaulted")
    assert due_step(desk, at=DUE - SECOND) == 0
    assert status(bank) == ("pending", False, False, None)


def test_a_task_may_wait_and_is_told_to_be_overdue_once(bank: Bank, desk: Desk) -> None:
    captured(bank, "wait")
    assert [due_step(desk, at=DUE), due_step(desk, at=DUE + SECOND)] == [1, 0]
    assert status(bank) == ("pending", True, False, None)
    anna = bank.person("anna")
    (held,) = bank.claim(anna, at=DUE)
    bank.decide(anna, held)


def test_a_task_may_go_to_another_queue(bank: Bank, desk: Desk) -> None:
    captured(bank, {"escalate": "leads"})
    assert [due_step(desk, at=DUE), due_step(desk, at=DUE + SECOND)] == [1, 0]
    assert status(bank) == ("pending", True, True, None)
    assert len(bank.claim(bank.person("lead"), queue="leads", at=DUE)) == 1


def test_a_task_may_end_with_the_models_answer_which_is_no_label(bank: Bank, desk: Desk) -> None:
    captured(bank, "defaulted")
    anna = bank.person("anna")
    (held,) = bank.claim(anna, at=DUE - SECOND)
    assert due_step(desk, at=DUE) == 1
    assert status(bank) == ("defaulted", True, False, "approve")
    with pytest.raises(review.TaskClosedError, match="takes no more answers"):
        bank.decide(anna, held, at=DUE)
    assert bank.rows(sa.select(t.label)) == []
    endings = [read_ending(parse(row.body)) for row in bank.rows(sa.select(t.entry.c.body))]
    (ending,) = [one for one in endings if one]
    assert ending.final
    assert (ending.final.status, ending.final.label) == ("defaulted", "approve")


def test_a_task_that_cannot_be_moved_keeps_no_other_from_its_turn(
    bank: Bank, desk: Desk, owner_url: str
) -> None:
    bank.apply({**QUEUE, "due_in_minutes": 30, "when_due": "defaulted"})
    bank.capture([event("p-1"), event("p-2")])
    with psycopg.connect(owner_url) as connection:
        connection.execute(
            "UPDATE payload SET ciphertext = 'x' WHERE (log_id, seq) ="
            " (SELECT prediction_log_id, prediction_seq FROM task ORDER BY due_at, task_id LIMIT 1)"
        )
    with pytest.raises(EnvelopeError):
        due_step(desk, at=DUE)
    assert sorted(row.status for row in bank.rows(sa.select(t.task))) == ["defaulted", "pending"]


def test_ended_leases_and_rests_open_their_tasks(bank: Bank, desk: Desk) -> None:
    bank.capture([event("p-1")])
    anna, bert = bank.person("anna"), bank.person("bert")
    bank.claim(anna)
    assert lease_step(desk, at=AT + timedelta(minutes=9)) == 0
    assert lease_step(desk, at=AT + timedelta(minutes=10)) == 1
    assert len(bank.claim(bert, at=AT + timedelta(minutes=10))) == 1
