"""Maps entries about subjects and retention to their rows, as `projections` does with all others."""

from typing import NamedTuple
from uuid import UUID

from reviewsvc.domain import subject_facts as sf
from reviewsvc.domain.projections import Place, signed64


class ErasedKeyRow(NamedTuple):
    """A row of `erased_key`."""

    log_id: int
    seq: int
    key_id: bytes


class HoldRow(NamedTuple):
    """A row of `hold`: on a subject's key, a model or a case."""

    log_id: int
    seq: int
    hold_id: UUID
    key_id: bytes | None
    model_id: int | None
    id_hash: bytes | None
    find: int | None


class HoldReleasedRow(NamedTuple):
    """A row of `hold_released`."""

    log_id: int
    seq: int
    hold_id: UUID


class DroppedRow(NamedTuple):
    """A row of `dropped`: a month of a retention class that is no longer kept."""

    log_id: int
    seq: int
    parent: str
    retention_class: int
    since: int
    until: int


def erased_key_row(place: Place, said: sf.Erasure) -> ErasedKeyRow:
    """The row of a key that was destroyed."""
    return ErasedKeyRow(place.log_id, place.seq, bytes.fromhex(said.subject))


def hold_row(place: Place, said: sf.HoldPlaced, model_id: int | None) -> HoldRow:
    """The row of a legal hold; `model_id` is that of the model that is held, if one is."""
    key_id = bytes.fromhex(said.subject) if said.subject else None
    id_hash = bytes.fromhex(said.id) if said.id else None
    find = signed64(said.find) if said.find else None
    held = model_id if said.model and not said.id else None
    return HoldRow(place.log_id, place.seq, UUID(said.hold), key_id, held, id_hash, find)


def hold_released_row(place: Place, said: sf.HoldReleased) -> HoldReleasedRow:
    """The row of a legal hold's end."""
    return HoldReleasedRow(place.log_id, place.seq, UUID(said.hold))


def dropped_row(place: Place, said: sf.Retention, retention_class: int) -> DroppedRow | None:
    """The row of a month that was dropped; None if the entry is about no month."""
    if said.since is None or said.until is None:
        return None
    return DroppedRow(place.log_id, place.seq, said.table, retention_class, said.since, said.until)
