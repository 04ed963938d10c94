"""`reviewsvc capture`: where captured partitions stand, and consents to gaps."""

from typing import TYPE_CHECKING, Any

import click

from reviewsvc.commands.house import acting, as_json, opened, show

if TYPE_CHECKING:
    from reviewsvc.usecases.gaps import Captured


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def capture(context: click.Context, *, as_json: bool) -> None:
    """Show where captured partitions stand, and what stopped those that are stopped."""
    if context.invoked_subcommand is not None:
        return
    from reviewsvc.usecases import gaps

    with opened() as house:
        found = gaps.partitions(house.sessions)
    if as_json:
        show({"items": [_shown(one) for one in found]})
        return
    for one in found:
        click.echo(_line(one))
        for line in _alarm(one):
            click.secho(f"  {line}", fg="red")


@capture.command("accept-gap")
@click.argument("topic")
@click.argument("partition", type=click.IntRange(0))
@click.option(
    "--to", "to_offset", type=click.IntRange(0), help="The offset to go on from; else where Kafka goes on."
)
@acting
@as_json
def accept_gap(topic: str, partition: int, to_offset: int | None, user: str | None, *, as_json: bool) -> None:
    """Let a stopped PARTITION of TOPIC go on behind what cannot be had any more.

    Capture takes this up within seconds; its log then says which offsets are missing, and by whose consent.
    """
    from reviewsvc.usecases import gaps

    with opened(user) as house:
        given = gaps.consent(
            house.sessions,
            house.keyring,
            topic,
            partition,
            to_offset=to_offset,
            actor=house.actor,
            at=house.at,
        )
    if as_json:
        show(_shown(given))
        return
    where = "where Kafka goes on" if to_offset is None else f"offset {to_offset}"
    click.echo(f"{topic}/{partition} may go on from {where}. It was stopped: {given.reason}.")


def _shown(one: "Captured") -> dict[str, Any]:
    from reviewsvc.domain.moments import moment

    named = ("topic", "partition", "log", "size", "next_offset", "owner")
    shown = {name: getattr(one, name) for name in named} | {"last_at": moment(one.last_at), "alarm": None}
    if one.reason is not None:
        alarm = {"reason": one.reason, "since": one.since, "detail": one.detail, "consent": one.consent}
        shown["alarm"] = alarm
    return shown


def _line(one: "Captured") -> str:
    from reviewsvc.domain.moments import moment

    last = f"the last at {moment(one.last_at):%Y-%m-%d %H:%M:%S}Z"
    owner = f"by {one.owner}" if one.owner else "by nobody yet"
    place = f"{one.topic}/{one.partition}"
    return f"{place}  {one.size:,} entries, {last}, next offset {one.next_offset:,}, {owner}"


def _alarm(one: "Captured") -> list[str]:
    if one.reason is None or one.since is None:
        return []
    told = [f"stopped since {one.since:%Y-%m-%d %H:%M:%S}Z: {one.reason}"]
    consent = one.consent or {}
    if "refused" in consent:
        told.append(f"the consent of {consent['by']} could not be followed: {consent['refused']}")
    elif consent:
        told.append(f"{consent['by']} consented; capture goes on when it has seen that")
    else:
        told.append(f"if what is missing is lost: reviewsvc capture accept-gap {one.topic} {one.partition}")
    return told
