"""Brings contracts, policies and queues into force; every version is kept and is an entry."""

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, NamedTuple

from reviewsvc.db import documents as rows
from reviewsvc.db import generation, installations, labels, logs
from reviewsvc.db.documents import Kept, RetentionClass
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain import facts
from reviewsvc.domain.contract import Contract, Retention
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.moments import microseconds, moment
from reviewsvc.domain.policy import Policy
from reviewsvc.usecases.activity import Said, record
from reviewsvc.usecases.auth import Current
from reviewsvc.usecases.differences import difference
from reviewsvc.usecases.documents import Document, DocumentsError, InForce, check_together, read_stored
from reviewsvc.usecases.keyring import Keyring

_ORDER: Final = ("queue", "contract", "policy")
_PERMISSIONS: Final = {"contract": "contracts.apply", "policy": "policies.apply", "queue": "queues.apply"}


class Change(NamedTuple):
    """What applying changes: a document's next version, and each field that differs from the one in force."""

    kind: str
    name: str
    version: int
    sha256: str
    difference: tuple[str, ...]
    file: str


def plan(sessions: Sessions, documents: Sequence[Document]) -> list[Change]:
    """Return what applying these documents would change; nothing where they are in force already.

    Raises DocumentsError, one line a fault, if they do not fit each other and what stays in force.
    """
    with sessions.begin() as session:
        return [change for _, change in _changes(session, documents)]


def apply(
    sessions: Sessions, keyring: Keyring, documents: Sequence[Document], *, actor: Actor, at: datetime
) -> list[Change]:
    """Bring documents into force, all or none, and return what changed; raises what `plan` raises."""
    if not plan(sessions, documents):
        return []
    with sessions.begin() as session:
        # Alone from here on: batches that are being built under the old documents are built again.
        generation.bump(session)
        changes = _changes(session, documents)
        for document, change in changes:
            _put(session, document, change, at)
        said = [_said(document, change) for document, change in changes]
        for (document, change), place in zip(
            changes, record(session, keyring, said, actor=actor, at=at), strict=True
        ):
            columns = _columns(document, change, moment(place.at))
            rows.add(session, rows.kept(columns, place))
    return [change for _, change in changes]


def require_may(who: Current, documents: Sequence[Document]) -> None:
    """Raise PermissionDeniedError unless this person may apply all of these documents."""
    for document in documents:
        permission = _PERMISSIONS[document.kind]
        if document.kind == "queue":
            who.require(permission, queue=document.name)
        else:
            who.require(permission, model=document.name)


def in_force(sessions: Sessions) -> list[Kept]:
    """Return the version in force of every document, by kind and name."""
    with sessions.begin() as session:
        return rows.newest(session)


def history(sessions: Sessions, kind: str, name: str) -> list[tuple[Kept, list[str]]]:
    """Return every version of a document with what it changed, the newest first; empty if there is none."""
    with sessions.begin() as session:
        kept = rows.versions(session, kind, name)
    data = [*(json.loads(each.body) for each in kept), None]
    return [(each, difference(before, now)) for each, (now, before) in zip(kept, pairwise(data), strict=True)]


def _changes(session: Session, documents: Sequence[Document]) -> list[tuple[Document, Change]]:
    kept = {(each.kind, each.name): each for each in rows.newest(session)}
    _check_once(documents)
    check_together(documents, _in_force(kept.values()))
    _check_retention(documents, rows.retention_classes(session))
    ordered = sorted(documents, key=lambda each: (_ORDER.index(each.kind), each.name))
    changes = [(each, _change(each, kept.get((each.kind, each.name)))) for each in ordered]
    return [(document, change) for document, change in changes if change is not None]


def _change(document: Document, old: Kept | None) -> Change | None:
    if old is not None and old.sha256 == document.sha256:
        return None
    before: Any = json.loads(old.body) if old else None
    return Change(
        document.kind,
        document.name,
        old.version + 1 if old else 1,
        document.sha256.hex(),
        tuple(difference(before, document.data)),
        document.file,
    )


def _in_force(kept: Any) -> InForce:  # noqa: ANN401 - a view of Kept
    bodies = [read_stored(each.kind, each.body) for each in kept]
    return InForce(
        contracts={body.name: body for body in bodies if isinstance(body, Contract)},
        policies={body.name: body for body in bodies if isinstance(body, Policy)},
        queues={each.name for each in kept if each.kind == "queue"},
    )


def _check_once(documents: Sequence[Document]) -> None:
    first: dict[tuple[str, str], Document] = {}
    faults = []
    for document in documents:
        before = first.setdefault((document.kind, document.name), document)
        if before is not document:
            told = f"expected each {document.kind} once, got {document.name} again"
            faults.append(f"{document.place(('name',))}: {told} (first in {before.file})")
    if faults:
        raise DocumentsError(faults)


def _check_retention(documents: Sequence[Document], known: dict[str, RetentionClass]) -> None:
    days = {name: (each.keep_days, each.prediction_days) for name, each in known.items()}
    faults = []
    for document in documents:
        if isinstance(document.body, Contract):
            asked = document.body.retention
            kept = days.setdefault(asked.name, (asked.keep_days, asked.prediction_days))
            wanted = {"keep_days": asked.keep_days, "prediction_days": asked.prediction_days}
            for (name, got), keeps in zip(wanted.items(), kept, strict=True):
                if got != keeps:
                    place = document.place(("retention", name))
                    expected = f"{keeps or 'none'}, as long as the class {asked.name} keeps, or another class"
                    faults.append(f"{place}: retention.{name}: expected {expected}, got {got or 'none'}")
    if faults:
        raise DocumentsError(faults)


def _put(session: Session, document: Document, change: Change, at: datetime) -> None:
    body = document.body
    if isinstance(body, Contract):
        _put_model(session, body, change.version, at)
    elif isinstance(body, Policy):
        rows.update_model(session, body.name, policy_version=change.version)
    else:
        rows.put_queue(session, body.name, change.version)


def _put_model(session: Session, contract: Contract, version: int, at: datetime) -> None:
    retention = _retention_class(session, contract.retention, at).retention_class
    if rows.has_model(session, contract.name):
        rows.update_model(session, contract.name, contract_version=version, retention_class=retention)
        return
    # After a restore the model may be unknown, and the labels that it had are lost: its log goes on.
    lost = labels.logs_of(session, contract.name)
    log_id = (
        lost[-1].log_id
        if lost
        else logs.create(session, "labels", contract.name, clock=microseconds(at), why="new model")
    )
    rows.add_model(
        session, contract.name, contract_version=version, retention_class=retention, label_log_id=log_id
    )


def _retention_class(session: Session, asked: Retention, at: datetime) -> RetentionClass:
    known = rows.retention_classes(session).get(asked.name)
    if known is None:
        known = rows.add_retention_class(session, asked.name, asked.keep_days, asked.prediction_days)
        installations.ensure_months(session, at)
    return known


def _said(document: Document, change: Change) -> Said:
    said = facts.Document(document.kind, document.name, change.version, change.sha256)
    return Said("document", said, payload=document.canonical, about=document.name)


def _columns(document: Document, change: Change, at: datetime) -> dict[str, Any]:
    return {
        "kind": document.kind,
        "name": document.name,
        "version": change.version,
        "body": document.canonical,
        "sha256": document.sha256,
        "applied_at": at,
    }
