import random
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc.domain.policy_predicates import entropy, margin
from reviewsvc.domain.routing import Route, selection_probability
from tests.unit.contract_samples import GOOD_INPUT, event
from tests.unit.routing_samples import LOANS, made, out, route

pytestmark = pytest.mark.unit

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
