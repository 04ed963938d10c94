"""How the kinds of entries are said in one sentence, and grouped for choosing."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Group(NamedTuple):
    """Kinds of entries that are chosen together."""

    words: str
    kinds: tuple[str, ...]


KINDS: Final[Mapping[str, Group]] = {
    "decisions": Group("Answers", ("decision", "retraction")),
    "moves": Group("Cases put off, flagged, escalated", ("task_moved",)),
    "documents": Group("Contracts, policies, queues", ("document",)),
    "people": Group(
        "People and roles",
        (
            "person_added",
            "person_disabled",
            "person_enabled",
            "password_set",
            "granted",
            "grant_ended",
            "token_created",
            "token_ended",
        ),
    ),
    "entrances": Group("Signing in and out", ("logged_in", "logged_out", "session_ended", "refusals")),
    "access": Group("Opened payloads", ("access",)),
    "exports": Group("Labels pulled, bundles", ("export",)),
    "subjects": Group(
        "Erasures and legal holds",
        (
            *("erasure_requested", "erasure_approved", "erasure_refused", "erasure", "receiver_told"),
            *("wish_requested", "wish_approved", "wish_refused"),
            *("hold_placed", "hold_released", "subject_export", "retention"),
        ),
    ),
}

_EXPORTS: Final = {
    "labels": "Pulled labels",
    "bundle": "Made a bundle",
    "download": "Took a bundle",
    "access_report": "Took the access report",
}
_SENTENCES: Final[Mapping[str, str]] = {
    "decision": "Answered a case",
    "retraction": "Took an answer back",
    "task_moved": "Moved a case on without an answer",
    "document": "Applied {object}",
    "person_added": "Added {name}",
    "person_disabled": "Disabled {name}",
    "person_enabled": "Let {name} in again",
    "password_set": "Set the password of {name}",
    "granted": "Granted a role to {name}",
    "grant_ended": "Took a role from {name}",
    "token_created": "Made a token of {name}",
    "token_ended": "Ended a token of {name}",
    "logged_in": "Signed in",
    "logged_out": "Signed out",
    "session_ended": "Ended a session of {name}",
    "refusals": "Refused people who were not signed in",
    "access": "Opened a payload",
    "export": "{object}",
    "retention": "Dropped what was past its time: {object}",
    "kek_rotated": "Wrapped all keys with another {object}",
    "erasure_requested": "Asked for an erasure",
    "erasure_approved": "Agreed to an erasure",
    "erasure_refused": "Refused an erasure",
    "erasure": "Erased a subject",
    "wish_requested": "Asked for a second person's agreement: {object}",
    "wish_approved": "Agreed to what somebody else had asked for: {object}",
    "wish_refused": "Refused what was asked for: {object}",
    "receiver_told": "Told a receiver of an erasure",
    "hold_placed": "Placed a legal hold",
    "hold_released": "Released a legal hold",
    "subject_export": "Exported what is held of a subject",
    "gap_consented": "Let a stopped partition go on: {object}",
    "key_made": "Made a key of keyed hashes",
    "verification": "Verified the logs",
    "anchor": "Gave a checkpoint away to be kept: {object}",
    "opened": "Opened this log",
    "continuation": "Went on after a restore with this log",
    "restore_adopted": "Let the service write to a restored database",
}


def said(kind: str, about: str | None, name: str | None) -> str:
    """Say an act in one sentence; `about` is what the entry names, `name` that of a person it names."""
    sentence = _SENTENCES.get(kind, kind.replace("_", " ").capitalize())
    return sentence.format(object=_thing(kind, about), name=name or "somebody")


def _thing(kind: str, about: str | None) -> str:
    parts = (about or "something").split(":")
    if kind == "document" and len(parts) == 3:  # noqa: PLR2004 - kind, name, version
        return f"{parts[0]} {parts[1]} version {parts[2]}"
    if kind == "export" and len(parts) == 2:  # noqa: PLR2004 - what, model
        model = "" if parts[1] == "*" else f" of {parts[1]}"
        return f"{_EXPORTS.get(parts[0], f'Took {parts[0]}')}{model}"
    return " ".join(parts)
