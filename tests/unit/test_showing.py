import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc.domain.showing import share_words, show_answer, show_choices, show_weights, wilson
from reviewsvc.domain.shown_inputs import show_inputs
from tests.unit.contract_samples import contract, event

pytestmark = pytest.mark.unit

TRAINED = {"quantiles": [[2, 100], [98, 9000]]}
FIELDS = [
    {"name": "income", "label": "Income", "type": "number", "unit": "dollars", "min": 0, "training": TRAINED},
    {"name": "kind", "type": "category", "values": [{"value": 2, "label": "house"}], "nullable": True},
    {"name": "story", "type": "string", "view": "text", "required": False},
    {"name": "extra", "type": "json", "required": False},
    {"name": "owner", "type": "boolean", "required": False},
]


def shown(value: object, **changes: object) -> dict[str, tuple[str, str, str]]:
    found = show_inputs(contract(fields=FIELDS, **changes), event(value))
    return {one.name: (one.form, one.value, one.unusual) for one in found}


def test_inputs_are_labelled_with_units_and_say_what_is_unusual() -> None:
    given_input = {"income": 12000, "kind": 2, "story": "long", "extra": {"a": 1}, "owner": True}
    assert shown(given_input) == {
        "income": ("number", "12,000", "above 98 % of training"),
        "kind": ("number", "house", ""),
        "story": ("text", "long", ""),
        "extra": ("json", '{\n  "a": 1\n}', ""),
        "owner": ("number", "yes", ""),
    }
    (income, *_) = show_inputs(contract(fields=FIELDS), event(given_input))
    assert (income.label, income.unit, income.raw) == ("Income", "dollars", 12000)


def test_marks_that_turn_the_order_of_letters_are_spelled_out_and_sent_on_as_they_are() -> None:
    turned = "\u202e0001\u202c \u2067x\u2069"
    told = "\\u202e0001\\u202c \\u2067x\\u2069"
    sent = {"income": turned, "story": turned, "extra": {"a": turned}, turned: 1, "kind": "\u05e9\u200f"}
    found = {one.name: one for one in show_inputs(contract(fields=FIELDS), event(sent))}
    assert (found["income"].value, found["income"].raw) == (told, turned)
    assert (found["story"].value, found[turned].label) == (told, told)
    assert told in found["extra"].value
    assert found["kind"].value == "\u05e9\u200f"
    moved = event({}, explanation={"attributions": [{"feature": turned, "value": 1}]})
    assert [weight.label for weight in show_weights(contract(fields=FIELDS), moved)] == [told]


def test_what_a_producer_sends_without_end_is_shown_to_an_end() -> None:
    sent = {f"stranger {number}": number for number in range(30_000)}
    found = show_inputs(contract(fields=FIELDS), event(sent))
    assert (len(found), found[-1].label, found[-1].value) == (len(FIELDS) + 201, "29,800 more", "not shown")
    moved = event({}, explanation=sent)
    assert [each.value for each in show_weights(contract(fields=FIELDS), moved)][:2] == [29_999, 29_998]
    assert len(show_weights(contract(fields=FIELDS), moved)) == 200


def test_inputs_that_break_the_contract_are_shown_as_they_were_sent() -> None:
    found = shown({"income": -5, "kind": None, "stranger": "who"}, other_fields="refused")
    assert found["income"] == ("number", "-5", "expected at least 0, got -5.0")
    assert found["kind"] == ("missing", "", "")
    assert found["stranger"] == ("number", "who", "not in the contract")


def test_an_input_by_reference_is_shown_as_such() -> None:
    sent = msgspec.structs.replace(
        event(), input=msgspec.Raw(), input_ref="https://example.org/i.png", input_sha256="ab" * 32
    )
    (one,) = show_inputs(contract(), sent)
    assert (one.form, one.href, one.about) == ("image", "https://example.org/i.png", f"SHA-256 {'ab' * 32}")


def test_a_blind_answer_shows_nothing_of_what_the_model_said() -> None:
    said = event(output={"label": "approve", "confidence": 0.9, "scores": {"approve": 0.9, "refuse": 0.1}})
    answer = show_answer(contract(), said, blind=True)
    assert (answer.value, answer.label, answer.confidence, answer.band_words) == (None, "", None, "")
    assert all(
        choice.score is None and not choice.is_model for choice in show_choices(contract(), said, blind=True)
    )


def test_an_answer_is_shown_with_its_confidence_and_how_often_such_answers_were_right() -> None:
    sure = contract(calibration=[{"from": 0.8, "to": 1, "right": 0.75, "n": 400}])
    answer = show_answer(sure, event(), blind=False)
    assert (answer.label, answer.confidence) == ("approve", 0.9)
    assert answer.band_words == "Of 400 answers about as sure as this one, 75\N{NO-BREAK SPACE}% were right."
    assert answer.band
    assert answer.band[0] < 0.75 < answer.band[1]


def test_attributions_come_largest_first_as_parts_of_the_largest() -> None:
    said = event(
        explanation={"attributions": [{"feature": "income", "value": 0.5}, {"feature": "x", "value": -2}]}
    )
    found = [(one.label, one.text, one.part) for one in show_weights(contract(), said)]
    assert found == [("x", "-2", -1.0), ("income", "+0.5", 0.25)]


@given(st.floats(0, 1), st.integers(1, 10**6))
def test_an_interval_holds_its_share_and_stays_within_0_and_1(share: float, n: int) -> None:
    interval = wilson(share, n)
    assert interval
    low, high = interval
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1


@pytest.mark.parametrize(("pi", "words"), [(None, "None"), (1.0, "Every case"), (0.05, "0.05 in 1")])
def test_the_chance_of_being_brought_to_people_is_said(pi: float | None, words: str) -> None:
    assert words in str(share_words(pi))
