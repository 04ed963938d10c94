import random
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc.domain.document import DocumentError
from reviewsvc.domain.events import Event
from reviewsvc.domain.policy import read_policy
from reviewsvc.domain.policy_compile import CompiledPolicy, compile_policy
from reviewsvc.domain.policy_predicates import entropy, margin
from reviewsvc.domain.queue import read_queue
from reviewsvc.domain.routing import Route, selection_probability
from tests.unit.contract_samples import GOOD_INPUT, compiled, event

pytestmark = pytest.mark.unit

LOANS = compiled()
QUEUES = {
    "desk": read_queue({"name": "desk"}),
    "leads": read_queue(
        {"name": "leads", "priority": 80, "due_in_minutes": 30, "reviewers": 2, "blind": True}
    ),
}


def made(*rules: dict[str, Any], **changes: Any) -> CompiledPolicy:
    named = [{"id": f"r{place}", "queue": "desk", **rule} for place, rule in enumerate(rules)]
    return compile_policy(read_policy({"name": "loans", "rules": named}), LOANS, QUEUES, **changes)


def never(_rule: str, _source: str, _prediction_id: str) -> float:
    return 0.999999


def route(policy: CompiledPolicy, sent: Event, draw: Any = never) -> Route:
    return policy.route(sent, LOANS.check(sent), draw)


def holds(when: dict[str, Any], sent: Event) -> bool:
    return route(made({"when": when}), sent).queue is not None


def out(label: Any = "approve", confidence: Any = 0.9, **more: Any) -> dict[str, Any]:
    return {"output": {"label": label, "confidence": confidence, **more}}


def scored(first: float, second: float) -> dict[str, Any]:
    return out(scores={"approve": first, "refuse": second})


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


shares = st.lists(st.floats(0, 1), max_size=6)


@given(shares)
def test_probability_equals_the_sum_over_all_outcomes(given_shares: list[float]) -> None:
    total = 0.0
    for taken in product((True, False), repeat=len(given_shares)):
        chance = 1.0
        for share, was_taken in zip(given_shares, taken, strict=True):
            chance *= share if was_taken else 1.0 - share
        total += chance if any(taken) else 0.0
    assert selection_probability(given_shares) == pytest.approx(total, abs=1e-12)


@given(shares, st.floats(0, 1))
def test_another_rule_never_lowers_the_probability(given_shares: list[float], more: float) -> None:
    before = selection_probability(given_shares)
    assert before - 1e-15 <= selection_probability([*given_shares, more]) <= 1.0
    assert selection_probability([*given_shares, 1.0]) == 1.0
    assert selection_probability([more]) == more


def test_the_share_of_selected_cases_is_the_probability() -> None:
    policy = made(
        {"share": 0.3},
        {"share": 0.2, "when": {"label": "approve"}},
        {"share": 0.9, "when": {"label": "refuse"}},
    )
    sent = event()
    checked = LOANS.check(sent)
    numbers = random.Random(7)  # noqa: S311 - a simulation
    routes = [policy.route(sent, checked, lambda *_: numbers.random()) for _ in range(20_000)]
    probability = routes[0].selection_probability
    assert probability == pytest.approx(0.44)
    selected = sum(route.queue is not None for route in routes) / len(routes)
    assert abs(selected - probability) < 4 * (probability * (1 - probability) / len(routes)) ** 0.5


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_less_certain_case_is_never_spared_what_a_surer_one_gets(
    one: float, other: float, threshold: float
) -> None:
    policy = made(
        {"when": {"confidence": {"below": threshold}}},
        {"share": 0.5, "when": {"confidence": {"at_most": 0.5}}},
    )
    sure, unsure = (
        route(policy, event(**out(confidence=value))) for value in (max(one, other), min(one, other))
    )
    assert set(sure.designs) <= set(unsure.designs)
    assert sure.selection_probability <= unsure.selection_probability


@given(
    st.lists(st.fixed_dictionaries({"share": st.floats(0, 1)}), min_size=1, max_size=5), st.floats(0, 0.999)
)
def test_the_same_draws_give_the_same_route_and_larger_shares_take_no_fewer(
    rules: list[Any], drawn: float
) -> None:
    first = route(made(*rules), event(), lambda *_: drawn)
    assert first == route(made(*rules), event(), lambda *_: drawn)
    larger = route(
        made(*({"share": min(1.0, rule["share"] * 1.5)} for rule in rules)), event(), lambda *_: drawn
    )
    assert set(first.reasons) <= set(larger.reasons)


@given(st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1), max_size=6))
def test_margin_and_entropy_stay_between_0_and_1(scores: dict[str, float]) -> None:
    assert 0.0 <= margin(scores) <= 1.0
    assert -1e-9 <= entropy(scores, 6) <= 1.0


@given(
    st.dictionaries(
        st.sampled_from(["approve", "refuse", "x"]), st.floats(allow_nan=False, allow_infinity=False)
    ),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.dictionaries(
        st.sampled_from(list(GOOD_INPUT)), st.none() | st.booleans() | st.integers() | st.text("ab")
    ),
)
def test_whatever_was_sent_gets_a_route(scores: Any, confidence: Any, change: Any) -> None:
    policy = made(
        {"when": {"margin": {"below": 0.5}, "entropy": {"above": 0.1}, "confidence": {"above": 0.2}}},
        {"when": {"input": {"income": {"above": 1}, "dependents": [1], "property type": {"not": [1]}}}},
        {"when": {"confidence": {"below": {"approve": 0.5}}, "violation": True}},
    )
    sent = event({**GOOD_INPUT, **change}, **out(confidence=confidence, scores=scores))
    assert isinstance(route(policy, sent), Route)


def test_entropy_is_1_for_evenly_spread_scores_and_0_for_a_sure_one() -> None:
    assert entropy(dict.fromkeys("abc", 0.2), 3) == pytest.approx(1.0)
    assert entropy({"a": 1.0, "b": 0.0, "c": 0.0}, 3) == 0.0
    assert (entropy(None, 3), entropy({}, 3), margin(None)) == (1.0, 1.0, 0.0)
