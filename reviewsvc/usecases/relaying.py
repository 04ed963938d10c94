"""What leaves of a log, as messages: labels, final answers of activity logs, the root log's checkpoints."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
import psycopg

from reviewsvc.db.hot import relays
from reviewsvc.db.hot.relays import RelayedLog
from reviewsvc.db.sealed import SealedEntry
from reviewsvc.domain import restores
from reviewsvc.domain.decisions import decision_record, may_end, read_ending
from reviewsvc.domain.entries import Entry
from reviewsvc.domain.facts import TopicAccepted
from reviewsvc.domain.labels import is_label, label_record, read_label_entry
from reviewsvc.usecases import opening
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.opening import Part, open_all

AT_ONCE: Final = 500
_read_entry: Final = msgspec.json.Decoder(Entry).decode
_encode: Final = msgspec.json.Encoder().encode


class Message(NamedTuple):
    """One record of a topic: its key (the prediction's keyed hash in hex, or the log), value and headers."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Leaving(NamedTuple):
    """What leaves of a part of a log, and the seq up to which that part reaches."""

    messages: list[Message]
    up_to: int


def before(connection: psycopg.Connection[Any], log: RelayedLog) -> list[Message]:
    """Return what the readers of a log must know before all else: after a restore, that it goes on as this.

    The root log's topic has signed notes and nothing else: there the new origin in them says it.
    """
    first = relays.continuation(connection, log.log_id)
    if first is None or log.kind == "root":
        return []
    value = _encode({"op": "continuation", **restores.told(log.name, first)})
    headers = [("kind", b"continuation"), *_place(log.name, 0)]
    return [Message(log.name.encode(), value, headers)]


def is_accepted(connection: psycopg.Connection[Any], topic: str, topic_id: str) -> bool:
    """Say whether an operator has accepted that a topic is another than was sent to, by its id."""
    body = relays.accepted(connection, topic)
    if body is None:
        return False
    said = msgspec.json.decode(_read_entry(body).facts, type=TopicAccepted)
    return (said.topic, said.topic_id) == (topic, topic_id)


def read(connection: psycopg.Connection[Any], keyring: Keyring, log: RelayedLog, after: int) -> Leaving:
    """Read what leaves of the next few hundred entries after a seq."""
    if log.kind == "root":
        return _checkpoints(connection, log, after)
    rows = opening.read(connection, Part(log.log_id, after, log.size, AT_ONCE))
    messages = _labels if log.kind == "labels" else _decisions
    found = list(messages(connection, keyring, log.name, rows))
    return Leaving(found, rows[-1].seq if rows else after)


def _labels(
    connection: psycopg.Connection[Any], keyring: Keyring, log: str, rows: list[SealedEntry]
) -> Iterator[Message]:
    made = [row for row in rows if is_label(row.body)]
    for entry, secrets in open_all(connection, keyring, made, read_label_entry):
        record = label_record(log, entry, secrets)
        headers = [("label_id", record.label_id.encode()), *_place(log, record.seq)]
        yield Message(entry.facts.id.encode(), _encode(record), headers)


def _decisions(
    connection: psycopg.Connection[Any], keyring: Keyring, log: str, rows: list[SealedEntry]
) -> Iterator[Message]:
    ends = [row for row in rows if may_end(row.body)]
    for entry, secrets in open_all(connection, keyring, ends, _read_entry):
        said = read_ending(entry)
        if said is not None:
            record = decision_record(log, entry, said, secrets)
            yield Message(said.id.encode(), _encode(record), _place(log, entry.seq))


def _checkpoints(connection: psycopg.Connection[Any], log: RelayedLog, after: int) -> Leaving:
    """Each signed note, byte for byte: what a monitor needs to notice another history."""
    rows = relays.checkpoints(connection, log, after, AT_ONCE)
    found = [Message(log.name.encode(), note.encode(), _place(log.name, seq)) for seq, note in rows]
    return Leaving(found, rows[-1][0] if rows else log.size - 1)


def _place(log: str, seq: int) -> list[tuple[str, bytes]]:
    return [("log", log.encode()), ("seq", str(seq).encode())]
