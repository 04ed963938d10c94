"""`reviewsvc quarantine`: events that could not be read."""

import sys
from typing import TYPE_CHECKING, Any

import click

from reviewsvc.commands.erasing import carry_out
from reviewsvc.commands.house import House, acting, as_json, opened, show

if TYPE_CHECKING:
    from reviewsvc.usecases.quarantine import Kept


@click.group(invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="At most so many.")
@click.option("--topic", help="Of this topic alone.")
@as_json
@click.pass_context
def quarantine(context: click.Context, limit: int, topic: str | None, *, as_json: bool) -> None:
    """Show the events that could not be read, the newest first."""
    if context.invoked_subcommand is not None:
        return
    from reviewsvc.usecases import quarantine as use

    with opened() as house:
        found = use.page(_desk(house), None, limit, topic=topic)
    if as_json:
        show({"items": [_shown(one) for one in found]})
        return
    for one in found:
        click.echo(_line(one))


@quarantine.command("show")
@click.argument("log")
@click.argument("seq", type=click.IntRange(0))
@click.option("--raw", is_flag=True, help="Write the value's bytes to stdout; needs --as, and is logged.")
@acting
@as_json
def show_one(log: str, seq: int, user: str | None, *, raw: bool, as_json: bool) -> None:
    """Show the event at SEQ of LOG.

    Its bytes are a payload: with --raw, --as names a person who may open payloads everywhere.
    """
    from reviewsvc.usecases import quarantine as use

    with opened(user) as house:
        if raw:
            _require_may_open(house, user)
            record = use.open_raw(_desk(house), log, seq, actor=house.actor, at=house.at)
            sys.stdout.buffer.write(record.value or b"")
            return
        kept = use.find(_desk(house), log, seq)
    if as_json:
        show(_shown(kept))
        return
    click.echo(_line(kept))
    click.echo(f"  {kept.text}")


@quarantine.command()
@click.argument("log")
@click.argument("seq", type=click.IntRange(0))
@click.option("--reason", required=True, help="Why; it is kept, so name a letter, not a person.")
@acting
@as_json
def erase(log: str, seq: int, reason: str, user: str | None, *, as_json: bool) -> None:
    """Destroy the key of the event at SEQ of LOG, so that its bytes can never be read again.

    It is an erasure like those of `subjects erase`, of one event. Run it where the worker runs.
    """
    from reviewsvc.domain.entries import Ref
    from reviewsvc.usecases import erasures

    with opened(user) as house:
        asked = erasures.request_event(
            house.sessions,
            house.keyring,
            Ref(log, seq),
            reason,
            actor=house.actor,
            at=house.at,
            second_person="erase" in house.settings.second_person,
        )
        carry_out(house, asked.erasure_id, as_json=as_json)


def _desk(house: House) -> Any:  # noqa: ANN401 - imported late
    from reviewsvc.usecases.desk import Desk

    return Desk(house.sessions, house.keyring)


def _require_may_open(house: House, user: str | None) -> None:
    from reviewsvc.domain.permissions import PermissionDeniedError, may
    from reviewsvc.usecases import people

    if user is None:
        raise click.UsageError("--raw opens a payload: name with --as the person who opens it.")
    known = people.get_by_login(house.sessions, user)
    if known.person.disabled_at is not None or not may(known.grants, "payloads.open"):
        raise PermissionDeniedError(f"{user} may not open payloads everywhere (payloads.open on *).")


def _shown(one: "Kept") -> dict[str, Any]:
    return {name: value for name, value in one._asdict().items() if name != "place"}


def _line(one: "Kept") -> str:
    source = f"{one.topic}/{one.partition} offset {one.offset}" if one.topic else "not from Kafka"
    more = f", {one.offsets} offsets" if one.offsets > 1 else ""
    return (
        f"{one.at:%Y-%m-%d %H:%M:%S}Z  {one.reason}  {one.size:,} bytes  {source}{more}  {one.log} {one.seq}"
    )
