"""What leaves of a log, as messages: labels of label logs, final answers of activity logs."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec
import psycopg

from reviewsvc.db.relays import RelayedLog
from reviewsvc.domain.decisions import decision_record, read_ending
from reviewsvc.domain.labels import label_record, read_label
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.opening import Opened, read_opened

AT_ONCE: Final = 500
_encode: Final = msgspec.json.Encoder().encode


class Message(NamedTuple):
    """One record of a topic: its key (the prediction's keyed hash in hex), its value and its headers."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Leaving(NamedTuple):
    """What leaves of a part of a log, and the seq up to which that part reaches."""

    messages: list[Message]
    up_to: int


def read(connection: psycopg.Connection[Any], keyring: Keyring, log: RelayedLog, after: int) -> Leaving:
    """Read what leaves of the next few hundred entries after a seq."""
    opened = read_opened(connection, keyring, log.log_id, after=after, before=log.size, limit=AT_ONCE)
    message = _MESSAGES[log.kind]
    found = [made for one in opened if (made := message(log.name, one)) is not None]
    return Leaving(found, opened[-1].entry.seq if opened else after)


def _label(log: str, opened: Opened) -> Message | None:
    if opened.entry.kind != "label":
        return None
    said = read_label(opened.entry.facts)
    record = label_record(log, opened.entry, said, opened.secrets)
    headers = [("label_id", record.label_id.encode()), *_place(log, record.seq)]
    return Message(said.id.encode(), _encode(record), headers)


def _decision(log: str, opened: Opened) -> Message | None:
    said = read_ending(opened.entry)
    if said is None:
        return None
    record = decision_record(log, opened.entry, said, opened.secrets)
    return Message(said.id.encode(), _encode(record), _place(log, opened.entry.seq))


def _place(log: str, seq: int) -> list[tuple[str, bytes]]:
    return [("log", log.encode()), ("seq", str(seq).encode())]


_MESSAGES: Final[dict[str, Callable[[str, Opened], Message | None]]] = {
    "labels": _label,
    "activity": _decision,
}
