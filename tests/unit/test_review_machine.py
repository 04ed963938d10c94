"""Any sequence of acts keeps a task lawful."""

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reviewsvc.domain import review
from reviewsvc.domain.agreement import Answer, Given, wanted
from reviewsvc.domain.review import Act, Claim, Slot, SlotState, Status, Task

pytestmark = pytest.mark.unit

PEOPLE = st.sampled_from([UUID(int=number) for number in range(1, 6)])
ANSWERS = st.sampled_from([Answer("yes"), Answer("no"), Answer(value=1.5)])
PLACES = st.integers(0, 7)
WAITING = {SlotState.OPEN, SlotState.CLAIMED, SlotState.SNOOZED}


class Acts(RuleBasedStateMachine):
    task: Task
    claims: list[Claim]

    @initialize(reviewers=st.integers(1, 3), more=st.integers(0, 3))
    def capture(self, reviewers: int, more: int) -> None:
        self.task = Task(reviewers, reviewers + more, tuple(Slot(number) for number in range(reviewers)))
        self.claims = []
        self.decided = 0

    def attempt(self, what: object, *args: object) -> bool:
        before = self.task
        try:
            after: Task = what(*args)  # type: ignore[operator] # the acts share no signature
        except review.ReviewError:
            assert self.task == before
            return False
        places = enumerate(after.slots)
        slots = tuple(msgspec.structs.replace(slot, slot_id=place) for place, slot in places)
        self.task = msgspec.structs.replace(after, slots=slots)
        return True

    @rule(index=PLACES, person=PEOPLE)
    def claim(self, index: int, person: UUID) -> None:
        place = index % len(self.task.slots)
        if self.attempt(review.claim, self.task, place, person):
            slot = self.task.slots[place]
            assert slot.token not in {old.token for old in self.claims if old.slot_id == place}
            self.claims.append(Claim(place, person, slot.token))

    @rule(index=PLACES, what=st.sampled_from([Act.RENEW, Act.RELEASE, Act.SNOOZE, Act.ESCALATE, Act.FLAG]))
    def act(self, index: int, what: Act) -> None:
        if self.claims:
            self.attempt(review.act, self.task, self.claims[index % len(self.claims)], what)

    @rule(place=PLACES, what=st.sampled_from([Act.EXPIRE, Act.WAKE]))
    def free(self, place: int, what: Act) -> None:
        if place < len(self.task.slots):
            self.attempt(review.free, self.task, place, what)

    @precondition(lambda self: any(slot.state == SlotState.OPEN for slot in self.task.slots))
    @rule(person=PEOPLE, answer=ANSWERS)
    def answer(self, person: UUID, answer: Answer) -> None:
        place = next(place for place, slot in enumerate(self.task.slots) if slot.state == SlotState.OPEN)
        self.claim(place, person)
        self.decide(0, answer)

    @rule(index=PLACES, answer=ANSWERS)
    def decide(self, index: int, answer: Answer) -> None:
        if self.claims:
            claim = self.claims[-1 - index % len(self.claims)]
            self.decided += 1
            given = Given(UUID(int=1000 + self.decided), claim.reviewer, answer, 0, claim.slot_id)
            held = self.task.slots[claim.slot_id]
            lawful = (held.state, held.reviewer, held.token) == (
                SlotState.CLAIMED,
                claim.reviewer,
                claim.token,
            )
            assert self.attempt(review.decide, self.task, claim, given) == lawful

    @precondition(lambda self: self.task.given)
    @rule(index=PLACES, person=st.none() | PEOPLE, at=st.sampled_from([1, 1, 1, 10**9]))
    def undo(self, index: int, person: UUID | None, at: int) -> None:
        found = self.task.given[-1 - index % len(self.task.given)]
        by = person or found.reviewer
        self.attempt(review.undo, self.task, found.decision, by, at, timedelta(minutes=10))

    @precondition(lambda self: self.task.status == Status.DISPUTED or len(self.claims) == 1)
    @rule(person=PEOPLE)
    def adjudicate(self, person: UUID) -> None:
        given = Given(UUID(int=9000), person, Answer("yes"), 0)
        mine = any(one.reviewer == person for one in self.task.given)
        lawful = self.task.status == Status.DISPUTED and not mine
        assert self.attempt(review.adjudicate, self.task, given) == lawful

    @precondition(lambda self: len(self.claims) > 5)
    @rule(what=st.sampled_from([Act.DEFAULT, Act.WITHDRAW]))
    def end(self, what: Act) -> None:
        self.attempt(review.end, self.task, what)

    @invariant()
    def nobody_holds_two_places(self) -> None:
        people = [slot.reviewer for slot in self.task.slots if slot.reviewer]
        assert len(people) == len(set(people))

    @invariant()
    def a_place_has_a_reviewer_exactly_when_it_is_held_or_answered(self) -> None:
        for slot in self.task.slots:
            assert (slot.reviewer is not None) == (slot.state in (SlotState.CLAIMED, SlotState.DECIDED))

    @invariant()
    def answers_and_answered_places_are_the_same(self) -> None:
        live = [one for one in self.task.given if one.slot_id is not None and not one.is_retracted]
        answered = [slot for slot in self.task.slots if slot.state == SlotState.DECIDED]
        assert {(one.slot_id, one.reviewer) for one in live} == {
            (slot.slot_id, slot.reviewer) for slot in answered
        }
        assert len(live) == len(answered) <= self.task.most

    @invariant()
    def someone_can_still_answer_exactly_while_the_task_is_pending(self) -> None:
        waiting = [slot for slot in self.task.slots if slot.state in WAITING]
        if self.task.status != Status.PENDING:
            assert not waiting
        else:
            need = wanted(self.task.given, self.task.reviewers, self.task.most)
            spare = [slot for slot in waiting if slot.state != SlotState.CLAIMED]
            assert 1 <= need <= len(waiting)
            assert len(waiting) == need or not spare

    @invariant()
    def a_final_answer_stands_exactly_while_the_task_is_decided(self) -> None:
        found = review.final(self.task)
        assert (found is not None) == (self.task.status == Status.DECIDED)
        assert found is None or not found.is_retracted


Acts.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestActs = Acts.TestCase
