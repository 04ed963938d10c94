"""What stands around every page: who is here, where they may go, how they want to see it."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Flask, request

from reviewsvc.console import key_map, words
from reviewsvc.db.people import Person
from reviewsvc.usecases.auth import Current
from reviewsvc.web.actors import is_api, who
from reviewsvc.web.services import services

THEMES: Final = ("system", "light", "dark")
THEME_COOKIE: Final = "reviewsvc-theme"
UTC: Final = "UTC"


class Place(NamedTuple):
    """One entry of the main navigation, and the permissions any of which opens it."""

    href: str
    label: str
    permissions: tuple[str, ...]


PLACES: Final = (
    Place("/queues", "Queues", ("queues.see",)),
    Place("/tasks", "Tasks", ("tasks.see",)),
    Place("/labels", "Labels", ("labels.pull",)),
    Place("/documents", "Policies", ("documents.see",)),
    Place("/quarantine", "Quarantine", ("quarantine.see",)),
    Place("/subjects", "Subjects", ("subjects.erase", "subjects.export", "subjects.hold")),
    Place("/audit", "Audit", ("entries.read",)),
    Place("/activity", "Activity", ("entries.read",)),
    Place("/people", "People", ("people.see",)),
)


def surround(app: Flask) -> None:
    """Give every page of the application its frame, and the words for times and shares."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(words.FILTERS)
    app.context_processor(_context)


def local_now() -> datetime:
    """Return the present moment in the zone of the person who is here."""
    found = None if is_api() else who()
    return services().clock().astimezone(zone_of(found.person if found else None))


def zone_of(person: Person | None) -> ZoneInfo:
    """Return a person's time zone; UTC for nobody and for a zone that this machine does not know."""
    try:
        return ZoneInfo(person.time_zone if person else UTC)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(UTC)


def home_of(found: Current) -> str:
    """Return the first page that a person may open."""
    return next((place.href for place in PLACES if _is_open(found, place)), "/account")


def theme_of(person: Person | None) -> str:
    """Return the colours that a person chose; before log-in, those of this browser."""
    chosen = person.theme if person else request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else THEMES[0]


def _context() -> dict[str, Any]:
    found = None if is_api() else who()
    person = found.person if found else None
    return {
        "nav": [_item(place) for place in PLACES if found and _is_open(found, place)],
        "user": {"name": person.name, "login": person.login} if person else None,
        "theme": theme_of(person),
        "keys": _keys(person),
        "here": request.path if request.method == "GET" else "/",
        "now": local_now(),
        "origin": services().installation.origin,
    }


def _keys(person: Person | None) -> dict[str, Any]:
    found = key_map.letters()
    return {
        "on": person.single_keys if person else True,
        "map": key_map.changed(found),
        "letters": found,
    }


def _item(place: Place) -> dict[str, Any]:
    is_here = request.path == place.href or request.path.startswith(f"{place.href}/")
    return {"href": place.href, "label": place.label, "current": is_here}


def _is_open(found: Current, place: Place) -> bool:
    return any(found.reach(permission) for permission in place.permissions)
