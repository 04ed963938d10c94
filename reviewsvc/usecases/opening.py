"""Opens the payloads of many entries about cases at once."""

from collections.abc import Callable, Iterable
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import psycopg

from reviewsvc import telemetry
from reviewsvc.crypto.envelope import EnvelopeError
from reviewsvc.crypto.kek import KekError
from reviewsvc.db import sealed
from reviewsvc.db.hot import keys
from reviewsvc.db.sealed import SealedEntry
from reviewsvc.domain.case_secrets import ERASED, CaseSecrets, read_secrets
from reviewsvc.domain.entries import Payload
from reviewsvc.usecases.keyring import Keyring

_log = telemetry.logger("opening")


class WithPayload(Protocol):
    """An entry, or what a reader needs of one."""

    @property
    def seq(self) -> int: ...

    @property
    def payload(self) -> Payload | None: ...


E = TypeVar("E", bound=WithPayload)


class Opened(NamedTuple, Generic[E]):
    """An entry and its secrets; None once they can not be opened any more."""

    entry: E
    secrets: CaseSecrets | None


class Part(NamedTuple):
    """A part of one log: seqs above `after` and below `before`, at most `limit` of them."""

    log_id: int
    after: int
    before: int
    limit: int


def read(connection: psycopg.Connection[Any], part: Part) -> list[SealedEntry]:
    """Read entries with their payloads as stored."""
    return sealed.read(connection, *part)


def open_all(
    connection: psycopg.Connection[Any],
    keyring: Keyring,
    rows: Iterable[SealedEntry],
    decode: Callable[[bytes], E],
) -> list[Opened[E]]:
    """Decode entries that were read and open their secrets; the keys are fetched with one query.

    `decode` may trust the bytes: what is in the log is in its lawful form, and the verifier looks at that.
    """
    decoded = [(decode(row.body), row.ciphertext) for row in rows]
    wanted = {entry.payload.key for entry, _ in decoded if entry.payload}
    found = keys.wrapped(connection, wanted) if wanted else {}
    return [Opened(entry, _open(entry, stored, found, keyring)) for entry, stored in decoded]


def _open(
    entry: WithPayload, stored: bytes | None, found: dict[str, bytes], keyring: Keyring
) -> CaseSecrets | None:
    said = entry.payload
    wrapped = found.get(said.key) if said else None
    if said is None or stored is None or wrapped is None:
        return None
    try:
        opened = read_secrets(keyring.cipher(wrapped).open(stored, bytes.fromhex(said.commit)))
    except (EnvelopeError, KekError) as error:
        # One payload that is damaged must not keep all that follow from leaving; `audit verify` names it.
        _log.error("a payload does not open", key=said.key, seq=entry.seq, reason=str(error))
        return None
    # What was said after an erasure was sealed empty: it can be opened, and tells as little.
    return None if opened == ERASED else opened
