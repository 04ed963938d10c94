"""`reviewsvc audit anchors`: who keeps our checkpoints elsewhere, and since when they lack some."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from reviewsvc.domain.anchoring import State
    from reviewsvc.usecases.anchors import Anchored

_NONE = (
    "No anchor is configured, or the worker has not run since: see docs/how-to/anchor.md. Until one is, "
    "whoever owns the database and the signing key can rewrite the logs unseen."
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def anchors(*, as_json: bool) -> None:
    """Show each anchor: how far it is, its last answer, and since when it lacks what is signed."""
    import msgspec

    from reviewsvc import config
    from reviewsvc.db.sessions import Sessions
    from reviewsvc.usecases import anchors as usecase

    sessions = Sessions(config.load("DATABASE_URL").database_url, "read", size=1)
    with sessions.begin() as session:
        found = usecase.overview(session)
    sessions.close()
    click.echo(msgspec.json.encode(found._asdict()).decode() if as_json else _as_text(found))


def _as_text(found: "Anchored") -> str:
    if not found.anchors:
        return _NONE
    lines = [f"{each.name:<20} {each.kind:<10} {_progress(each)}" for each in found.anchors]
    whole = "no anchor lacks" if found.since is None else f"unanchored since {_time(found.since)}: none has"
    if found.since is None and any(each.since is not None for each in found.anchors):
        whole = "not every anchor has, but enough have,"
    return "\n".join([*lines, f"root log: {found.sealed} entries are sealed; {whole} the newest checkpoint"])


def _progress(each: "State") -> str:
    told = f"{each.size} of {each.sealed} entries"
    told += f", kept {_time(each.kept_at)}" if each.kept_at is not None else ", never kept any"
    if each.since is not None:
        told += f", behind since {_time(each.since)}"
    if each.failures:
        told += f"; failed {each.failures} times, at last: {each.outcome}: {each.why}"
    return f"{told} ({each.place})" if each.place else told


def _time(at: int) -> str:
    from reviewsvc.domain.moments import moment

    return f"{moment(at):%Y-%m-%d %H:%M:%S}Z"
