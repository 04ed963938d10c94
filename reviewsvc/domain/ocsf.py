"""Entries of activity logs as OCSF events: for a SIEM and for a bundle's view, never for proving.

OCSF 1.5.0 (https://schema.ocsf.io), identity and access management: who signed in, whose account or role was
changed, and which thing of ours was made, read, changed or ended. An entry's facts hold no secret.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from reviewsvc.domain.entries import Actor, Entry

VERSION: Final = "1.5.0"
PRODUCT: Final = {"name": "reviewsvc", "vendor_name": "reviewsvc"}
_CATEGORY: Final = 3
_ACCOUNT, _AUTHENTICATION, _ENTITY, _ACCESS = 3001, 3002, 3004, 3005
_CLASSES: Final = {
    _ACCOUNT: "Account Change",
    _AUTHENTICATION: "Authentication",
    _ENTITY: "Entity Management",
    _ACCESS: "User Access Management",
}
_INFORMATIONAL, _LOW, _MEDIUM, _HIGH, _CRITICAL = 1, 2, 3, 4, 5
_VERDICTS: Final = {"TAMPERED": _CRITICAL, "INCOMPLETE": _HIGH}
_SUCCESS, _FAILURE = 1, 2
_OTHER: Final = 99
_CREATE, _READ, _UPDATE, _DELETE = (1, "Create"), (2, "Read"), (3, "Update"), (4, "Delete")
_read = msgspec.json.Decoder(Entry).decode
_read_facts = msgspec.json.Decoder(dict[str, Any]).decode

Facts = dict[str, Any]


class _Act(NamedTuple):
    class_uid: int
    activity: tuple[int, str]
    said: dict[str, Any]
    severity: int = _INFORMATIONAL
    failed: bool = False


class Event(NamedTuple):
    """An entry as an event: its time in microseconds, its kind, whether it is a failure, OCSF in JSON."""

    at: int
    kind: str
    is_failure: bool
    text: bytes


def event(body: bytes) -> Event:
    """Return an entry of an activity log, known to be in its lawful form, as an event."""
    entry = _read(body)
    facts = _read_facts(entry.facts)
    act = _act(entry, facts)
    number, name = act.activity
    told = {
        "class_uid": act.class_uid,
        "class_name": _CLASSES[act.class_uid],
        "category_uid": _CATEGORY,
        "activity_id": number,
        "activity_name": name,
        "type_uid": act.class_uid * 100 + number,
        "severity_id": act.severity,
        "status_id": _FAILURE if act.failed else _SUCCESS,
        "time": entry.at // 1000,
        "metadata": _metadata(entry, facts),
        **({"actor": _actor(entry.actor)} if entry.actor else {}),
        **act.said,
        "unmapped": _unmapped(entry, facts),
    }
    return Event(entry.at, entry.kind, act.failed, msgspec.json.encode(told))


def _metadata(entry: Entry, facts: Facts) -> dict[str, Any]:
    told: dict[str, Any] = {
        "version": VERSION,
        "product": PRODUCT,
        "uid": f"{entry.log}#{entry.seq}",
        "log_name": entry.log,
        "sequence": entry.seq,
        "event_code": entry.kind,
    }
    if "task" in facts:
        told["correlation_uid"] = facts["task"]
    return told


def _actor(actor: Actor) -> dict[str, Any]:
    match actor.kind:
        case "person":
            return {"user": {"uid": actor.id, "type_id": 1, "type": "User"}}
        case "token":
            return {"user": {"uid": actor.id, "type_id": _OTHER, "type": "Token"}}
        case "cli":
            return {"user": {"name": actor.id, "type_id": 2, "type": "Admin"}}
    return {"app_name": f"{actor.kind}:{actor.id}"}


def _unmapped(entry: Entry, facts: Facts) -> dict[str, Any]:
    """What OCSF has no place for: the facts as they are, the exact time, what the entry refers to."""
    told: dict[str, Any] = {"at_us": entry.at, "facts": facts}
    if entry.ref:
        told["ref"] = {"log": entry.ref.log, "seq": entry.ref.seq}
    if entry.payload:
        told["payload_sha256"] = entry.payload.sha256
    return told


def _act(entry: Entry, facts: Facts) -> _Act:
    made = _ACTS.get(entry.kind)
    return made(entry, facts) if made else _Act(_ENTITY, (_OTHER, "Other"), _entity(entry.kind, None))


def _entity(kind: str, uid: str | None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON is of any type
    return {"entity": {"type": kind, **({"uid": uid} if uid else {"name": kind}), **more}}


def _account(activity: tuple[int, str]) -> Callable[[Entry, Facts], _Act]:
    return lambda _entry, facts: _Act(_ACCOUNT, activity, {"user": _user(facts["person"])})


def _entrance(activity: tuple[int, str]) -> Callable[[Entry, Facts], _Act]:
    def act(_entry: Entry, facts: Facts) -> _Act:
        return _Act(_AUTHENTICATION, activity, {"user": _user(facts["person"]), "service": _SERVICE})

    return act


def _refusals(_entry: Entry, facts: Facts) -> _Act:
    said = {
        "user": {"name": "unknown", "type_id": 0},
        "service": _SERVICE,
        "count": sum(facts["counts"].values()),
        "status_detail": ", ".join(f"{why}: {count}" for why, count in sorted(facts["counts"].items())),
    }
    return _Act(_AUTHENTICATION, (1, "Logon"), said, _LOW, failed=True)


def _grant(activity: tuple[int, str]) -> Callable[[Entry, Facts], _Act]:
    def act(_entry: Entry, facts: Facts) -> _Act:
        role = f"{facts.get('role') or 'any role'} on {facts.get('scope') or '*'}"
        return _Act(_ACCESS, activity, {"user": _user(facts["person"]), "privileges": [role]})

    return act


def _thing(activity: tuple[int, str], kind: str, member: str) -> Callable[[Entry, Facts], _Act]:
    """An act on a thing of ours that a member of the facts names."""
    return lambda _entry, facts: _Act(_ENTITY, activity, _entity(kind, str(facts.get(member) or "") or None))


def _document(_entry: Entry, facts: Facts) -> _Act:
    activity = _CREATE if facts["version"] == 1 else _UPDATE
    named = _entity(facts["document"], facts["name"], version=str(facts["version"]))
    return _Act(_ENTITY, activity, named)


def _access(entry: Entry, _facts: Facts) -> _Act:
    uid = f"{entry.ref.log}#{entry.ref.seq}" if entry.ref else None
    return _Act(_ENTITY, _READ, _entity("payload", uid))


def _export(_entry: Entry, facts: Facts) -> _Act:
    return _Act(_ENTITY, _READ, _entity(facts["what"], facts.get("manifest") or facts.get("model")))


def _verification(_entry: Entry, facts: Facts) -> _Act:
    """What does not verify is a failure, the graver the worse its verdict."""
    said = _entity("logs", facts["what"]) | {"status_detail": facts["verdict"]}
    severity = _VERDICTS.get(facts["verdict"], _INFORMATIONAL)
    return _Act(_ENTITY, _READ, said, severity, failed=severity > _INFORMATIONAL)


def _anchor(_entry: Entry, facts: Facts) -> _Act:
    failed = facts["outcome"] != "kept"
    said = _entity("anchor", facts["anchor"]) | {"status_detail": facts["outcome"]}
    return _Act(_ENTITY, _UPDATE, said, _MEDIUM if failed else _INFORMATIONAL, failed=failed)


def _adopted(_entry: Entry, facts: Facts) -> _Act:
    return _Act(_ENTITY, _UPDATE, _entity("database", facts["system_id"]), _HIGH)


def _continued(entry: Entry, _facts: Facts) -> _Act:
    return _Act(_ENTITY, _CREATE, _entity("log", entry.log), _HIGH)


def _opened(entry: Entry, _facts: Facts) -> _Act:
    return _Act(_ENTITY, _CREATE, _entity("log", entry.log))


def _user(uid: str) -> dict[str, Any]:
    return {"uid": uid, "type_id": 1, "type": "User"}


_SERVICE: Final = {"name": "reviewsvc"}
_ACTS: Final[dict[str, Callable[[Entry, Facts], _Act]]] = {
    "opened": _opened,
    "gap_consented": _thing(_UPDATE, "log", "log"),
    "topic_accepted": _thing(_UPDATE, "topic", "topic"),
    "document": _document,
    "person_added": _account((1, "Create")),
    "person_enabled": _account((2, "Enable")),
    "password_set": _account((3, "Password Change")),
    "person_disabled": _account((5, "Disable")),
    "granted": _grant((1, "Assign Privileges")),
    "grant_ended": _grant((2, "Revoke Privileges")),
    "token_created": _thing(_CREATE, "token", "token"),
    "token_ended": _thing(_DELETE, "token", "token"),
    "logged_in": _entrance((1, "Logon")),
    "logged_out": _entrance((2, "Logoff")),
    "session_ended": _entrance((2, "Logoff")),
    "refusals": _refusals,
    "key_made": _thing(_CREATE, "key", "purpose"),
    "access": _access,
    "decision": _thing(_CREATE, "decision", "decision"),
    "retraction": _thing(_DELETE, "decision", "decision"),
    "task_moved": _thing(_UPDATE, "task", "task"),
    "export": _export,
    "signing_key": _thing(_UPDATE, "signing key", "vkey"),
    "kek_rotated": _thing(_UPDATE, "key", "kek"),
    "verification": _verification,
    "anchor": _anchor,
    "continuation": _continued,
    "restore_adopted": _adopted,
    "erasure_requested": _thing(_CREATE, "erasure", "erasure"),
    "erasure_approved": _thing(_UPDATE, "erasure", "erasure"),
    "erasure_refused": _thing(_DELETE, "erasure", "erasure"),
    "approval_requested": _thing(_CREATE, "approval", "approval"),
    "approval_granted": _thing(_UPDATE, "approval", "approval"),
    "approval_refused": _thing(_DELETE, "approval", "approval"),
    "receiver_told": _thing(_UPDATE, "erasure", "erasure"),
    "erasure": _thing(_DELETE, "subject", "subject"),
    "subject_export": _thing(_READ, "subject", "subject"),
    "hold_placed": _thing(_CREATE, "legal hold", "hold"),
    "hold_released": _thing(_DELETE, "legal hold", "hold"),
    "retention": _thing(_DELETE, "payloads and rows", "table"),
}
