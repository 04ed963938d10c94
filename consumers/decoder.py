"""Kafka record batches, format v2, walked and decoded from raw bytes; what cannot be decoded is a value."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from crc32c import crc32c

from consumers.compression import LIMIT_BYTES, NAMES, CompressionError, unpack
from consumers.records import DecodeError, Record, check_offsets, marker_type, walk

# base offset, length, leader epoch, magic, crc, attributes, last offset delta, first and largest timestamp,
# producer id, producer epoch, base sequence, number of records
_HEADER = struct.Struct(">qiibIhiqqqhii")
_BEFORE_LENGTH_ENDS = 12
_ATTRIBUTES_AT = 21
_MAGIC = 2
_CODEC, _APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20
_ABORT_MARKER = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch, its offsets both inclusive; aborted and control batches carry no records."""

    base_offset: int
    last_offset: int
    leader_epoch: int
    producer_id: int
    is_transactional: bool
    is_control: bool
    is_aborted: bool
    compression: str
    records: list[Record]


@dataclass(frozen=True, slots=True)
class Fault:
    """A batch that cannot be decoded, with the offsets that it claims (inclusive) and its raw bytes.

    If `crc_ok`, the offsets are what the producer and broker wrote and the walk went on behind them;
    if not, nothing of it can be trusted and the walk ended here.
    """

    base_offset: int
    last_offset: int
    leader_epoch: int
    crc_ok: bool
    reason: str
    raw: bytes


class Frame(NamedTuple):
    """Where one batch lies in a record set, and what its header says."""

    start: int
    end: int
    base_offset: int
    last_offset: int
    leader_epoch: int
    attributes: int
    producer_id: int
    records: int


def frames(raw: bytes | memoryview, start: int = 0) -> Iterator[Frame]:
    """Walk the headers of a record set's complete batches, up to the first that is cut or strange."""
    size = len(raw)
    while start + _HEADER.size <= size:
        header = _HEADER.unpack_from(raw, start)
        end = start + _BEFORE_LENGTH_ENDS + header[1]
        if header[3] != _MAGIC or end > size or end - start < _HEADER.size or header[6] < 0:
            return
        base = header[0]
        yield Frame(start, end, base, base + header[6], header[2], header[5], header[9], header[12])
        start = end


class Decoder:
    """Decodes the record sets of one fetch answer, in order; it remembers which transactions were aborted."""

    def __init__(self, aborted: Iterable[tuple[int, int]] = (), *, limit_bytes: int = LIMIT_BYTES) -> None:
        """Take the answer's aborted transactions as (producer id, first offset)."""
        self._waiting = sorted(aborted, key=itemgetter(1), reverse=True)
        self._open: set[int] = set()
        self._limit_bytes = limit_bytes

    def decode(self, raw: bytes | memoryview, from_offset: int) -> list[Batch | Fault]:
        """Decode complete batches, leaving out records older than `from_offset`; never raises.

        A cut batch at the end is left for the next fetch; a set that holds no complete batch is one Fault.
        """
        found: list[Batch | Fault] = []
        end = 0
        for frame in frames(raw):
            found.append(self._batch(frame, raw, from_offset))
            end = frame.end
            last = found[-1]
            if isinstance(last, Fault) and not last.crc_ok:
                return found
        if end < len(raw) and (not found or not is_cut(raw, end)):
            found.append(_strange(raw, end, from_offset))
        return found

    def _batch(self, frame: Frame, raw: bytes | memoryview, from_offset: int) -> Batch | Fault:
        data = bytes(raw[frame.start : frame.end])
        header = _HEADER.unpack_from(data)
        if crc32c(memoryview(data)[_ATTRIBUTES_AT:]) != header[4]:
            return _fault(frame, "its checksum (CRC-32C) is wrong", data, crc_ok=False)
        attributes = frame.attributes
        control = bool(attributes & _CONTROL)
        try:
            aborted = self._is_aborted(frame, data)
            records = [] if control or aborted else _records(data, header, from_offset, self._limit_bytes)
        except (DecodeError, CompressionError) as error:
            return _fault(frame, str(error), data, crc_ok=True)
        return Batch(
            base_offset=frame.base_offset,
            last_offset=frame.last_offset,
            leader_epoch=frame.leader_epoch,
            producer_id=frame.producer_id,
            is_transactional=bool(attributes & _TRANSACTIONAL),
            is_control=control,
            is_aborted=aborted,
            compression=NAMES[attributes & _CODEC] if attributes & _CODEC < len(NAMES) else "unknown",
            records=records,
        )

    def _is_aborted(self, frame: Frame, data: bytes) -> bool:
        """Follow Apache Kafka: a transaction is aborted from its first offset to its abort marker."""
        producer_id = frame.producer_id
        if producer_id < 0:
            return False
        while self._waiting and self._waiting[-1][1] <= frame.last_offset:
            self._open.add(self._waiting.pop()[0])
        if frame.attributes & _CONTROL:
            if frame.records > 0 and marker_type(data, _HEADER.size) == _ABORT_MARKER:
                self._open.discard(producer_id)
            return False
        return bool(frame.attributes & _TRANSACTIONAL) and producer_id in self._open


def _fault(frame: Frame, reason: str, data: bytes, *, crc_ok: bool) -> Fault:
    return Fault(frame.base_offset, frame.last_offset, frame.leader_epoch, crc_ok, reason, data)


def is_cut(raw: bytes | memoryview, start: int) -> bool:
    """Say whether a batch may begin at `start` that goes on behind the fetch's end."""
    if len(raw) - start < _HEADER.size:
        return True
    header = _HEADER.unpack_from(raw, start)
    return bool(header[3] == _MAGIC and start + _BEFORE_LENGTH_ENDS + header[1] > len(raw))


def _strange(raw: bytes | memoryview, start: int, from_offset: int) -> Fault:
    """Describe bytes that are no v2 batch; offsets are those of its header if it has one that fits."""
    data = bytes(raw[start:])
    if len(data) < _HEADER.size:
        reason = "the broker sent less than a batch header"
        return Fault(from_offset, from_offset, -1, crc_ok=False, reason=reason, raw=data)
    header = _HEADER.unpack_from(data)
    if header[3] != _MAGIC:
        reason = f"message format {header[3]} is not supported: only format 2, of Kafka 0.11 and later, is"
    else:
        reason = f"a batch header with length {header[1]} and last offset delta {header[6]} makes no sense"
    base = max(header[0], from_offset)
    last = max(base, header[0] + header[6])
    return Fault(base, last, header[2], crc_ok=False, reason=reason, raw=data)


def _records(data: bytes, header: tuple[int, ...], from_offset: int, limit_bytes: int) -> list[Record]:
    """Decode a data batch's records; offsets must rise and stay inside what the header says."""
    base, attributes, first_at, count = header[0], header[5], header[7], header[12]
    append_at = header[8] if attributes & _APPEND_TIME else None
    codec = attributes & _CODEC
    plain, at = (unpack(codec, data[_HEADER.size :], limit_bytes), 0) if codec else (data, _HEADER.size)
    if count < 0:
        raise DecodeError(f"it says that it holds {count} records")
    try:
        records, at = walk(plain, at, count, base, first_at)
    except IndexError as error:
        raise DecodeError("its records end early") from error
    if at != len(plain):
        raise DecodeError(f"{len(plain) - at} bytes are left over behind its {count} records")
    check_offsets(records, base, base + header[6])
    if append_at is not None:
        records = [(offset, append_at, key, value, headers) for offset, _, key, value, headers in records]
    if records and records[0][0] < from_offset:
        records = [record for record in records if record[0] >= from_offset]
    return records
