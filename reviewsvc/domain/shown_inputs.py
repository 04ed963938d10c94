"""A prediction's inputs as people read them: labelled, with units, and with what is unusual about each."""

import json
from typing import Any

from msgspec import UNSET, Struct

from reviewsvc.domain.contract import Contract, InputField, unit_text
from reviewsvc.domain.contract_examine import examine, input_object
from reviewsvc.domain.contract_reference import unusual
from reviewsvc.domain.events import Event
from reviewsvc.domain.visible import visible

_LONGEST = 20_000
_MOST_UNKNOWN = 200
_WORDS = {True: "yes", False: "no"}


class ShownInput(Struct, frozen=True):
    """One input. `form` is number, text, json, image or missing; `raw` is the value as it was sent.

    `unusual` says what is; with `broken` it breaks the contract.
    """

    name: str
    label: str
    value: str
    raw: Any = None
    form: str = "number"
    about: str = ""
    unit: str = ""
    section: str = ""
    href: str | None = None
    unusual: str = ""
    broken: bool = False


def show_inputs(contract: Contract, event: Event) -> tuple[ShownInput, ...]:
    """List the inputs in the contract's order, then those that it does not know."""
    if not event.input:
        return _by_reference(event)
    sent = input_object(bytes(event.input).decode())
    if sent is None:
        text = visible(bytes(event.input).decode()[:_LONGEST])
        return (ShownInput("input", "Input", text, form="json", unusual="no object", broken=True),)
    _, faults = examine(contract, event, event.output.confidence)
    broken = {fault.field: fault.text for fault in faults if fault.field >= 0}
    known = [
        _field(field, sent.get(field.name, UNSET), broken.get(place))
        for place, field in enumerate(contract.fields)
    ]
    names = {field.name for field in contract.fields}
    strangers = [name for name in sent if name not in names]
    more = [_unknown(name, sent[name], contract) for name in strangers[:_MOST_UNKNOWN]]
    return (*known, *more, *_left_out(len(strangers) - _MOST_UNKNOWN))


def _left_out(count: int) -> tuple[ShownInput, ...]:
    """Say that there are more: a page of tens of thousands would be read by nobody, and hold up everybody."""
    if count <= 0:
        return ()
    return (ShownInput("", f"{count:,} more", "not shown", unusual="not in the contract"),)


def _field(field: InputField, value: Any, fault: str | None) -> ShownInput:  # noqa: ANN401 - as it was sent
    form, text = _shown(field, value)
    note = fault or _tail(field, value)
    return ShownInput(
        name=field.name,
        label=field.label,
        value=text,
        raw=None if value is UNSET else value,
        form=form,
        about=field.description,
        unit=unit_text(field) if form == "number" else "",
        section=field.section,
        href=text if form == "image" else None,
        unusual=note,
        broken=fault is not None,
    )


def _shown(field: InputField, value: Any) -> tuple[str, str]:  # noqa: ANN401 - as it was sent
    if value is UNSET or value is None:
        return "missing", ""
    if field.view == "json" or isinstance(value, dict | list):
        return "json", visible(json.dumps(value, ensure_ascii=False, indent=2)[:_LONGEST])
    if field.view == "image" and isinstance(value, str) and value.startswith("https://"):
        return "image", visible(value)
    if field.view == "text":
        return "text", visible(str(value)[:_LONGEST])
    labels = {choice.value: choice.label for choice in field.values}
    if isinstance(value, str | int) and not isinstance(value, bool) and value in labels:
        return "number", labels[value]
    return "number", _plain(value, grouped=field.unit is not None)


def _plain(value: Any, *, grouped: bool) -> str:  # noqa: ANN401 - as it was sent
    if isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, int | float):
        return f"{value:,}" if grouped else str(value)
    return visible(str(value)[:_LONGEST])


def _tail(field: InputField, value: Any) -> str:  # noqa: ANN401 - as it was sent
    if isinstance(value, int | float) and not isinstance(value, bool) and field.training:
        return unusual(field.training, value)
    return ""


def _unknown(name: str, value: Any, contract: Contract) -> ShownInput:  # noqa: ANN401 - as it was sent
    form, text = _shown(InputField(name, "json", name), value)
    is_refused = contract.other_fields == "refused"
    return ShownInput(
        name, visible(name), text, value, form, unusual="not in the contract", broken=is_refused
    )


def _by_reference(event: Event) -> tuple[ShownInput, ...]:
    if event.input_ref is None:
        return ()
    is_link = event.input_ref.startswith("https://")
    about = f"SHA-256 {event.input_sha256}"
    return (
        ShownInput(
            "input_ref",
            "Input, by reference",
            visible(event.input_ref),
            form="image" if is_link else "text",
            about=about,
            href=event.input_ref if is_link else None,
        ),
    )
