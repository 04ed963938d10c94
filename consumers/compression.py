"""The four codecs of Kafka's record batches, each with an upper bound on what it may unpack to."""

import struct
import zlib

import snappy
import zstandard
from lz4.frame import LZ4FrameDecompressor

NAMES = ("none", "gzip", "snappy", "lz4", "zstd")
LIMIT_BYTES = 128 * 1024 * 1024
_GZIP_WINDOW = 31
_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES = 16


class CompressionError(Exception):
    """A batch's compressed part cannot be unpacked, or unpacks to more than the limit."""


def unpack(codec: int, data: bytes, limit: int = LIMIT_BYTES) -> bytes:
    """Unpack the records of a batch; sizes in bytes. Raises CompressionError and nothing else."""
    if codec >= len(NAMES):
        raise CompressionError(f"compression type {codec} is unknown: have the producer use one of {NAMES}")
    try:
        unpacked = _UNPACKERS[codec](data, limit)
    except CompressionError:
        raise
    except Exception as error:
        raise CompressionError(f"{NAMES[codec]} data cannot be unpacked: {error!r}") from error
    if len(unpacked) > limit:
        raise CompressionError(f"{NAMES[codec]} data unpacks to more than {limit} bytes")
    return unpacked


def _plain(data: bytes, _limit: int) -> bytes:
    return data


def _gzip(data: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while data and size <= limit:
        stream = zlib.decompressobj(_GZIP_WINDOW)
        parts.append(stream.decompress(data, limit + 1 - size))
        size += len(parts[-1])
        if not stream.eof and size <= limit:
            raise CompressionError("gzip data ends early")
        data = stream.unused_data
    return b"".join(parts)


def _lz4(data: bytes, limit: int) -> bytes:
    stream = LZ4FrameDecompressor()
    unpacked: bytes = stream.decompress(data, max_length=limit + 1)
    if not stream.eof and len(unpacked) <= limit:
        raise CompressionError("lz4 data ends early")
    return unpacked


def _zstd(data: bytes, limit: int) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
        return reader.read(limit + 1)


def _snappy(data: bytes, limit: int) -> bytes:
    if not data.startswith(_XERIAL):
        return _snappy_block(data, limit)
    parts: list[bytes] = []
    size = 0
    at = _XERIAL_HEADER_BYTES
    while at < len(data):
        (length,) = struct.unpack_from(">i", data, at)
        at += 4
        if length <= 0 or at + length > len(data):
            raise CompressionError("snappy data has a block that is longer than what is left")
        parts.append(_snappy_block(data[at : at + length], limit - size))
        size += len(parts[-1])
        at += length
    return b"".join(parts)


def _snappy_block(data: bytes, limit: int) -> bytes:
    promised = 0
    for place, byte in enumerate(data[:5]):
        promised |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004 - the top bit says that another byte follows
            break
    if promised > limit:
        raise CompressionError(f"snappy data promises {promised} bytes, more than the limit")
    unpacked: bytes = snappy.decompress(data)
    return unpacked


_UNPACKERS = (_plain, _gzip, _snappy, _lz4, _zstd)
