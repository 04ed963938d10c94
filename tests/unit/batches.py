"""Record batches as kafka-python itself writes them."""

import struct
from collections.abc import Sequence

from crc32c import crc32c
from kafka.record.default_records import DefaultRecordBatchBuilder

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
AT_MS = 1_790_000_000_000
Row = tuple[int, bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]
CRC_AT, ATTRIBUTES_AT = 17, 21


def batch(
    rows: Sequence[Row],
    *,
    base: int = 0,
    codec: str = "none",
    epoch: int = 0,
    producer_id: int = -1,
    transactional: bool = False,
) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=CODECS[codec],
        is_transactional=transactional,
        producer_id=producer_id,
        producer_epoch=0 if producer_id >= 0 else -1,
        base_sequence=0 if producer_id >= 0 else -1,
        batch_size=1 << 30,
    )
    for delta, (at_ms, key, value, headers) in enumerate(rows):
        builder.append(delta, at_ms, key, value, list(headers))
    data = bytearray(builder.build())
    struct.pack_into(">q", data, 0, base)
    struct.pack_into(">i", data, 12, epoch)
    return bytes(data)


def values(*texts: bytes | None) -> list[Row]:
    return [(AT_MS + i, None, text, ()) for i, text in enumerate(texts)]


def resealed(data: bytes) -> bytes:
    """The same bytes with the checksum that fits them."""
    changed = bytearray(data)
    struct.pack_into(">I", changed, CRC_AT, crc32c(data[ATTRIBUTES_AT:]))
    return bytes(changed)


def marker(*, base: int, producer_id: int, commit: bool) -> bytes:
    """A control batch that ends a transaction."""
    key = struct.pack(">hh", 0, int(commit))
    data = bytearray(
        batch([(AT_MS, key, b"\0" * 6, ())], base=base, producer_id=producer_id, transactional=True)
    )
    (attributes,) = struct.unpack_from(">h", data, ATTRIBUTES_AT)
    struct.pack_into(">h", data, ATTRIBUTES_AT, attributes | 0x20)
    return resealed(bytes(data))
