"""Texts of others as people read them: what would turn the order of their letters shows as its code."""

from typing import Final

_TURNS: Final = {mark: f"\\u{mark:04x}" for mark in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def visible(text: str) -> str:
    """Return a text in which marks that turn the direction of writing are spelled out.

    Between them a producer could let "1000" stand where it sent "0001" (Unicode Technical Report 36, 2.4).
    """
    return text.translate(_TURNS)
