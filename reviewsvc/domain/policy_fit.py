"""Whether a policy fits the contract of its model and the queues that exist."""

from collections.abc import Callable, Collection, Iterable

from reviewsvc.domain.contract import RISK_TIERS, Contract, class_names
from reviewsvc.domain.contract_faults import place_names
from reviewsvc.domain.document import DocumentFault, Path, one_of, show, suggestion
from reviewsvc.domain.policy import Policy
from reviewsvc.domain.policy_conditions import Condition, Value


def misfits(policy: Policy, contract: Contract, queues: Collection[str]) -> list[DocumentFault]:
    """List what a policy says of classes, fields, segments and queues that do not exist."""
    faults: list[DocumentFault] = []
    for place, rule in enumerate(policy.rules):
        path: Path = ("rules", place)
        faults += _unknown((*path, "queue"), "a queue that exists", [rule.queue], queues)
        for condition in rule.when:
            faults += _misfit((*path, "when"), condition, contract)
    return faults


def never_held(policy: Policy) -> list[DocumentFault]:
    """List conditions whose bounds no number keeps: such a rule takes nothing, and nobody would see it."""
    return [
        DocumentFault(("rules", place, "when", *where), "bounds that some number keeps", "none that does")
        for place, rule in enumerate(policy.rules)
        for condition in rule.when
        for where in _empty_in(condition)
    ]


def _empty_in(condition: Condition) -> list[Path]:
    place: Path = (condition.on, condition.field) if condition.field else (condition.on,)
    found = [place] if condition.low > condition.high else []
    return found + [(*place, name) for name, low, high in condition.by_class if low > high]


def _misfit(path: Path, condition: Condition, contract: Contract) -> list[DocumentFault]:
    on = condition.on
    if on == "input":
        return _input_misfit((*path, "input", condition.field), condition, contract)
    if on in _KNOWN and (on != "version" or contract.versions):
        named = condition.values or [name for name, _, _ in condition.by_class]
        what = "class" if on == "confidence" else on
        return _unknown((*path, on), f"a {what} of the contract", named, _KNOWN[on](contract))
    shape = contract.output.type
    if _ONLY_FOR.get(on, shape) == shape:
        return []
    return [
        DocumentFault((*path, on), f"no such condition, since the model answers with a {shape}", show(on))
    ]


_KNOWN: dict[str, Callable[[Contract], Collection[Value]]] = {
    "label": lambda contract: class_names(contract.output),
    "confidence": lambda contract: class_names(contract.output),
    "segment": lambda contract: contract.segments,
    "version": lambda contract: contract.versions,
    "risk_tier": lambda _: RISK_TIERS,
    "violation": place_names,
}
_ONLY_FOR = {"value": "number", "margin": "class", "entropy": "class"}


def _unknown(path: Path, what: str, named: Iterable[Value], known: Collection[Value]) -> list[DocumentFault]:
    options = f" ({one_of(known)})" if known else " (it lists none)"
    return [
        DocumentFault(path, f"{what}{options}{suggestion(name, known)}", show(name))
        for name in named
        if name not in known or isinstance(name, bool)
    ]


def _input_misfit(path: Path, condition: Condition, contract: Contract) -> list[DocumentFault]:
    field = next((field for field in contract.fields if field.name == condition.field), None)
    if field is None:
        known = [field.name for field in contract.fields]
        return _unknown(path, "a field of the contract", [condition.field], known)
    if condition.flag is not None:
        return []
    if not condition.values:
        numeric = field.type in ("integer", "number")
        return (
            []
            if numeric
            else [DocumentFault(path, f"values, since the field is of type {field.type}", "bounds")]
        )
    if field.type == "category":
        return _unknown(
            path, "a value of the field", condition.values, [choice.value for choice in field.values]
        )
    kind = {"string": str, "boolean": bool, "integer": int}.get(field.type)
    return [
        DocumentFault(path, f"a condition that fits a field of type {field.type}", show(value))
        for value in condition.values
        if type(value) is not kind
    ]
