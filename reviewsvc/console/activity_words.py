"""How the kinds of entries are said in one sentence, and grouped for choosing."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from reviewsvc.domain.story_words import WHY


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
    "proofs": Group(
        "Verifications, anchors, keys", ("verification", "anchor", "signing_key", "kek_rotated", "key_made")
    ),
    "subjects": Group(
        "Erasures and legal holds",
        (
            *("erasure_requested", "erasure_approved", "erasure_refused", "erasure", "receiver_told"),
            *("approval_requested", "approval_granted", "approval_refused"),
            *("hold_placed", "hold_released", "subject_export", "retention"),
        ),
    ),
}

_EXPORTS: Final = {
    "labels": "Pulled labels",
    "bundle": "Made a bundle",
    "download": "Took a bundle",
    "access_report": "Took the access report",
    "cancelled": "Cancelled a bundle",
}
_MOVES: Final = {
    "escalated": "Escalated a case to {queue}",
    "snoozed": "Put a case off",
    "flagged": "Flagged a case",
    "overdue": "A case's due time passed",
    "defaulted": "A case's due time passed: the model's answer stands",
    "withdrawn": "Withdrew a case: its subject was erased",
}
_SENTENCES: Final[Mapping[str, str]] = {
    "decision": "{decided} a case",
    "retraction": "Took an answer back",
    "task_moved": "{moved}",
    "document": "Applied {object}",
    "person_added": "Added {name}",
    "person_disabled": "Disabled {name}",
    "person_enabled": "Let {name} in again",
    "password_set": "Set the password of {name}",
    "granted": "Granted {role} to {name}",
    "grant_ended": "Took {role} from {name}",
    "token_created": "Made a token of {name}",
    "token_ended": "Ended a token of {name}",
    "logged_in": "Signed in",
    "logged_out": "Signed out",
    "session_ended": "Ended a session of {name}",
    "refusals": "Refused: {refusals}",
    "access": "Opened a payload {why}",
    "export": "{object}",
    "retention": "Dropped what was past its time: {object}",
    "kek_rotated": "Wrapped all keys with another {object}",
    "erasure_requested": "Asked for an erasure",
    "erasure_approved": "Agreed to an erasure",
    "erasure_refused": "Refused an erasure",
    "erasure": "Erased a subject",
    "approval_requested": "Asked for a second person's agreement: {object}",
    "approval_granted": "Agreed to what somebody else had asked for: {object}",
    "approval_refused": "Refused what was asked for: {object}",
    "receiver_told": "Told a receiver of an erasure",
    "hold_placed": "Placed a legal hold",
    "hold_released": "Released a legal hold",
    "subject_export": "Exported what is held of a subject",
    "gap_consented": "Let a stopped partition go on: {object}",
    "topic_accepted": "Let everything be sent again to a topic that was made again: {object}",
    "key_made": "Made a key of keyed hashes",
    "signing_key": "Said from when until when a key signs",
    "verification": "Verified {verified}",
    "anchor": "Gave a checkpoint to the {object}",
    "opened": "Opened this log",
    "continuation": "Went on after a restore with this log",
    "restore_adopted": "Let the service write to a restored database",
}


def said(kind: str, about: str | None, name: str | None, facts: Mapping[str, Any]) -> str:
    """Say an act in one sentence; `about` is what the entry names, `name` that of a person it names."""
    sentence = _SENTENCES.get(kind, kind.replace("_", " ").capitalize())
    told = {word: tell(facts) for word, tell in _TOLD.items() if f"{{{word}}}" in sentence}
    return sentence.format(object=_thing(kind, about, facts), name=name or "somebody", **told)


def _thing(kind: str, about: str | None, facts: Mapping[str, Any]) -> str:
    parts = (about or "something").split(":")
    if kind == "document" and len(parts) == 3:  # noqa: PLR2004 - kind, name, version
        return f"{parts[0]} {parts[1]} version {parts[2]}"
    if kind == "anchor" and len(parts) == 3:  # noqa: PLR2004 - `anchor`, name, outcome
        return f"anchor {parts[1]}: {parts[2].replace('_', ' ')}"
    if kind == "export" and len(parts) == 2:  # noqa: PLR2004 - what, model
        model = "" if parts[1] == "*" else f" of {parts[1]}"
        return f"{_EXPORTS.get(parts[0], f'Took {parts[0]}')}{model}: {facts.get('rows', 0):,} entries"
    return " ".join(parts)


def _role(facts: Mapping[str, Any]) -> str:
    scope = facts.get("scope", "*")
    where = "everywhere" if scope == "*" else f"for {scope.replace(':', ' ')}"
    return f"the role {facts.get('role')} {where}" if facts.get("role") else "a role"


def _verified(facts: Mapping[str, Any]) -> str:
    what = "everything" if facts.get("what") == "all" else "what was new"
    return f"{what}: {facts.get('verdict')}, {facts.get('entries', 0):,} entries"


def _refusals(facts: Mapping[str, Any]) -> str:
    counts = facts.get("counts", {})
    return ", ".join(f"{why.replace('_', ' ')} ({counts[why]:,})" for why in sorted(counts))


_TOLD: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "decided": lambda facts: "Settled" if facts.get("kind") == "adjudication" else "Answered",
    "moved": lambda facts: _MOVES.get(facts.get("move", ""), "Moved a case on").format(
        queue=facts.get("queue")
    ),
    "role": _role,
    "refusals": _refusals,
    "verified": _verified,
    "why": lambda facts: WHY.get(facts.get("why", ""), ""),
}
