from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from reviewsvc.domain import review
from reviewsvc.domain.agreement import Answer, Given
from reviewsvc.domain.review import Act, Claim, Slot, SlotState, Status, Task

pytestmark = pytest.mark.unit

ANNA, BERT, CARL, LEAD = (UUID(int=number) for number in (1, 2, 3, 9))
YES, NO = Answer("yes"), Answer("no")
LIMIT = timedelta(minutes=10)


def asked(reviewers: int, most: int = 0) -> Task:
    slots = tuple(Slot(number) for number in range(reviewers))
    return Task(reviewers, max(most, reviewers), slots)


def answered(task: Task, *answers: tuple[UUID, Answer]) -> Task:
    for person, answer in answers:
        slots = tuple(
            msgspec.structs.replace(slot, slot_id=place) if slot.slot_id is None else slot
            for place, slot in enumerate(task.slots)
        )
        task = msgspec.structs.replace(task, slots=slots)
        place = next(slot.slot_id for slot in slots if slot.state == SlotState.OPEN)
        assert place is not None
        task = review.claim(task, place, person)
        given = Given(UUID(int=100 + len(task.given)), person, answer, 0, place)
        task = review.decide(task, Claim(place, person, token_of(task, place)), given)
    return task


def token_of(task: Task, place: int) -> int:
    return next(slot.token for slot in task.slots if slot.slot_id == place)


def ruled(task: Task, person: UUID) -> Task:
    return review.adjudicate(task, Given(UUID(int=500), person, YES, 0))


def test_one_answer_decides_a_task_for_one() -> None:
    task = answered(asked(1), (ANNA, YES))
    found = review.final(task)
    assert (task.status, found and found.answer) == (Status.DECIDED, YES)


def test_two_who_agree_decide() -> None:
    task = answered(asked(2), (ANNA, YES))
    assert (task.status, review.final(task)) == (Status.PENDING, None)
    task = answered(task, (BERT, YES))
    found = review.final(task)
    assert (task.status, found and found.reviewer) == (Status.DECIDED, BERT)


def test_two_who_differ_bring_a_third_whose_answer_decides() -> None:
    task = answered(asked(2, most=3), (ANNA, YES), (BERT, NO))
    assert (task.status, len(task.slots)) == (Status.PENDING, 3)
    task = answered(task, (CARL, NO))
    found = review.final(task)
    assert (task.status, found and found.answer) == (Status.DECIDED, NO)


def test_disagreement_at_the_maximum_waits_for_a_lead_who_did_not_answer() -> None:
    task = answered(asked(2), (ANNA, YES), (BERT, NO))
    assert task.status == Status.DISPUTED
    with pytest.raises(review.AdjudicationError, match="Nobody adjudicates a task that they decided"):
        ruled(task, ANNA)
    task = ruled(task, LEAD)
    found = review.final(task)
    assert (task.status, found and found.reviewer) == (Status.DECIDED, LEAD)


def test_who_took_an_answer_back_may_not_adjudicate_either() -> None:
    task = answered(asked(2), (ANNA, YES))
    task = review.undo(task, task.given[0].decision, ANNA, 1, LIMIT)
    task = answered(task, (BERT, YES), (CARL, NO))
    with pytest.raises(review.AdjudicationError):
        ruled(task, ANNA)


def test_a_claim_that_ended_takes_no_answer() -> None:
    task = review.claim(asked(1), 0, ANNA)
    old = Claim(0, ANNA, 1)
    task = review.claim(review.act(task, old, Act.RELEASE), 0, ANNA)
    with pytest.raises(review.StaleClaimError):
        review.decide(task, old, Given(UUID(int=1), ANNA, YES, 0, 0))


def test_nobody_is_given_the_same_task_twice() -> None:
    task = answered(asked(2), (ANNA, YES))
    with pytest.raises(review.ReviewError, match="already"):
        review.claim(task, 1, ANNA)


def test_undo_brings_the_task_back_and_leaves_both_entries() -> None:
    task = answered(asked(1), (ANNA, YES))
    back = review.undo(task, task.given[0].decision, ANNA, 1, LIMIT)
    assert (back.status, back.slots[0].state, back.slots[0].reviewer) == (
        Status.PENDING,
        SlotState.OPEN,
        None,
    )
    assert [one.is_retracted for one in back.given] == [True]


def test_undo_of_a_dissent_closes_the_place_that_the_dissent_had_opened() -> None:
    task = answered(asked(2, most=3), (ANNA, YES), (BERT, NO))
    back = review.undo(task, task.given[1].decision, BERT, 1, LIMIT)
    states = [slot.state for slot in back.slots]
    assert states == [SlotState.DECIDED, SlotState.OPEN, SlotState.CLOSED]


@pytest.mark.parametrize(("person", "at"), [(BERT, 0), (ANNA, 600_000_001)])
def test_undo_is_refused_to_others_and_after_the_limit(person: UUID, at: int) -> None:
    task = answered(asked(1), (ANNA, YES))
    with pytest.raises(review.UndoError):
        review.undo(task, task.given[0].decision, person, at, LIMIT)


def test_undo_is_refused_after_adjudication() -> None:
    task = ruled(answered(asked(2), (ANNA, YES), (BERT, NO)), LEAD)
    for given in task.given:
        with pytest.raises(review.UndoError, match="adjudicated"):
            review.undo(task, given.decision, given.reviewer, 1, LIMIT)


@pytest.mark.parametrize("what", [Act.DEFAULT, Act.WITHDRAW])
def test_a_task_that_ended_takes_no_answer(what: Act) -> None:
    task = review.claim(asked(1), 0, ANNA)
    ended = review.end(task, what)
    assert ended.slots[0].state == SlotState.CLOSED
    with pytest.raises(review.TaskClosedError):
        review.held(ended, Claim(0, ANNA, 1))
    with pytest.raises(review.TaskClosedError):
        review.end(ended, what)
