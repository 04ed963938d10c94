import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import UNSET

from reviewsvc.domain.contract_faults import place_name
from tests.unit.contract_samples import GOOD_INPUT, compiled, contract, event

pytestmark = pytest.mark.unit

LOANS = compiled()


def codes(value: Any = None, **changes: Any) -> list[tuple[str, str]]:
    violations = LOANS.check(event(value, **changes)).violations
    assert violations.count == len(violations.faults)
    return [(place_name(LOANS.contract, field), code) for field, code in violations.facts]


def test_a_prediction_that_keeps_its_contract_has_values_and_codes() -> None:
    checked = LOANS.check(event(segment="b"))
    assert (checked.label, checked.segment, checked.version, checked.confidence) == (1, 1, 0, 0.9)
    assert not checked.violations
    assert (checked.values.f0, checked.values.f2, checked.values.f3) == (4200.5, "other", UNSET)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"income": "much"}, ("input.income", "wrong_type")),
        ({"income": True}, ("input.income", "wrong_type")),
        ({"income": None}, ("input.income", "null")),
        ({"income": -0.01}, ("input.income", "below_min")),
        ({"income": 10**400}, ("input.income", "not_finite")),
        ({"dependents": 1.0}, ("input.dependents", "wrong_type")),
        ({"dependents": 2**63}, ("input.dependents", "above_max")),
        ({"property type": 3}, ("input.property type", "unknown_value")),
        ({"property type": "1"}, ("input.property type", "unknown_value")),
        ({"property type": True}, ("input.property type", "wrong_type")),
        ({"self employed": 1}, ("input.self employed", "wrong_type")),
        ({"remarks": "x" * 21}, ("input.remarks", "too_long")),
    ],
)
def test_a_violating_input_names_field_and_kind(change: dict[str, Any], fault: tuple[str, str]) -> None:
    assert codes({**GOOD_INPUT, **change}) == [fault]


@pytest.mark.parametrize(
    "change", [{"dependents": None}, {"history": [1, {}]}, {"remarks": "é" * 20}, {"extra": 1e300}]
)
def test_allowed_nulls_absences_and_other_fields_are_no_violation(change: dict[str, Any]) -> None:
    assert codes({**GOOD_INPUT, **change}) == []


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        ({"confidence": 0.9}, ("output.label", "missing")),
        ({"label": "maybe", "confidence": 0.9}, ("output.label", "unknown_value")),
        ({"label": "approve"}, ("output.confidence", "missing")),
        ({"label": "approve", "confidence": 1.01}, ("output.confidence", "above_max")),
        ({"label": "approve", "confidence": 0.5, "scores": {"no": 0.5}}, ("output.scores", "unknown_value")),
        ({"label": "approve", "confidence": 0.5, "scores": {"refuse": -1}}, ("output.scores", "below_min")),
    ],
)
def test_a_violating_output_names_place_and_kind(output: dict[str, Any], fault: tuple[str, str]) -> None:
    assert codes(output=output) == [fault]


def test_unknown_segment_and_version_are_violations_without_a_code() -> None:
    checked = LOANS.check(event(segment="z", model={"name": "loans", "version": "9"}))
    assert (checked.segment, checked.version) == (None, None)
    assert checked.violations.facts == [(-6, "unknown_value"), (-7, "unknown_value")]


def test_confidence_is_taken_from_the_scores_if_it_was_not_sent() -> None:
    checked = LOANS.check(event(output={"label": "approve", "scores": {"approve": 0.7, "refuse": 0.3}}))
    assert (checked.confidence, checked.violations.count) == (0.7, 0)
    assert LOANS.check(event(output={"label": "approve", "confidence": 7})).confidence is None


def test_numbers_are_held_to_their_range_and_texts_must_be_there() -> None:
    number = compiled(output={"type": "number", "min": 0, "max": 10})
    assert [number.check(event(output={"value": value})).violations.count for value in (0, 10, 10.5, -1)] == [
        0,
        0,
        1,
        1,
    ]
    assert number.check(event(output={"label": "x"})).violations.facts == [(-2, "missing")]
    text = compiled(output={"type": "text"})
    assert [
        text.check(event(output=output)).violations.count for output in ({"text": ""}, {"label": "x"})
    ] == [0, 1]


def test_scores_may_be_required() -> None:
    strict = compiled(output={"type": "class", "classes": ["a"], "scores": "required"})
    assert strict.check(event(output={"label": "a", "confidence": 1})).violations.facts == [(-5, "missing")]
    assert not strict.check(event(output={"label": "a", "scores": {"a": 1}})).violations


def test_other_fields_may_be_refused() -> None:
    strict = compiled(other_fields="refused")
    checked = strict.check(event({**GOOD_INPUT, "surprise": 1}))
    assert (checked.violations.facts, checked.values.f0) == ([(-8, "unknown_field")], 4200.5)


@pytest.mark.parametrize("sent", [[], "text", 7])
def test_an_input_that_is_no_object_is_one_violation(sent: Any) -> None:
    assert codes(sent) == [("input", "not_an_object")]


def test_a_null_input_is_a_violation_unless_it_stays_elsewhere() -> None:
    assert LOANS.check(event(input=None)).violations.facts == [(-8, "not_an_object")]
    elsewhere = event(input=None, input_ref="s3://b/k", input_sha256="0" * 64)
    assert LOANS.check(elsewhere).violations.count == 0


def test_a_failed_prediction_owes_no_output() -> None:
    assert codes(output={}, status="error") == []


def test_at_most_16_faults_are_listed_and_all_are_counted() -> None:
    fields = [{"name": f"n{place}", "type": "number", "unit": "m"} for place in range(40)]
    violations = compiled(fields=fields).check(event({})).violations
    assert (len(violations.faults), violations.count) == (16, 40)


def test_the_last_of_two_equal_keys_counts_as_anywhere_else() -> None:
    twice = event()
    twice.input = type(twice.input)(
        json.dumps(GOOD_INPUT).replace('{"income"', '{"income": "x", "income"').encode()
    )
    checked = LOANS.check(twice)
    assert (checked.violations.count, checked.values.f0) == (0, 4200.5)


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
anything = (
    scalars
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=25)
    | st.lists(scalars, max_size=2)
)
near = st.sampled_from(
    [0, -1, 100_000, 100_001, 2**63 - 1, 2**63, -(2**63), 1, 2, 3, "other", "1", 10**309, -0.0, 1.0]
)
names = st.sampled_from([field.name for field in contract().fields])


@given(st.dictionaries(names, anything | near))
@example({"income": 100_000.0})
@example({"income": 10**309})
def test_fast_and_slow_path_agree(change: dict[str, Any]) -> None:
    sent = event({**GOOD_INPUT, **change})
    checked = LOANS.check(sent)
    try:
        LOANS._decode(sent.input)
    except ValueError:
        assert checked.violations
    else:
        assert not checked.violations


def test_the_slow_path_finds_nothing_where_the_fast_one_finds_nothing() -> None:
    sent = event({**GOOD_INPUT, "income": 100_000, "dependents": 2**63 - 1, "remarks": "😀" * 20})
    checked = LOANS.check(sent)
    assert not checked.violations
    LOANS._list_faults(sent, checked)
    assert not checked.violations
