"""`reviewsvc queues`: what waits for people."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from reviewsvc.commands.house import as_json, opened, show

if TYPE_CHECKING:
    from reviewsvc.usecases.queues import QueueFigures

NOBODY = UUID(int=0)


@click.command()
@as_json
def queues(*, as_json: bool) -> None:
    """Show the queues and what waits in them."""
    from reviewsvc.usecases import queues as use
    from reviewsvc.usecases.desk import Desk

    with opened() as house:
        desk = Desk(house.sessions, house.keyring)
        found = use.list_queues(desk, use.Depths(), reviewer=NOBODY, at=house.at)
    if as_json:
        show({"items": [_shown(one) for one in found]})
        return
    for one in found:
        click.echo(_line(one))


def _shown(one: "QueueFigures") -> dict[str, Any]:
    depth = {name: value for name, value in one.depth._asdict().items() if name != "queue_id"}
    return {"name": one.queue.name, "title": one.queue.title, **depth}


def _line(one: "QueueFigures") -> str:
    depth = one.depth
    oldest = f", the oldest since {depth.oldest_at:%Y-%m-%d %H:%M}Z" if depth.oldest_at else ""
    return (
        f"{one.queue.name}  {depth.pending:,} pending, {depth.due_soon:,} due within the hour, "
        f"{depth.overdue:,} overdue, {depth.disputed:,} disputed{oldest}"
    )
