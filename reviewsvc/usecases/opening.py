"""Opens the payloads of many entries about cases at once."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
import psycopg

from reviewsvc import telemetry
from reviewsvc.crypto.envelope import EnvelopeError
from reviewsvc.crypto.kek import KekError
from reviewsvc.db import sealed
from reviewsvc.db.sealed import SealedEntry
from reviewsvc.domain.case_secrets import ERASED, CaseSecrets, read_secrets
from reviewsvc.domain.entries import Entry
from reviewsvc.usecases.keyring import Keyring

_log = telemetry.logger("opening")
# Bytes that came from the log are in their lawful form already: the verifier looks at that, not every reader.
_read_entry = msgspec.json.Decoder(Entry).decode


class Opened(NamedTuple):
    """An entry and its secrets; None once they can not be opened any more."""

    entry: Entry
    secrets: CaseSecrets | None


def read_opened(
    connection: psycopg.Connection[Any],
    keyring: Keyring,
    log_id: int,
    *,
    after: int,
    before: int,
    limit: int,
) -> list[Opened]:
    """Read up to `limit` entries between two seqs, both left out, with their secrets."""
    rows = sealed.read(connection, log_id, after=after, before=before, limit=limit)
    return open_all(connection, keyring, rows)


def open_all(
    connection: psycopg.Connection[Any], keyring: Keyring, rows: Iterable[SealedEntry]
) -> list[Opened]:
    """Open the secrets of entries that were read; the keys are fetched with one query."""
    read = [(_read_entry(row.body), row.ciphertext) for row in rows]
    wanted = {bytes.fromhex(entry.payload.key) for entry, _ in read if entry.payload}
    found = sealed.wrapped_keys(connection, list(wanted)) if wanted else []
    keys = {bytes(key_id).hex(): bytes(wrapped) for key_id, wrapped in found}
    return [
        Opened(entry, _open(entry, stored, keys.get(entry.payload.key) if entry.payload else None, keyring))
        for entry, stored in read
    ]


def _open(entry: Entry, stored: bytes | None, wrapped: bytes | None, keyring: Keyring) -> CaseSecrets | None:
    said = entry.payload
    if said is None or stored is None or wrapped is None:
        return None
    try:
        opened = read_secrets(keyring.cipher(wrapped).open(stored, bytes.fromhex(said.commit)))
    except (EnvelopeError, KekError) as error:
        # One payload that is damaged must not keep all that follow from leaving; `audit verify` names it.
        _log.error("a payload does not open", log=entry.log, seq=entry.seq, reason=str(error))
        return None
    # What was said after an erasure was sealed empty: it can be opened, and tells as little.
    return None if opened == ERASED else opened
