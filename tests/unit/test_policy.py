from typing import Any

import pytest

from reviewsvc.domain.document import DocumentError, DocumentFault
from reviewsvc.domain.policy import Policy, read_policy
from reviewsvc.domain.policy_fit import misfits
from reviewsvc.domain.queue import WhenDue, read_queue
from tests.unit.contract_samples import contract

pytestmark = pytest.mark.unit


def policy(*rules: Any, **changes: Any) -> Policy:
    return read_policy({"name": "loans", "rules": list(rules), **changes})


def rule(when: Any = None, **changes: Any) -> dict[str, Any]:
    return {"id": "r", "queue": "desk", **({} if when is None else {"when": when}), **changes}


def first_fault(data: Any) -> str:
    with pytest.raises(DocumentError) as raised:
        read_policy(data)
    return raised.value.faults[0].text


def check_fault(path: str, expected: str, got: str, faulty: dict[str, Any]) -> None:
    fault = first_fault({"name": "loans", "rules": [faulty]})
    assert fault.startswith(f"{path}: expected ")
    assert expected in fault
    assert fault.endswith(f", got {got}")


def first_misfit(when: Any, **changes: Any) -> DocumentFault:
    return misfits(policy(rule(when)), contract(**changes), {"desk"})[0]


def test_a_rule_is_read_with_what_it_leaves_to_its_queue() -> None:
    (found,) = policy(rule(share=0.25, priority=90)).rules
    assert (found.id, found.queue, found.when, found.share, found.priority) == ("r", "desk", (), 0.25, 90)
    assert (found.due_in_minutes, found.reviewers, found.blind) == (None, None, None)


@pytest.mark.parametrize(
    ("path", "expected", "got", "changes"),
    [
        ("id", "a name", '"a b"', {"id": "a b"}),
        ("id", "another id", '"fail-safe"', {"id": "fail-safe"}),
        ("queue", "a name", "nothing", {"queue": None}),
        ("share", "a number from 0 to 1", "1.5", {"share": 1.5}),
        ("reviewers", "a whole number from 1 to 9", "0", {"reviewers": 0}),
        ("due_in_minutes", "a whole number from 1", "0", {"due_in_minutes": 0}),
        ("blind", "true or false", '"no"', {"blind": "no"}),
        ("when", "fields with values", '"always"', {"when": "always"}),
        ("queu", '(did you mean "queue"?)', '"queu"', {"queu": 1}),
    ],
)
def test_a_faulty_rule_names_its_path(path: str, expected: str, got: str, changes: dict[str, Any]) -> None:
    check_fault(f"rules[0].{path}", expected, got, rule(**changes))


@pytest.mark.parametrize(
    ("path", "expected", "got", "when"),
    [
        ("confidnce", '(did you mean "confidence"?)', '"confidnce"', {"confidnce": 1}),
        ("confidence", "fields with values", "0.8", {"confidence": 0.8}),
        ("confidence", "one of below, at_most", "{}", {"confidence": {}}),
        ("confidence.below", "a number from 0 to 1", '"high"', {"confidence": {"below": "high"}}),
        ("confidence.below.a", "a number from 0", "2", {"confidence": {"below": {"a": 2}}}),
        ("margin.above", "a number from 0 to 1", "3", {"margin": {"above": 3}}),
        ("label", "at least one value", "[]", {"label": []}),
        ("label[1]", "a text", "1.5", {"label": ["a", 1.5]}),
        ("label.nto", '(did you mean "not"?)', '"nto"', {"label": {"not": "a", "nto": "b"}}),
        (
            "input.income.blow",
            '(did you mean "below"?)',
            '"blow"',
            {"input": {"income": {"below": 1, "blow": 2}}},
        ),
        ("input.income.missing", "true or false", "1", {"input": {"income": {"missing": 1}}}),
        ("failed", "true or false", '"yes"', {"failed": "yes"}),
        ("version", "a text (numbers", "7", {"version": 7}),
        ("input.income.not", "a text, a whole number", "1.5", {"input": {"income": {"not": 1.5}}}),
    ],
)
def test_a_faulty_condition_names_its_path(path: str, expected: str, got: str, when: dict[str, Any]) -> None:
    check_fault(f"rules[0].when.{path}", expected, got, rule(when))


def test_rule_ids_must_differ() -> None:
    assert (
        first_fault({"name": "m", "rules": [rule(), rule()]})
        == 'rules[1].id: expected ids that differ, got "r"'
    )


