import pytest
import sqlalchemy as sa

from reviewsvc.db import tables as t
from reviewsvc.usecases import answers, cases, claims
from reviewsvc.usecases.cases import HIDDEN
from reviewsvc.usecases.dossiers import TaskMissingError
from reviewsvc.usecases.queues import Depths, list_queues
from tests.fixtures.cases import CONTRACT, LEADS, POLICY, QUEUE, SECOND, Bank, event
from tests.fixtures.installed import AT

pytestmark = pytest.mark.real


def access(bank: Bank) -> int:
    return len(bank.rows(sa.select(t.activity).where(t.activity.c.kind == "access")))


def test_a_case_shows_everything_needed_to_decide_it(bank: Bank) -> None:
    bank.capture([event("p-1")])
    anna = bank.person("anna")
    (held,) = bank.claim(anna)
    opened = access(bank)
    case = cases.show(bank.desk, held.task_id, actor=anna, roles=["reviewer"], at=AT)
    assert (case.question, case.subject) == ("Should this loan be given?", "subject of p-1")
    assert (case.token, case.lease_until) == (held.token, held.lease_until)
    assert (case.answer.label, case.answer.confidence) == ("Approve", 0.6)
    assert [(one.value, one.key, one.is_model) for one in case.choices] == [
        ("refuse", "1", False),
        ("approve", "2", True),
    ]
    assert [(one.label, one.value, one.unit) for one in case.inputs] == [
        ("Income", "4,200.5", "dollars"),
        ("job", "clerk", ""),
        ("remarks", "", ""),
    ]
    assert [one.label for one in case.weights] == ["job", "Income"]
    assert case.reasons[0].words == "Unsure"
    assert case.share_words == "Every case like this one is brought to people."
    assert access(bank) == opened


def test_whoever_looks_without_holding_leaves_an_access_entry(bank: Bank) -> None:
    bank.capture([event("p-1")])
    (held,) = bank.claim(bank.person("anna"))
    auditor = bank.person("audrey", "auditor")
    opened = access(bank)
    case = cases.show(bank.desk, held.task_id, actor=auditor, roles=["auditor"], at=AT)
    assert (case.token, case.answer.blind) == (None, True)
    assert access(bank) == opened + 1
    with pytest.raises(TaskMissingError):
        cases.show(bank.desk, bank.house.add_person("x"), actor=auditor, roles=[], at=AT)


def test_a_blind_case_shows_reviewers_neither_the_answer_nor_what_tells_it(bank: Bank) -> None:
    telling = {"id": "all", "when": {"label": ["approve"]}, "queue": "unsure", "description": "All approved"}
    bank.apply({**QUEUE, "blind": True}, {**POLICY, "rules": [telling]})
    bank.capture([event("p-1")])
    anna = bank.person("anna")
    (held,) = bank.claim(anna)
    case = cases.show(bank.desk, held.task_id, actor=anna, roles=["reviewer"], at=AT)
    assert (case.answer.blind, case.weights, case.reasons[0].words) == (True, (), HIDDEN)
    lead = cases.show(bank.desk, held.task_id, actor=anna, roles=["lead"], at=AT)
    assert (lead.answer.value, lead.reasons[0].words) == ("approve", "All approved")
    bank.decide(anna, held)
    after = cases.show(bank.desk, held.task_id, actor=anna, roles=["reviewer"], at=AT)
    assert after.answer.value == "approve"


def test_the_story_tells_acts_notes_and_the_subjects_other_cases(bank: Bank) -> None:
    bank.apply(LEADS, {**QUEUE, "when_due": {"escalate": "leads"}})
    bank.capture([event("p-1", subject="same"), event("p-2", subject="same")])
    anna, lead = bank.person("anna"), bank.person("lead")
    first, second = bank.claim(anna, 2)
    decided = bank.decide(anna, first, "refuse")
    answers.undo(bank.desk, decided.decision_id, actor=anna, at=AT + SECOND)
    claims.escalate(bank.desk, second.task_id, second.token, "Looks odd", actor=anna, at=AT)
    (held,) = bank.claim(lead, queue="leads")
    case = cases.show(bank.desk, held.task_id, actor=lead, roles=["reviewer"], at=AT)
    told = [(one.words, one.by) for one in case.history]
    assert ("Escalated to the queue leads", "Anna") in told
    assert ("Same subject: loans said Approve, 60\N{NO-BREAK SPACE}% sure; pending", None) in told
    assert [(note.by, note.text) for note in case.notes] == [("Anna", "Looks odd")]
    other = cases.show(bank.desk, first.task_id, actor=lead, roles=["lead"], at=AT)
    assert "Answered: refuse, taken back later" in [one.words for one in other.history]
    assert "as the file says" in [note.text for note in other.notes]


def test_the_story_says_nothing_of_other_models_nor_what_is_blind_elsewhere(bank: Bank) -> None:
    bank.apply({**CONTRACT, "name": "cards"}, {**QUEUE, "blind": True})
    other = event("c-1", subject="same", model={"name": "cards", "version": "1.0"})
    bank.capture([event("p-1", subject="same"), event("p-2", subject="same"), other])
    anna = bank.person("anna")
    (held,) = bank.claim(anna)
    case = cases.show(bank.desk, held.task_id, actor=anna, roles=["reviewer"], at=AT)
    told = [one.words for one in case.history if one.words.startswith("Same subject")]
    assert told == ["Same subject: loans, pending"]


def test_a_second_reviewer_is_not_shown_what_the_first_answered(bank: Bank) -> None:
    bank.apply({**QUEUE, "reviewers": 2})
    bank.capture([event("p-1")])
    anna, bert = bank.person("anna"), bank.person("bert")
    (held,) = bank.claim(anna)
    bank.decide(anna, held, "refuse")
    (held,) = bank.claim(bert)
    case = cases.show(bank.desk, held.task_id, actor=bert, roles=["reviewer"], at=AT)
    assert not any("refuse" in one.words for one in case.history)
    assert case.notes == ()


def test_queues_tell_what_waits_and_what_one_holds_and_has_decided(bank: Bank) -> None:
    bank.apply({**QUEUE, "due_in_minutes": 30})
    bank.capture([event(f"p-{number}") for number in range(5)])
    anna, bert = bank.person("anna"), bank.person("bert")
    first, second = bank.claim(anna, 2)
    bank.decide(anna, first)
    bank.decide(bert, bank.claim(bert)[0])
    (queue,) = list_queues(bank.desk, Depths(), reviewer=bank.house.add_person("new"), at=AT)
    assert (queue.depth.pending, queue.depth.due_soon, queue.depth.overdue) == (3, 3, 0)
    assert (queue.depth.oldest_at, queue.mine) == (AT, (0, 0))
    decided = bank.rows(sa.select(t.decision.c.reviewer_id).where(t.decision.c.task_id == first.task_id))
    (mine,) = list_queues(bank.desk, Depths(), reviewer=decided[0].reviewer_id, at=AT)
    assert mine.mine == (1, 1)
    assert second.task_id
