from typing import Any

import pytest

from reviewsvc.domain.document import DocumentError
from reviewsvc.domain.events import Event
from reviewsvc.domain.policy import read_policy
from reviewsvc.domain.policy_compile import compile_policy
from reviewsvc.domain.routing import Route
from tests.unit.contract_samples import GOOD_INPUT, compiled, event
from tests.unit.routing_samples import QUEUES, made, never, out, route, scored

pytestmark = pytest.mark.unit


def holds(when: dict[str, Any], sent: Event) -> bool:
    return route(made({"when": when}), sent).queue is not None


@pytest.mark.parametrize(
    ("expected", "when", "sent"),
    [
        (True, {"confidence": {"below": 0.9}}, out(confidence=0.89)),
        (False, {"confidence": {"below": 0.9}}, out(confidence=0.9)),
        (True, {"confidence": {"at_most": 0.9}}, out(confidence=0.9)),
        (True, {"confidence": {"above": 0.5, "below": 0.6}}, out(confidence=0.55)),
        (False, {"confidence": {"above": 0.5, "below": 0.6}}, out(confidence=0.5)),
        (True, {"confidence": {"below": 0.1}}, out(confidence=None)),
        (True, {"confidence": {"below": 0.1}}, out(confidence=1.7)),
        (False, {"confidence": {"above": 0.1}}, out(confidence=None)),
        (True, {"confidence": {"below": {"approve": 0.95, "refuse": 0.6}}}, out("approve", 0.9)),
        (False, {"confidence": {"below": {"approve": 0.95, "refuse": 0.6}}}, out("refuse", 0.9)),
        (False, {"confidence": {"below": {"refuse": 0.6}}}, out("approve", 0.1)),
        (True, {"confidence": {"below": {"refuse": 0.6}}}, out("unheard of", 0.9)),
        (True, {"margin": {"below": 0.2}}, scored(0.55, 0.45)),
        (False, {"margin": {"below": 0.2}}, scored(0.9, 0.1)),
        (True, {"margin": {"below": 0.2}}, out()),
        (True, {"entropy": {"above": 0.9}}, scored(0.5, 0.5)),
        (False, {"entropy": {"above": 0.9}}, scored(0.99, 0.01)),
        (True, {"entropy": {"above": 0.9}}, out()),
        (True, {"label": "refuse"}, out("refuse")),
        (False, {"label": {"not": ["refuse", "approve"]}}, out("refuse")),
        (True, {"label": {"not": ["refuse", "approve"]}}, out("unheard of")),
        (True, {"segment": ["a", "b"]}, {"segment": "b"}),
        (False, {"segment": "a"}, {}),
        (True, {"segment": {"not": "a"}}, {}),
        (True, {"version": {"not": "2"}}, {}),
        (False, {"version": "2"}, {}),
        (True, {"risk_tier": ["limited", "high"]}, {}),
        (False, {"risk_tier": "low"}, {}),
        (True, {"violation": True}, {"segment": "z"}),
        (False, {"violation": True}, {}),
        (True, {"violation": False}, {}),
        (True, {"violation": ["segment"]}, {"segment": "z"}),
        (False, {"violation": ["input.income"]}, {"segment": "z"}),
        (True, {"failed": True}, {"status": "error"}),
        (False, {"failed": True}, {}),
        (True, {"confidence": {"below": 0.95}, "label": "approve"}, {}),
        (False, {"confidence": {"below": 0.95}, "label": "refuse"}, {}),
    ],
)
def test_a_condition_holds_where_it_should(expected: bool, when: Any, sent: Any) -> None:  # noqa: FBT001 - a table
    assert holds(when, event(**sent)) is expected