@pytest.mark.parametrize(
    ("path", "got", "when"),
    [
        ("label", '"aprove"', {"label": "aprove"}),
        ("confidence", '"maybe"', {"confidence": {"below": {"maybe": 0.5}}}),
        ("segment", '"z"', {"segment": ["a", "z"]}),
        ("version", '"7"', {"version": {"not": "7"}}),
        ("risk_tier", '"huge"', {"risk_tier": "huge"}),
        ("violation", '"input.salary"', {"violation": ["input.income", "input.salary"]}),
        ("value", '"value"', {"value": {"above": 1}}),
        ("input.salary", '"salary"', {"input": {"salary": {"below": 1}}}),
        ("input.income", '"low"', {"input": {"income": "low"}}),
        ("input.remarks", "bounds", {"input": {"remarks": {"below": 1}}}),
        ("input.property type", '"castle"', {"input": {"property type": ["other", "castle"]}}),
        ("input.self employed", '"yes"', {"input": {"self employed": "yes"}}),
        ("input.dependents", "true", {"input": {"dependents": True}}),
    ],
)
def test_what_the_contract_does_not_know_is_a_misfit(path: str, got: str, when: Any) -> None:
    fault = first_misfit(when)
    assert fault.text.startswith(f"rules[0].when.{path}: expected ")
    assert fault.got == got


def test_a_misfit_suggests_what_was_probably_meant() -> None:
    assert 'one of refuse, approve) (did you mean "approve"?)' in first_misfit({"label": "aprove"}).text
    assert "(it lists none)" in first_misfit({"segment": "a"}, segments=...).text
    number = {"type": "number"}
    assert "the model answers with a number" in first_misfit({"margin": {"below": 0.1}}, output=number).text


def test_a_queue_that_does_not_exist_is_a_misfit() -> None:
    (fault,) = misfits(policy(rule()), contract(), {"desk-1"})
    assert (
        fault.text
        == 'rules[0].queue: expected a queue that exists (desk-1) (did you mean "desk-1"?), got "desk"'
    )


def test_every_kind_of_condition_fits() -> None:
    when = {
        "confidence": {"below": {"approve": 0.9, "refuse": 0.7}, "at_least": {"approve": 0.1}},
        "margin": {"below": 0.2},
        "entropy": {"above": 0.5},
        "label": {"not": ["refuse"]},
        "segment": "a",
        "version": ["1", "2"],
        "risk_tier": ["limited", "high"],
        "violation": ["output.label", "input.income"],
        "failed": False,
        "input": {"income": {"above": 1e5}, "property type": [1, "other"], "remarks": {"missing": False}},
    }
    found = policy(rule(when))
    assert misfits(found, contract(), {"desk"}) == []
    assert len(found.rules[0].when) == 12


def test_a_queue_is_read_with_its_defaults() -> None:
    queue = read_queue({"kind": "queue", "name": "desk"})
    assert (queue.title, queue.when_due, queue.reviewers, queue.blind) == ("desk", WhenDue.WAIT, 1, False)
    assert (queue.priority, queue.sees_model_answer, queue.lease_minutes) == (50, ("reviewer", "lead"), None)


def test_a_blind_queue_hides_the_answer_from_reviewers() -> None:
    assert read_queue({"name": "q", "blind": True}).sees_model_answer == ("lead",)
    with pytest.raises(DocumentError, match="no reviewer, since the queue is blind"):
        read_queue({"name": "q", "blind": True, "sees_model_answer": ["reviewer"]})


def test_a_queue_says_what_happens_when_the_due_time_passes() -> None:
    queue = read_queue({"name": "q", "when_due": {"escalate": "leads"}})
    assert (queue.when_due, queue.escalate_to) == (WhenDue.ESCALATE, "leads")
    assert read_queue({"name": "q", "when_due": "defaulted"}).when_due is WhenDue.DEFAULTED


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("when_due", {"when_due": "later"}),
        ("when_due", {"when_due": "escalate"}),
        ("when_due.escalate", {"when_due": {"escalate": "q"}}),
        ("when_due.escalate", {"when_due": {"to": "x"}}),
        ("sees_model_answer[0]", {"sees_model_answer": ["everybody"]}),
        ("lease_minutes", {"lease_minutes": 0}),
        ("skils", {"skils": ["a"]}),
    ],
)
def test_a_faulty_queue_names_the_path(path: str, changes: dict[str, Any]) -> None:
    with pytest.raises(DocumentError) as raised:
        read_queue({"name": "q", **changes})
    assert raised.value.faults[0].text.startswith(f"{path}: expected ")
