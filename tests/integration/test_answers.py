from datetime import timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from reviewsvc.db import tables as t
from reviewsvc.domain import facts as f
from reviewsvc.domain import review
from reviewsvc.domain.agreement import AnswerError
from reviewsvc.domain.case_secrets import read_secrets
from reviewsvc.domain.entries import parse
from reviewsvc.domain.labels import label_record, read_label_entry
from reviewsvc.usecases import answers
from reviewsvc.usecases.answers import Sent
from reviewsvc.usecases.dossiers import ErasedError
from tests.fixtures.cases import CONTRACT, QUEUE, SECOND, Bank, event, forget_subjects
from tests.fixtures.installed import AT

pytestmark = pytest.mark.real


def labels(bank: Bank) -> list[dict[str, Any]]:
    query = sa.select(t.entry, t.log.c.name).join(t.log, t.log.c.log_id == t.entry.c.log_id)
    found = []
    for row in bank.rows(query.where(t.log.c.kind == "labels", t.entry.c.seq > 0).order_by(t.entry.c.seq)):
        entry = read_label_entry(row.body)
        with bank.house.sessions.begin() as session:
            opened = read_secrets(bank.house.keyring.open_payload(session, parse(row.body), row.log_id))
        record = label_record(row.name, entry, opened)
        found.append(msgspec.to_builtins(record))
    return found


def in_force(bank: Bank) -> int:
    return len(bank.rows(sa.select(t.label_current)))


def entries(bank: Bank, kind: str) -> list[Any]:
    query = sa.select(t.entry.c.body).join(t.log, t.log.c.log_id == t.entry.c.log_id)
    read = [parse(row.body) for row in bank.rows(query.where(t.log.c.kind == "activity"))]
    return [msgspec.json.decode(one.facts, type=f.KINDS[kind]) for one in read if one.kind == kind]


def test_a_decision_ends_the_task_and_makes_a_label_with_every_field(bank: Bank) -> None:
    bank.capture([event("p-1")])
    anna = bank.person("anna")
    (held,) = bank.claim(anna)
    decided = bank.decide(anna, held, "refuse", at=AT + SECOND)
    assert (decided.agreed, decided.status) == (False, review.Status.DECIDED)
    assert decided.undo_until == AT + SECOND + timedelta(minutes=10)
    task = bank.task(held.task_id)
    assert (task.status, task.answer_label, task.closed_at) == ("decided", "refuse", AT + SECOND)
    assert labels(bank) == [
        {
            "label_id": "0.1",
            "seq": 1,
            "op": "add",
            "model": "loans",
            "version": "1.0",
            "source": "reviewsvc.predictions.v1",
            "prediction_id": "p-1",
            "predicted_at": "2026-11-21T08:59:00.000000Z",
            "labelled_at": "2026-11-21T09:00:31.000000Z",
            "value": "refuse",
            "model_value": "approve",
            "confidence": 0.6,
            "agreed": False,
            "kind": "review",
            "reviewer": anna.id,
            "contract_version": 1,
            "policy_version": 1,
            "rule": "unsure",
            "selection_probability": 1.0,
            "weight": 1.0,
            "supersedes": None,
            "entry_log": "labels/loans/0",
            "entry_seq": 1,
        }
    ]
    (said,) = entries(bank, "decision")
    assert said.final == f.Final("decided", "refuse", model_label="approve")
    assert in_force(bank) == 1


def test_notes_and_producers_ids_are_in_no_entry(bank: Bank) -> None:
    bank.capture([event("p-secret")])
    anna = bank.person("anna")
    (held,) = bank.claim(anna)
    bank.decide(anna, held)
    bodies = b"".join(row.body for row in bank.rows(sa.select(t.entry.c.body)))
    for secret in (b"p-secret", b"as the file says", b"subject of"):
        assert secret not in bodies


def test_the_same_answer_sent_again_is_answered_as_the_first_time_and_counts_once(bank: Bank) -> None:
    bank.capture([event("p-1")])
    anna = bank.person("anna")
    (held,) = bank.claim(anna)
    first = bank.decide(anna, held)
    assert bank.decide(anna, held, number=1).decision_id == first.decision_id
    assert len(bank.rows(sa.select(t.decision))) == 1
    with pytest.raises(review.StaleClaimError, match="take that answer back first"):
        bank.decide(anna, held, "refuse")


def test_an_answer_that_the_contract_does_not_know_is_refused(bank: Bank) -> None:
    bank.capture([event("p-1")])
    anna = bank.person("anna")
    (held,) = bank.claim(anna)
    for value in ("maybe", 1, None, True):
        with pytest.raises(AnswerError, match="expected one of refuse, approve"):
            bank.decide(anna, held, value)


def test_undo_brings_the_task_back_into_the_same_hands_and_withdraws_the_label(bank: Bank) -> None:
    bank.capture([event("p-1")])
    anna, bert = bank.person("anna"), bank.person("bert")
    (held,) = bank.claim(anna)
    decided = bank.decide(anna, held)
    undone = answers.undo(bank.desk, decided.decision_id, actor=anna, at=AT + SECOND)
    assert (undone.status, bank.task(held.task_id).answer_label) == (review.Status.PENDING, None)
    assert undone.held
    assert undone.held.token == held.token + 1
    assert bank.claim(bert) == []
    assert [(one["op"], one["value"], one["supersedes"]) for one in labels(bank)] == [
        ("add", "approve", None),
        ("withdraw", None, "0.1"),
    ]
    (said,) = entries(bank, "retraction")
    assert said.final.status == "pending"
    assert in_force(bank) == 0
    bank.decide(anna, undone.held, "refuse", number=1)
    assert labels(bank)[2]["value"] == "refuse"
    assert in_force(bank) == 1


