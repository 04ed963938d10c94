"""What became of what is kept of a case: erasures, holds, dropped months, and the bundles that it left in."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from reviewsvc.db import case_keeping as rows
from reviewsvc.db.case_keeping import Marks
from reviewsvc.db.sessions import Session
from reviewsvc.domain import facts as f
from reviewsvc.domain.entries import Entry, parse
from reviewsvc.domain.export_facts import Traits, reaches
from reviewsvc.domain.keeping_words import tell
from reviewsvc.domain.story_words import Told

_BUNDLES: Final = frozenset({"bundle", "download"})


class Placed(NamedTuple):
    """An entry about a case, where it stands, who acted, and what it says."""

    log_id: int
    log: str
    entry: Entry
    actor: str | None
    told: Told


def told_of(session: Session, row: sa.Row[Any], entry: Entry, known: Iterable[Placed]) -> list[Placed]:
    """Return what became of a case, given its prediction's row and entry, and the other entries about it."""
    traits = _traits(row, entry, known)
    found = [(each, parse(bytes(each.body))) for each in rows.about(session, marks(row, entry))]
    return [
        Placed(each.log_id, each.log, read, each.actor, tell(read))
        for each, read in found
        if _concerns(read, traits)
    ]


def marks(row: sa.Row[Any], entry: Entry) -> Marks:
    """Return by what a case is found in what concerns more than one."""
    return Marks(bytes.fromhex(entry.payload.key if entry.payload else ""), row.model, row)


def _concerns(entry: Entry, traits: Traits) -> bool:
    said = msgspec.json.decode(entry.facts, type=f.KINDS[entry.kind])
    if not isinstance(said, f.Export) or said.about is None:
        return True
    return said.what in _BUNDLES and reaches(said.about, said.model, entry.at, traits)


def _traits(row: sa.Row[Any], entry: Entry, known: Iterable[Placed]) -> Traits:
    entries = list(known)
    given = [each.entry for each in entries if each.entry.kind == "decision"]
    return Traits(
        id=bytes(row.id_hash).hex(),
        model=row.model,
        subject=entry.payload.key if entry.payload else None,
        reviewers={msgspec.json.decode(each.facts, type=f.Decision).reviewer for each in given},
        queues={name for name in (row.queue, row.task_queue) if name},
        places={(each.log, each.entry.at) for each in entries},
    )
