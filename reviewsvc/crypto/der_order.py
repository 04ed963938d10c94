"""Puts the certificates of a time stamp into the order that DER asks for; many authorities do not.

What an authority signs does not cover that order, and lengths do not change: only places are exchanged.
"""

from typing import Final, NamedTuple

_SEQUENCE: Final = 0x30
_FIRST: Final = 0xA0
_LONG: Final = 0x80


class _Part(NamedTuple):
    """A value in its DER encoding: its tag, where it begins, where its content begins, where it ends."""

    tag: int
    begin: int
    content: int
    end: int


def with_sorted_certificates(answer: bytes) -> bytes:
    """Return an answer with its certificates in order; one of another form as it is."""
    try:
        found = _certificates(answer)
        held = [] if found is None else _parts(answer, found.content, found.end)
    except IndexError:
        return answer
    if found is None:
        return answer
    parts = sorted(answer[each.begin : each.end] for each in held)
    return answer[: found.content] + b"".join(parts) + answer[found.end :]


def _certificates(data: bytes) -> _Part | None:
    """In TimeStampResp: status, ContentInfo { type, SignedData { version, digests, content, certificates."""
    response = _part(data, 0)
    token = [*_parts(data, response.content, response.end)][1:2]
    for wanted in (1, 0):
        token = [[*_parts(data, each.content, each.end)][wanted] for each in token]
    if not token or token[0].tag != _SEQUENCE:
        return None
    inside = [*_parts(data, token[0].content, token[0].end)]
    return next((each for each in inside if each.tag == _FIRST), None)


def _parts(data: bytes, begin: int, end: int) -> list[_Part]:
    found = []
    while begin < end:
        found.append(_part(data, begin))
        begin = found[-1].end
    return found


def _part(data: bytes, at: int) -> _Part:
    """Read a tag of one byte and a length; IndexError if the data ends before."""
    tag, length, content = data[at], data[at + 1], at + 2
    if length >= _LONG:
        content += length - _LONG
        length = int.from_bytes(data[at + 2 : content])
    if content + length > len(data):
        raise IndexError(at)
    return _Part(tag, at, content, content + length)
