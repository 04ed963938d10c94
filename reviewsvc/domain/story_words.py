"""What each entry about a case says, in one sentence and a few facts, without any payload."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from reviewsvc.domain import facts as f
from reviewsvc.domain.entries import Entry
from reviewsvc.domain.moments import moment
from reviewsvc.domain.shares import percent

WHY: Final[Mapping[str, str]] = {
    "claim": "to decide it",
    "look": "to look at it",
    "decision": "to answer what became of it",
    "quarantine": "as an event that could not be read",
    "audit": "for an audit",
    "complaint": "because of a complaint",
    "incident": "because of an incident",
    "request": "at the subject's request",
}
# Why an auditor may open a payload: what they choose from.
AUDIT_REASONS: Final = ("audit", "complaint", "incident", "request")
_MOVES: Final = {
    "escalated": "Escalated to the queue {queue}",
    "snoozed": "Put off until {until}",
    "flagged": "Flagged",
    "overdue": "Its due time passed",
    "defaulted": "Its due time passed: the model's answer stands",
    "withdrawn": "Withdrawn: its subject was erased",
}

Facts = tuple[tuple[str, str], ...]
Named = Callable[[str | None, str | None], str | None]


class Told(NamedTuple):
    """What kind of step an entry is, the sentence, and facts as (term, text)."""

    what: str
    words: str
    facts: Facts = ()


def tell(entry: Entry, named: Named) -> Told:
    """Say what an entry about a case says; `named` gives a class's label, or a number as people write it."""
    said = msgspec.json.decode(entry.facts, type=f.KINDS[entry.kind])
    teller = _TELLERS.get(type(said))
    return (
        teller(entry, said, named) if teller else Told(entry.kind, entry.kind.replace("_", " ").capitalize())
    )


def captured(entry: Entry, said: f.Prediction, named: Named) -> Told:
    """Say what was captured."""
    answer = named(said.label, said.value) or ("nothing: it failed" if said.failed else "a text")
    sure = "" if said.confidence is None else f", {percent(float(said.confidence))} sure"
    source = entry.src
    facts = [
        ("Predicted", f"{moment(said.predicted_at):%Y-%m-%d %H:%M:%S} UTC"),
        (
            "From",
            f"{source.topic}, partition {source.partition}, offset {source.offset}" if source else "the API",
        ),
        ("Contract", f"version {said.contract}"),
        ("Keyed hash of its id", said.id),
    ]
    if said.violations:
        facts.append(("Contract violations", str(said.violations.count)))
    return Told("captured", f"Captured: {said.model} said {answer}{sure}", tuple(facts))


def routed(said: f.Prediction, reasons: Mapping[str, str]) -> Told:
    """Say where the policy sent it and why; `reasons` describe rules by id."""
    route = said.route
    if route is None or route.queue is None:
        chance = () if route is None or route.pi is None else (("Chance to be reviewed", _chance(route.pi)),)
        return Told("routed", "No rule sent it to people: the model's answer counts", chance)
    facts = [("Decided by the rule", f"{route.rule}: {reasons.get(route.rule or '', '')}".rstrip(": "))]
    facts += [("Also", f"{each}: {reasons.get(each, '')}".rstrip(": ")) for each in route.reasons[1:]]
    if route.pi is not None:
        facts.append(("Chance to be reviewed", _chance(route.pi)))
    if route.reviewers > 1:
        facts.append(("Reviewers", str(route.reviewers)))
    return Told("routed", f"Sent to people, in the queue {route.queue}", tuple(facts))


def _opened(_: Entry, said: f.Access, __: Named) -> Told:
    return Told("opened", f"Payload opened {WHY.get(said.why, said.why)}")


def _decided(_: Entry, said: f.Decision, named: Named) -> Told:
    verb = "Adjudicated" if said.kind == "adjudication" else "Answered"
    answer = named(said.label, said.value) or "a text"
    agreed = "as the model" if said.agreed else "otherwise than the model"
    final = (("With that the case is", said.final.status),) if said.final else ()
    return Told(
        "adjudicated" if said.kind == "adjudication" else "decided", f"{verb}: {answer}, {agreed}", final
    )


def _retracted(_: Entry, __: f.Retraction, ___: Named) -> Told:
    return Told("decided", "Took the answer back")


def _moved(_: Entry, said: f.TaskMoved, __: Named) -> Told:
    return Told("withdrawn" if said.move == "withdrawn" else "moved", move_words(said))


def move_words(said: f.TaskMoved) -> str:
    """Say how a task was moved on without an answer."""
    if said.why == "retention":
        return "Withdrawn: what it is about is no longer kept, its time of retention has passed"
    until = f"{moment(said.until):%Y-%m-%d %H:%M} UTC" if said.until else ""
    return _MOVES.get(said.move, said.move).format(queue=said.queue, until=until)


def _labelled(entry: Entry, said: f.Label, named: Named) -> Told:
    label_id = f"{entry.log.rpartition('/')[2]}.{entry.seq}"
    facts = [("Comes from", said.kind), ("Label's id", label_id)]
    if said.pi is not None:
        facts.append(("Weight", f"{1 / float(said.pi):.4g}"))
    if said.supersedes is not None:
        facts.append(("Takes the place of", f"{label_id.partition('.')[0]}.{said.supersedes}"))
    if said.op == "withdraw":
        return Told("withdrawn", "Label withdrawn", tuple(facts))
    return Told("label", f"Label: {named(said.label, said.value) or 'a text'}", tuple(facts))


def _exported(_: Entry, said: f.Export, __: Named) -> Told:
    return Told("used", f"Labels pulled, up to number {said.up_to}", (("Labels", f"{said.rows:,}"),))


def _chance(text: str) -> str:
    share = float(text)
    return percent(share, 0 if round(share * 100, 6).is_integer() else 2)


_TELLERS: Final[dict[type[f.Facts], Callable[[Entry, Any, Named], Told]]] = {
    f.Prediction: captured,
    f.Access: _opened,
    f.Decision: _decided,
    f.Retraction: _retracted,
    f.TaskMoved: _moved,
    f.Label: _labelled,
    f.Export: _exported,
}
