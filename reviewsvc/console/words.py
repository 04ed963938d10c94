"""How the console says times, ages, counts and shares."""

from datetime import datetime, timedelta

from reviewsvc.domain.shares import percent

_NBSP = "\N{NO-BREAK SPACE}"
_NONE = "\N{EN DASH}"


def span(length: timedelta) -> str:
    """Say a length of time in its two largest units, such as 2 h 5 min."""
    minutes, seconds = divmod(max(0, int(length.total_seconds())), 60)
    if not minutes:
        return f"{seconds}{_NBSP}s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    said = [f"{amount}{_NBSP}{unit}" for amount, unit in parts if amount]
    return " ".join(said[:2])


def age(at: datetime | None, now: datetime) -> str:
    """Say how long ago something was, or a dash for never."""
    return _NONE if at is None else span(now - at)


def until(due: datetime | None, now: datetime) -> str:
    """Say how long is left until a due time, or how far it is passed."""
    if due is None:
        return "no due time"
    return f"{span(due - now)} left" if due > now else f"{span(now - due)} overdue"


def clock(at: datetime | None, now: datetime) -> str:
    """Say a moment in the zone of `now`: no date when it is today, no year when it is this one."""
    if at is None:
        return _NONE
    at = at.astimezone(now.tzinfo)
    time = f"{at:%H:%M}{_NBSP}{at.tzname()}"
    if at.date() == now.date():
        return time
    day = f"{at.day}{_NBSP}{at:%b}" if at.year == now.year else f"{at.day}{_NBSP}{at:%b %Y}"
    return f"{day} {time}"


def stamp(at: datetime | None, now: datetime) -> str:
    """Say a moment to the second, with its date, in the zone of `now`: where times are evidence."""
    if at is None:
        return _NONE
    at = at.astimezone(now.tzinfo)
    return f"{at:%Y-%m-%d %H:%M:%S}{_NBSP}{at.tzname()}"


def count(amount: int) -> str:
    """Write a whole number with its thousands set apart."""
    return f"{amount:,}"


def size(octets: int) -> str:
    """Say a size in bytes, kB or MB (powers of ten)."""
    if octets < 1000:  # noqa: PLR2004 - the step between units
        return f"{octets}{_NBSP}B"
    if octets < 1_000_000:  # noqa: PLR2004 - the step between units
        return f"{octets / 1000:.1f}{_NBSP}kB"
    return f"{octets / 1_000_000:.1f}{_NBSP}MB"


FILTERS = {
    "age": age,
    "clock": clock,
    "count": count,
    "percent": percent,
    "size": size,
    "span": span,
    "stamp": stamp,
    "until": until,
}
