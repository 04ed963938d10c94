from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from reviewsvc.db import slots
from reviewsvc.db import tables as t
from reviewsvc.db.versions import QueueMissingError
from reviewsvc.domain import review
from reviewsvc.usecases import claims
from tests.fixtures.cases import LEADS, POLICY, QUEUE, SECOND, Bank, event
from tests.fixtures.installed import AT

pytestmark = pytest.mark.real
LEASE = timedelta(minutes=10)


def slot(bank: Bank, task_id: UUID) -> sa.Row[tuple[object, ...]]:
    return bank.rows(sa.select(t.slot).where(t.slot.c.task_id == task_id))[0]


def test_a_claim_takes_the_most_urgent_and_logs_that_its_payload_is_opened(bank: Bank) -> None:
    first = {**POLICY["rules"][0], "id": "urgent", "when": {"label": ["refuse"]}, "priority": 90}
    bank.apply({**POLICY, "rules": [first, *POLICY["rules"]]})
    bank.capture([event("p-1"), event("p-2", output={"label": "refuse", "confidence": 0.9}), event("p-3")])
    anna = bank.person("anna")
    held = bank.claim(anna, 2)
    assert [bank.task(one.task_id).prediction_seq for one in held] == [2, 1]
    assert {one.lease_until for one in held} == {AT + LEASE}
    opened = bank.rows(sa.select(t.activity).where(t.activity.c.kind == "access"))
    assert {row.task_id for row in opened} == {one.task_id for one in held}


def test_nobody_is_given_what_somebody_holds_or_what_they_were_asked_to_skip(bank: Bank) -> None:
    bank.capture([event("p-1"), event("p-2")])
    anna, bert = bank.person("anna"), bank.person("bert")
    (one,) = bank.claim(anna)
    (other,) = bank.claim(bert)
    assert one.task_id != other.task_id
    assert bank.claim(anna) == []
    claims.release(bank.desk, one.task_id, one.token, actor=anna, at=AT)
    assert claims.claim(bank.desk, "unsure", actor=anna, at=AT, skip=[one.task_id]) == []
    assert [again.task_id for again in bank.claim(bert)] == [one.task_id]


def test_two_places_of_one_task_go_to_two_people(bank: Bank) -> None:
    bank.apply({**QUEUE, "reviewers": 2})
    bank.capture([event("p-1")])
    anna, bert = bank.person("anna"), bank.person("bert")
    assert len(bank.claim(anna, 5)) == 1
    assert bank.claim(anna, 5) == []
    assert len(bank.claim(bert, 5)) == 1


