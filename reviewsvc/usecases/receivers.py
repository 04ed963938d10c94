"""Who had received something of a subject before its erasure, each a thing to do: to tell them."""

from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from reviewsvc.db import receivers as rows
from reviewsvc.db.receivers import Left
from reviewsvc.db.sessions import Session
from reviewsvc.db.subjects import Kept
from reviewsvc.domain import facts as f
from reviewsvc.domain.entries import parse
from reviewsvc.domain.export_facts import Traits, reaches
from reviewsvc.usecases import names


def left(session: Session, key_id: bytes, found: Kept) -> list[Left]:
    """Return what had left of a subject's data, or of a quarantined event's, and to whom."""
    if not found.predictions:
        return rows.of_event(session, key_id)
    return rows.of_subject(session, key_id, found) + _bundles(session, key_id, found)


def names_of(session: Session, receivers: set[str]) -> dict[str, str]:
    """Return what receivers are called: topics as they are, people and tokens by their names."""
    split = {each: each.split(":") for each in receivers}
    tokens = rows.token_names(session, [UUID(parts[2]) for parts in split.values() if len(parts) > 2])  # noqa: PLR2004 - kind, person, token
    people = {":".join(parts[:2]) for parts in split.values() if parts[0] in ("person", "token")}
    known = names.called(session, people)
    return {each: _name(parts, known, tokens) for each, parts in split.items()}


def _name(parts: list[str], known: dict[str, str], tokens: dict[UUID, str]) -> str:
    kind, *rest = parts
    if kind not in ("person", "token") or not rest:
        return rest[0] if kind == "cli" and rest else ":".join(parts)
    name = known[f"{kind}:{rest[0]}"]
    return f"{name} {tokens.get(UUID(rest[1]), 'that is gone')}" if len(rest) > 1 else name


def _bundles(session: Session, key_id: bytes, found: Kept) -> list[Left]:
    """Each bundle with payloads that held something of the subject, by whoever made or took it."""
    made = rows.bundles(session, rows.first_at(found))
    cases = _traits(session, key_id, found) if made else []
    return [
        Left(said.what, row.actor, said.payloads or 0, row.at)
        for row in made
        if (said := _said(row)).payloads and _holds(said, row.at, cases)
    ]


def _said(row: sa.Row[Any]) -> f.Export:
    return msgspec.json.decode(parse(bytes(row.body)).facts, type=f.Export)


def _holds(said: f.Export, at: int, cases: list[Traits]) -> bool:
    # What a bundle does not say that it left out counts as in it.
    return said.about is None or any(reaches(said.about, said.model, at, case) for case in cases)


def _traits(session: Session, key_id: bytes, found: Kept) -> list[Traits]:
    spots: dict[bytes, list[sa.Row[Any]]] = {}
    for spot in rows.spots(session, found):
        spots.setdefault(bytes(spot.id_hash), []).append(spot)
    return [_case(row, key_id, spots.get(bytes(row.id_hash), [])) for row in found.predictions]


def _case(row: sa.Row[Any], key_id: bytes, spots: list[sa.Row[Any]]) -> Traits:
    return Traits(
        id=bytes(row.id_hash).hex(),
        model=row.model,
        subject=key_id.hex(),
        reviewers={str(spot.reviewer_id) for spot in spots if spot.reviewer_id},
        queues={spot.queue for spot in spots if spot.queue},
        places={(row.log, row.at), *((spot.log, spot.at) for spot in spots)},
    )
