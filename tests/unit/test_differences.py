from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc.usecases.differences import difference

pytestmark = pytest.mark.unit

OLD: dict[str, Any] = {
    "owner": "a",
    "rules": [{"id": "x", "share": 0.1}, {"id": "y", "when": {"label": ["no"]}}],
}


def changed(**changes: Any) -> dict[str, Any]:
    return {**OLD, **changes}


@pytest.mark.parametrize(
    ("new", "lines"),
    [
        (OLD, []),
        (changed(owner="b"), ['~ owner: "a" -> "b"']),
        ({"rules": OLD["rules"]}, ['- owner: "a"']),
        (changed(title="t"), ['+ title: "t"']),
        (changed(rules=[{"id": "x", "share": 0.2}, OLD["rules"][1]]), ["~ rules[x].share: 0.1 -> 0.2"]),
        (changed(rules=[OLD["rules"][0]]), ['- rules[y]: {"id": "y", "when": {"label": ["no"]}}']),
        (changed(rules=OLD["rules"][::-1]), ["~ rules: order x, y -> y, x"]),
        (
            changed(rules=[*OLD["rules"], {"id": "z", "queue": "q"}]),
            ['+ rules[z].id: "z"', '+ rules[z].queue: "q"'],
        ),
        (
            changed(rules=[OLD["rules"][0], {"id": "y", "when": {"label": ["no", "yes"]}}]),
            ['~ rules[y].when.label: ["no"] -> ["no", "yes"]'],
        ),
        (changed(owner=None), ['~ owner: "a" -> nothing']),
    ],
)
def test_each_change_is_one_line_that_names_the_field(new: Any, lines: list[str]) -> None:
    assert difference(OLD, new) == lines


def test_a_new_document_shows_every_field() -> None:
    assert difference(None, {"name": "q", "retention": {"class": "s"}}) == [
        '+ name: "q"',
        '+ retention.class: "s"',
    ]


def test_types_count() -> None:
    assert difference({"a": 1}, {"a": True}) == ["~ a: 1 -> true"]
    assert difference({"a": [0, {"b": 1}]}, {"a": [0, {"b": True}]}) != []


plain = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from("ab"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "x", "y"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("abc"), plain), st.dictionaries(st.sampled_from("abc"), plain))
def test_there_is_a_difference_if_and_only_if_something_differs(old: Any, new: Any) -> None:
    assert bool(difference(old, new)) is (repr_of(old) != repr_of(new))


def repr_of(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: repr_of(inner) for key, inner in value.items()}
    return [repr_of(inner) for inner in value] if isinstance(value, list) else repr(value)