def test_many_at_once_never_hold_the_same_task(bank: Bank) -> None:
    bank.capture([event(f"p-{number}") for number in range(40)])
    people = [bank.person(f"person{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda number: bank.claim(people[number % 8], 2), range(24)))
    ids = [held.task_id for some in taken for held in some]
    assert len(ids) == len(set(ids)) == 40


def test_one_person_in_two_windows_never_holds_two_places_of_a_task(bank: Bank) -> None:
    bank.apply({**QUEUE, "reviewers": 3})
    bank.capture([event(f"p-{number}") for number in range(12)])
    anna = bank.person("anna")
    with ThreadPoolExecutor(6) as pool:
        taken = list(pool.map(lambda _: bank.claim(anna, 2), range(12)))
    ids = [held.task_id for some in taken for held in some]
    assert len(ids) == len(set(ids))


def test_a_lease_that_ended_opens_the_task_to_others_and_its_token_is_stale(bank: Bank) -> None:
    bank.capture([event("p-1")])
    anna, bert = bank.person("anna"), bank.person("bert")
    (held,) = bank.claim(anna)
    with bank.house.sessions.begin() as session:
        assert slots.expire(session, AT + LEASE - SECOND) == 0
        assert slots.expire(session, AT + LEASE) == 1
    (again,) = bank.claim(bert, at=AT + LEASE)
    assert (again.task_id, again.token) == (held.task_id, held.token + 1)
    with pytest.raises(review.StaleClaimError):
        bank.decide(anna, held)
    bank.decide(bert, again)


def test_a_lease_is_lengthened_by_its_holder_alone(bank: Bank) -> None:
    bank.capture([event("p-1")])
    anna, bert = bank.person("anna"), bank.person("bert")
    (held,) = bank.claim(anna)
    later = AT + timedelta(minutes=9)
    renewed = claims.renew(bank.desk, held.task_id, held.token, actor=anna, at=later)
    assert renewed == held._replace(lease_until=later + LEASE)
    with bank.house.sessions.begin() as session:
        assert slots.expire(session, AT + LEASE) == 0
    with pytest.raises(review.StaleClaimError):
        claims.renew(bank.desk, held.task_id, held.token, actor=bert, at=later)
    with pytest.raises(review.StaleClaimError):
        claims.renew(bank.desk, held.task_id, held.token + 1, actor=anna, at=later)


def test_a_queue_may_say_how_long_a_lease_is(bank: Bank) -> None:
    bank.apply({**QUEUE, "lease_minutes": 3})
    bank.capture([event("p-1")])
    (held,) = bank.claim(bank.person("anna"))
    assert held.lease_until == AT + timedelta(minutes=3)


def test_what_is_put_off_comes_back_at_its_time(bank: Bank) -> None:
    bank.capture([event("p-1")])
    anna = bank.person("anna")
    (held,) = bank.claim(anna)
    until = AT + timedelta(hours=4)
    claims.snooze(bank.desk, held.task_id, held.token, until, actor=anna, at=AT)
    assert bank.claim(anna) == []
    with bank.house.sessions.begin() as session:
        assert slots.wake(session, until - SECOND) == 0
        assert slots.wake(session, until) == 1
    assert [again.task_id for again in bank.claim(anna, at=until)] == [held.task_id]
    assert bank.kinds("activity").count("task_moved") == 1


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(days=31)])
def test_nothing_is_put_off_into_the_past_or_for_months(bank: Bank, ahead: timedelta) -> None:
    bank.capture([event("p-1")])
    anna = bank.person("anna")
    (held,) = bank.claim(anna)
    with pytest.raises(claims.SnoozeError, match="within the next 30 days"):
        claims.snooze(bank.desk, held.task_id, held.token, AT + ahead, actor=anna, at=AT)


def test_an_escalated_task_goes_to_the_queue_that_is_named_at_no_lower_priority(bank: Bank) -> None:
    bank.apply(LEADS, {**QUEUE, "when_due": {"escalate": "leads"}})
    bank.capture([event("p-1")])
    anna, lead = bank.person("anna"), bank.person("lead")
    (held,) = bank.claim(anna)
    assert claims.escalate(bank.desk, held.task_id, held.token, "Fraud?", actor=anna, at=AT) == "leads"
    task = bank.task(held.task_id)
    assert (task.escalated, task.priority, slot(bank, held.task_id).state) == (True, 80, "open")
    assert bank.claim(anna) == []
    assert [one.task_id for one in bank.claim(lead, queue="leads")] == [held.task_id]


def test_a_queue_that_names_none_escalates_nothing(bank: Bank) -> None:
    bank.capture([event("p-1")])
    anna = bank.person("anna")
    (held,) = bank.claim(anna)
    with pytest.raises(review.ReviewError, match="names no queue"):
        claims.escalate(bank.desk, held.task_id, held.token, "", actor=anna, at=AT)
    assert slot(bank, held.task_id).state == "claimed"


def test_a_flag_leaves_the_task_in_its_hands(bank: Bank) -> None:
    bank.capture([event("p-1")])
    anna = bank.person("anna")
    (held,) = bank.claim(anna)
    claims.flag(bank.desk, held.task_id, held.token, "The file is unreadable.", actor=anna, at=AT)
    (moved,) = bank.rows(sa.select(t.activity).where(t.activity.c.kind == "task_moved"))
    assert (moved.task_id, moved.actor) == (held.task_id, f"person:{anna.id}")
    bank.decide(anna, held)


def test_a_claim_in_a_queue_that_does_not_exist_says_so(bank: Bank) -> None:
    with pytest.raises(QueueMissingError, match="There is no queue nowhere"):
        bank.claim(bank.person("anna"), queue="nowhere")