def test_undo_without_holding_gives_the_task_to_others(bank: Bank) -> None:
    bank.capture([event("p-1")])
    anna, bert = bank.person("anna"), bank.person("bert")
    (held,) = bank.claim(anna)
    decided = bank.decide(anna, held)
    assert answers.undo(bank.desk, decided.decision_id, actor=anna, at=AT, hold=False).held is None
    assert [one.task_id for one in bank.claim(bert)] == [held.task_id]


def test_undo_is_refused_to_others_twice_and_late(bank: Bank) -> None:
    bank.apply({**QUEUE, "undo_minutes": 1})
    bank.capture([event("p-1")])
    anna, bert = bank.person("anna"), bank.person("bert")
    (held,) = bank.claim(anna)
    decided = bank.decide(anna, held)
    for person, at in ((bert, AT), (anna, AT + timedelta(minutes=1, seconds=1))):
        with pytest.raises(review.UndoError):
            answers.undo(bank.desk, decided.decision_id, actor=person, at=at)
    answers.undo(bank.desk, decided.decision_id, actor=anna, at=AT)
    with pytest.raises(review.UndoError):
        answers.undo(bank.desk, decided.decision_id, actor=anna, at=AT)


def test_two_who_agree_make_one_label(bank: Bank) -> None:
    bank.apply({**QUEUE, "reviewers": 2})
    bank.capture([event("p-1")])
    for login in ("anna", "bert"):
        person = bank.person(login)
        (held,) = bank.claim(person)
        bank.decide(person, held)
    assert [one["value"] for one in labels(bank)] == ["approve"]
    assert [said.final is not None for said in entries(bank, "decision")] == [False, True]


def test_a_disagreement_brings_one_more_and_a_lead_ends_it(bank: Bank) -> None:
    bank.apply({**CONTRACT, "output": {"type": "number", "min": 0, "max": 9}}, {**QUEUE, "reviewers": 2})
    bank.capture([event("p-1", output={"value": 4, "confidence": 0.5})])
    people = [bank.person(login) for login in ("anna", "bert", "carl")]
    for value, person in enumerate(people):
        (held,) = bank.claim(person)
        bank.decide(person, held, str(value))
    assert bank.task(held.task_id).status == "disputed"
    assert labels(bank) == []
    lead = bank.person("lead", "lead")
    sent = Sent(held.task_id, 0, 4, "settled")
    with pytest.raises(review.AdjudicationError):
        answers.adjudicate(bank.desk, held.task_id, sent, actor=people[0], at=AT)
    ruled = answers.adjudicate(bank.desk, held.task_id, sent, actor=lead, at=AT)
    assert (ruled.agreed, ruled.undo_until) == (True, None)
    assert [(one["kind"], one["value"], one["agreed"]) for one in labels(bank)] == [
        ("adjudication", 4.0, True)
    ]


def test_a_text_is_answered_by_a_text_that_no_entry_shows(bank: Bank) -> None:
    bank.apply({**CONTRACT, "output": {"type": "text"}}, {**QUEUE, "reviewers": 2})
    bank.capture([event("p-1", output={"text": "good", "confidence": 0.5})])
    for login in ("anna", "bert"):
        person = bank.person(login)
        (held,) = bank.claim(person)
        decided = bank.decide(person, held, "bad and ugly")
    assert (decided.status, decided.agreed) == (review.Status.DECIDED, False)
    (label,) = labels(bank)
    assert (label["value"], label["model_value"]) == ("bad and ugly", "good")
    assert all(b"ugly" not in row.body for row in bank.rows(sa.select(t.entry.c.body)))


def test_agreeing_with_a_text_is_agreeing_though_a_form_sends_other_ends_of_lines(bank: Bank) -> None:
    bank.apply({**CONTRACT, "output": {"type": "text"}})
    said = "Dear customer,\n" + "we are sorry.\n" * 4_000
    bank.capture([event("p-1", output={"text": said, "confidence": 0.5})])
    anna = bank.person("anna")
    (held,) = bank.claim(anna)
    assert bank.decide(anna, held, said.replace("\n", "\r\n")).agreed
    (label,) = labels(bank)
    assert (label["agreed"], label["value"], label["model_value"]) == (True, said.strip(), said)


@pytest.mark.parametrize(
    ("shape", "answer"), [(CONTRACT["output"], "approve"), ({"type": "text"}, "fine")], ids=["class", "text"]
)
def test_what_else_a_model_sends_is_no_part_of_its_answer(bank: Bank, shape: Any, answer: str) -> None:
    bank.apply({**CONTRACT, "output": shape})
    bank.capture([event("p-1", output={"label": "approve", "value": 0.6, "text": "fine", "confidence": 0.6})])
    anna = bank.person("anna")
    (held,) = bank.claim(anna)
    assert bank.decide(anna, held, answer).agreed
    (label,) = labels(bank)
    assert (label["agreed"], label["value"], label["model_value"]) == (True, answer, answer)


def test_a_case_whose_subject_was_erased_takes_no_answer(bank: Bank, owner_url: str) -> None:
    bank.capture([event("p-1")])
    anna = bank.person("anna")
    (held,) = bank.claim(anna)
    forget_subjects(owner_url)
    with pytest.raises(ErasedError, match="has been erased"):
        bank.decide(anna, held)
