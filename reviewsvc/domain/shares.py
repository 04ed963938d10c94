"""Shares in percent, said the same way everywhere."""

from typing import Final

_NBSP: Final = "\N{NO-BREAK SPACE}"
_NONE: Final = "\N{EN DASH}"


def percent(share: float | None, digits: int = 0) -> str:
    """Say a share from 0 to 1 in percent, never rounding an uncertain one up to 100 or down to 0."""
    if share is None:
        return _NONE
    rounded = round(share * 100, digits)
    if rounded >= 100 and share < 1:  # noqa: PLR2004 - percent
        return f"> {100 - 10**-digits:.{digits}f}{_NBSP}%"
    if rounded <= 0 and share > 0:
        return f"< {10**-digits:.{digits}f}{_NBSP}%"
    return f"{rounded:.{digits}f}{_NBSP}%"
