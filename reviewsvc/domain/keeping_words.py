"""What was done about what is kept of a case, and what left with it, in one sentence and a few facts each."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from reviewsvc.domain import facts as f
from reviewsvc.domain import subject_facts as sf
from reviewsvc.domain.entries import Entry
from reviewsvc.domain.moments import moment
from reviewsvc.domain.story_words import Facts, Told

_ASKED: Final[Mapping[str, str]] = {
    "erasure_requested": "Erasure of its subject asked for",
    "erasure_approved": "Erasure of its subject agreed to",
    "erasure_refused": "Erasure of its subject refused",
    "approval_requested": "Export of its subject asked for: a second person must agree",
    "approval_granted": "Export of its subject agreed to",
    "approval_refused": "Export of its subject refused",
}
_DROPPED: Final[Mapping[str, str]] = {
    "payload": "Its payloads were dropped: their time of retention was over",
    "prediction": "Its row was dropped: its time of retention was over",
}
_ABOUT: Final[Mapping[str, str]] = {
    "range": "a range of time",
    "model": "its model",
    "subject": "its subject",
    "reviewer": "one of its reviewers",
    "queue": "its queue",
    "case": "this case",
}


def tell(entry: Entry) -> Told:
    """Say what an entry about erasures, holds, retention or bundles says of a case that it concerns."""
    said = msgspec.json.decode(entry.facts, type=f.KINDS[entry.kind])
    return _TELLERS[type(said)](entry, said)


def _asked(entry: Entry, said: sf.ErasureAsked) -> Told:
    return Told("erasure", _ASKED[entry.kind], (("Erasure", said.erasure),))


def _approval(entry: Entry, said: sf.ApprovalAsked) -> Told:
    return Told("left", _ASKED[entry.kind], (("Approval", said.approval),))


def _erased(_: Entry, said: sf.Erasure) -> Told:
    again = ", again after a restore" if said.replayed else ""
    facts = [
        ("Predictions", f"{said.predictions:,}"),
        ("Open cases closed", f"{said.tasks:,}"),
        ("Labels withdrawn", f"{said.labels:,}"),
        ("Receivers to be told", f"{said.left:,}"),
        ("Erasure", said.erasure),
    ]
    return Told(
        "erasure", f"Its subject was erased{again}: nobody can open its payloads any more", tuple(facts)
    )


def _held(_: Entry, said: sf.HoldPlaced) -> Told:
    on = "its subject" if said.subject else "this case" if said.id else f"the model {said.model}"
    return Told(
        "hold", f"Legal hold placed on {on}: nothing of it is erased or dropped", (("Hold", said.hold),)
    )


def _released(_: Entry, said: sf.HoldReleased) -> Told:
    return Told("hold", "Legal hold released", (("Hold", said.hold),))


def _given(_: Entry, said: sf.SubjectExport) -> Told:
    facts = (("Predictions", f"{said.predictions:,}"), ("Entries about them", f"{said.entries:,}"))
    return Told("left", "All that is held of its subject was given out", facts)


def _dropped(_: Entry, said: sf.Retention) -> Told:
    facts: list[tuple[str, str]] = []
    if said.since is not None and said.until is not None:
        facts.append(("Month", f"{moment(said.since):%Y-%m}, class {said.retention_class}"))
    if said.held:
        facts.append(("Kept for legal holds", f"{said.held:,} of {said.rows:,}"))
    return Told("dropped", _DROPPED.get(said.table, "Something of it was dropped"), tuple(facts))


def _bundled(_: Entry, said: f.Export) -> Told:
    about = said.about and _ABOUT.get(said.about.kind)
    if said.what == "download":
        return Told("left", f"A bundle about {about or 'some entries'} was taken", _amounts(said))
    words = f"Brought into a bundle about {about}" if about else "A bundle was made in which it may stand"
    manifest = (("Manifest's SHA-256", said.manifest),) if said.manifest else ()
    return Told("left", words, _amounts(said) + manifest)


def _amounts(said: f.Export) -> Facts:
    return (("Entries", f"{said.rows:,}"), ("Payloads disclosed", f"{said.payloads or 0:,}"))


_TELLERS: Final[dict[type[f.Facts], Callable[[Entry, Any], Told]]] = {
    sf.ErasureAsked: _asked,
    sf.ApprovalAsked: _approval,
    sf.Erasure: _erased,
    sf.HoldPlaced: _held,
    sf.HoldReleased: _released,
    sf.SubjectExport: _given,
    sf.Retention: _dropped,
    f.Export: _bundled,
}
