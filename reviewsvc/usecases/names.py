"""Who is meant by an actor: people by their names."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from reviewsvc.db import logs, people, tasks
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain.entries import Actor, parse

Place = tuple[int, int]
SERVICE = "the service"


def of_actors(sessions: Sessions, actors: Iterable[str]) -> dict[str, str]:
    """Return what actors, written `kind:id`, are called."""
    with sessions.begin() as session:
        return called(session, set(actors))


def of_logs(sessions: Sessions, log_ids: Iterable[int]) -> dict[int, str]:
    """Return the names of logs."""
    with sessions.begin() as session:
        return logs.names(session, set(log_ids))


def of_authors(sessions: Sessions, places: Iterable[Place]) -> dict[Place, str]:
    """Return who wrote the entries at these places (log_id, seq)."""
    with sessions.begin() as session:
        written = {place: _text(parse(logs.one(session, *place)).actor) for place in places}
        known = called(session, set(written.values()))
    return {place: known[actor] for place, actor in written.items()}


def actors_called(sessions: Sessions, part: str) -> list[str]:
    """Return the people whose name or login holds a text, as entries write them, and the text itself."""
    with sessions.begin() as session:
        found = people.ids_called(session, part)
    return [part, *(f"{kind}:{person_id}" for person_id in found for kind in ("person", "token"))]


def _text(actor: Actor | None) -> str:
    return f"{actor.kind}:{actor.id}" if actor else "service"


def called(session: Session, actors: set[str]) -> dict[str, str]:
    """Return what actors, written `kind:id`, are called, in the caller's transaction."""
    split = {actor: actor.partition(":") for actor in actors}
    ids = {UUID(rest) for kind, _, rest in split.values() if kind in {"person", "token"}}
    names = tasks.names_of(session, ids)
    return {actor: _name(actor, kind, rest, names) for actor, (kind, _, rest) in split.items()}


def _name(actor: str, kind: str, rest: str, names: Mapping[UUID, str]) -> str:
    if kind in {"person", "token"}:
        name = names.get(UUID(rest), "somebody")
        return name if kind == "person" else f"{name}, by token"
    return actor if rest else SERVICE