@pytest.mark.parametrize(
    ("expected", "when", "change"),
    [
        (True, {"income": {"above": 4000}}, {}),
        (False, {"income": {"above": 4000}}, {"income": None}),
        (False, {"income": {"above": 4000}}, {"income": "much"}),
        (True, {"income": {"above": 4000}}, {"income": 1e9}),
        (True, {"dependents": [1, 2]}, {}),
        (False, {"dependents": {"not": [1, 2]}}, {"dependents": None}),
        (True, {"dependents": {"not": [1, 2]}}, {"dependents": 3}),
        (True, {"property type": "other"}, {}),
        (True, {"property type": [1]}, {"property type": 1}),
        (False, {"property type": [1]}, {"property type": True}),
        (True, {"self employed": True}, {"self employed": True}),
        (False, {"self employed": True}, {}),
        (True, {"remarks": {"missing": True}}, {}),
        (True, {"remarks": {"missing": True}}, {"remarks": None}),
        (False, {"remarks": {"missing": False}}, {}),
        (False, {"remarks": {"missing": True}}, {"remarks": ""}),
    ],
)
def test_a_condition_on_an_input_holds_where_it_should(expected: bool, when: Any, change: Any) -> None:  # noqa: FBT001 - a table
    assert holds({"input": when}, event({**GOOD_INPUT, **change})) is expected


def test_a_number_that_a_model_answers_is_a_condition() -> None:
    prices = compiled(output={"type": "number"})
    policy = read_policy(
        {"name": "m", "rules": [{"id": "r", "queue": "desk", "when": {"value": {"at_least": 10}}}]}
    )
    ready = compile_policy(policy, prices, QUEUES)
    for output, rule in (({"value": 10}, "r"), ({"value": 9.9}, None), ({}, None)):
        sent = event(output=output)
        assert ready.route(sent, prices.check(sent), never).rule == rule


def test_all_that_match_are_reasons_and_the_first_decides() -> None:
    policy = made({"when": {"label": "refuse"}}, {"queue": "leads"}, {"priority": 7})
    found = route(policy, event())
    assert (found.queue, found.rule, found.reasons) == ("leads", "r1", ("r1", "r2"))
    assert (found.priority, found.due_s, found.reviewers, found.blind) == (80, 1800, 2, True)
    assert found.designs == (("r1", 1.0), ("r2", 1.0))


def test_a_rule_overrides_its_queue() -> None:
    found = route(
        made({"queue": "leads", "priority": 0, "due_in_minutes": 5, "reviewers": 1, "blind": False}), event()
    )
    assert (found.priority, found.due_s, found.reviewers, found.blind) == (0, 300, 1, False)


def test_probability_is_known_for_what_was_not_selected_too() -> None:
    policy = made({"share": 0.1}, {"share": 0.2, "when": {"label": "approve"}}, {"when": {"label": "refuse"}})
    found = route(policy, event())
    assert (found.queue, found.rule, found.reasons) == (None, None, ())
    assert found.designs == (("r0", 0.1), ("r1", 0.2))
    assert found.selection_probability == pytest.approx(0.28)
    assert route(policy, event(**out("refuse"))).selection_probability == 1.0


def test_nothing_that_matches_means_probability_zero() -> None:
    assert route(made({"when": {"label": "refuse"}}), event()) == Route()


def test_the_draw_is_asked_with_rule_source_and_prediction() -> None:
    asked = []

    def draw(*what: str) -> float:
        asked.append(what)
        return 0.0

    policy = made({}, {"share": 0.5}, {"share": 0.5, "when": {"label": "refuse"}})
    assert route(policy, event(), draw).reasons == ("r0", "r1")
    assert asked == [("r1", "topic", "p-1")]


def test_fail_safe_sends_everything_to_people() -> None:
    found = route(made({"when": {"label": "refuse"}}, fail_safe="leads"), event())
    assert (found.queue, found.rule, found.selection_probability) == ("leads", "fail-safe", 1.0)


def test_a_policy_that_does_not_fit_is_refused() -> None:
    with pytest.raises(DocumentError, match="a queue that exists"):
        made({"queue": "nowhere"})
