"""Holds how long payloads and rows are kept against the contracts, which say so."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from msgspec.json import decode

from reviewsvc.db.hot import scan
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.hot.scan import Kept

# What the service says of itself, and what it could not read, are of classes that no contract names.
_OWN: Final = (Kept("service", 3_650, None), Kept("quarantine", 180, None))


class _Retention(Struct, rename={"name": "class"}):
    name: str
    keep_days: int
    prediction_days: int | None = None


class _Contract(Struct):
    retention: _Retention


def check(conn: Connected) -> Iterator[str]:
    """Yield each retention class that keeps for another time than the contracts say that name it."""
    # In this order: a class comes with the contract that names it.
    found, models = scan.retention_classes(conn), scan.models_kept(conn)
    said = {(name, version): kept for name, version, body in scan.contracts(conn) if (kept := _said(body))}
    for each in found:
        if each not in {*_OWN, *said.values()}:
            days = f"{each.keep_days} days, rows {each.prediction_days or 'for good'}"
            yield f"the retention class {each.name} keeps {days}, and no contract says so"
    for name, version, actual in models:
        if (name, version) in said and said[name, version].name != actual:
            yield f"the model {name} is kept as the retention class {actual}, its contract says another"


def _said(body: bytes) -> Kept | None:
    try:
        said = decode(body, type=_Contract).retention
    except ValueError:
        # The stored contract was changed: its own entry tells that.
        return None
    return Kept(said.name, said.keep_days, said.prediction_days)
