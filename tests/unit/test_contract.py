from typing import Any

import pytest

from reviewsvc.domain.contract import class_names, read_contract, unit_text
from reviewsvc.domain.document import DocumentError
from tests.unit.contract_samples import PLAIN, contract, plain

pytestmark = pytest.mark.unit


def faults_of(data: Any) -> list[str]:
    with pytest.raises(DocumentError) as raised:
        read_contract(data)
    return str(raised.value).splitlines()


def keeping(days: Any) -> dict[str, Any]:
    return plain(retention={"class": "x", **({} if days is ... else {"keep_days": days})})


def answering(**changes: Any) -> dict[str, Any]:
    output = {"type": "class", "classes": ["a"], **changes}
    return plain(output={key: value for key, value in output.items() if value is not ...})


def with_field(**changes: Any) -> dict[str, Any]:
    field = {"name": "income", "type": "number", "unit": "dollars", **changes}
    return plain(fields=[{key: value for key, value in field.items() if value is not ...}])


def test_a_contract_is_read_with_its_defaults() -> None:
    found = contract()
    assert (found.name, found.title, found.risk_tier, found.retention.keep_days) == (
        "loans",
        "loans",
        "high",
        365,
    )
    assert class_names(found.output) == ("refuse", "approve")
    assert found.output.confidence == "required"
    income, dependents, kind, *_, history = found.fields
    assert (income.min, income.max, income.required, income.nullable) == (0, 100_000, True, False)
    assert [unit_text(field) for field in (income, dependents, kind)] == ["dollars a month", "not given", ""]
    assert [(choice.value, choice.label) for choice in kind.values] == [
        (1, "1"),
        (2, "house"),
        ("other", "other"),
    ]
    assert (history.view, history.nullable) == ("json", True)


def test_unit_may_be_null_with_a_reason_of_its_own() -> None:
    found = read_contract(with_field(unit=None, unit_reason="a ratio"))
    assert (found.fields[0].unit, unit_text(found.fields[0])) == (None, "a ratio")


def test_numbers_and_texts_may_be_answers() -> None:
    number = contract(output={"type": "number", "min": 0, "unit": "dollars"})
    assert (number.output.min, number.output.max, number.output.confidence) == (0, None, "optional")
    assert contract(output={"type": "text"}).output.type == "text"


@pytest.mark.parametrize(
    ("path", "expected", "got", "data"),
    [
        ("", "fields with values", "[]", []),
        ("name", "a name: 1 to 100 letters, digits", '"a b"', plain(name="a b")),
        ("owner", "a text of 1 to 200 characters", "nothing", plain(owner=...)),
        ("risk_tier", 'one of low, limited, high (did you mean "high"?)', '"hihg"', plain(risk_tier="hihg")),
        ("retention", "fields with values", "3", plain(retention=3)),
        ("retention.keep_days", "a whole number from 1 to 36500", "nothing", keeping(...)),
        ("retention.keep_days", "a whole number from 1 to 36500", '"1"', keeping("1")),
        ("output.classes", "a list of 1 to 1000 classes", "nothing", answering(classes=...)),
        ("output.classes[1]", "classes that differ", '"a"', answering(classes=["a", "a"])),
        ("output.classes[1].value", "a text of 1 to 200", "1", answering(classes=["a", 1])),
        ("output.min", "one of the fields classes, confidence, scores", '"min"', answering(min=1)),
        (
            "output.max",
            "a number of at least min (2)",
            "1",
            answering(type="number", classes=..., min=2, max=1),
        ),
        ("segments[1]", "a text of 1 to 200 characters", "1", plain(segments=["a", 1])),
        ("segments[1]", "segments that differ", '"a"', plain(segments=["a", "a"])),
        ("fields", "a list of 1 to 1000 fields", "[]", plain(fields=[])),
        ("fields[0].name", "without quotes or backslashes", '"a\\"b"', with_field(name='a"b')),
        ("fields[0].type", "one of integer, number, string", '"float"', with_field(type="float")),
        ("fields[0].unit", "a unit, or null", "nothing", with_field(unit=...)),
        ("fields[0].unit_reason", "no reason beside a unit", '"why"', with_field(unit_reason="why")),
        ("fields[0].min", "a whole number of at most 64 bits", "0.5", with_field(type="integer", min=0.5)),
        ("fields[0].min", "a number", '"low"', with_field(min="low")),
        ("fields[0].nullable", "true or false", '"yes"', with_field(nullable="yes")),
        ("fields[0].view", "one of value, text, image", '"json"', with_field(type="string", view="json")),
        ("fields[0].values", "a list of 1 to 1000 values", "nothing", with_field(type="category")),
        ("fields[0].lable", '(did you mean "label"?)', '"lable"', with_field(lable="x")),
        ("fields[0].section", "A", '"B"', {**with_field(section="B"), "sections": ["A"]}),
    ],
)
def test_a_fault_names_its_path_what_was_expected_and_what_stands_there(
    path: str, expected: str, got: str, data: Any
) -> None:
    fault = faults_of(data)[0]
    assert fault.startswith(f"{path}: expected " if path else "expected ")
    assert expected in fault
    assert fault.endswith(f", got {got}")


def test_all_faults_are_told_at_once() -> None:
    data = plain(
        risk_tier="x", retention=None, fields=[*PLAIN["fields"], {"name": "income", "type": "boolean"}]
    )
    assert [line.split(":")[0] for line in faults_of(data)] == ["risk_tier", "retention", "fields[6].name"]
