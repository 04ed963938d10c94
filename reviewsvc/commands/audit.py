"""`reviewsvc audit`: verify the logs. Loads neither Flask nor SQLAlchemy."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reviewsvc.commands.anchors import anchors
from reviewsvc.commands.bundles import bundle, receipt

if TYPE_CHECKING:
    from reviewsvc.domain.verdict import Report
    from reviewsvc.usecases.publishing import Place

Progress = Callable[[str, int, int], None]


@click.group()
def audit() -> None:
    """Verify the logs, and publish them."""


audit.add_command(bundle)
audit.add_command(receipt)
audit.add_command(anchors)


@audit.command()
@click.option("--log", "only", metavar="NAME", help="Verify this log alone, e.g. activity/0/0.")
@click.option("--chain-only", is_flag=True, help="Leave out the projections: bytes, linkage and heads alone.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def verify(only: str | None, *, chain_only: bool, as_json: bool) -> None:
    """Recompute every hash from stored bytes and compare all that hangs on them.

    Exit code: 0 VERIFIED, 1 TAMPERED, 2 INCOMPLETE or SELF-CONSISTENT, 3 could not run.
    """
    from reviewsvc import config
    from reviewsvc.db.hot.connection import connect
    from reviewsvc.domain.verdict import EXIT_CODES
    from reviewsvc.usecases import verification

    url = config.load("DATABASE_URL").database_url
    with connect(url, "read") as conn, _progress() as progress:
        report = verification.verify(conn, only=only, projections=not chain_only, progress=progress)
    click.echo(_as_json(report) if as_json else _as_text(report))
    sys.exit(EXIT_CODES[report.verdict])


@audit.command()
@click.argument("place", metavar="DIR|s3://BUCKET/PREFIX")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def publish(place: str, *, as_json: bool) -> None:
    """Write what is signed of every log below DIR as static files (C2SP tlog-tiles); only what is new.

    DIR/logs/NAME/ is a log for clients of anybody's, DIR/verifier-keys.txt has the key of each, one a line.
    A bucket is one that boto3 finds (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL_S3 …), and has the same files.
    """
    from reviewsvc import config
    from reviewsvc.db.hot.connection import connect
    from reviewsvc.usecases import publishing

    with connect(config.load("DATABASE_URL").database_url, "read") as conn:
        done = publishing.publish(conn, _opened(place))
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(done._asdict()).decode())
        return
    click.echo(f"{done.logs} logs are published in {place}; {done.entries} entries were new.")


def _opened(place: str) -> "Place":
    """Open a folder, or a bucket if boto3 is there."""
    if not place.startswith("s3://"):
        from reviewsvc.outside.folder import Folder

        return Folder(Path(place))
    try:
        from reviewsvc.outside.bucket import Bucket
    except ImportError as fault:
        raise click.ClickException(f"{place} needs boto3: pip install 'reviewsvc[s3]'") from fault
    return Bucket(place)


@audit.command()
@click.argument("log", default="root/0")
def checkpoint(log: str) -> None:
    """Print the newest signed checkpoint of LOG, the root log if none is named."""
    from reviewsvc import config
    from reviewsvc.db.hot import seals
    from reviewsvc.db.hot.connection import connect

    with connect(config.load("DATABASE_URL").database_url, "read") as conn:
        found = seals.sealed_log(conn, log)
    if found is None:
        raise click.ClickException(f"There is no log {log}, or nothing of it is signed.")
    click.echo(found.note, nl=False)


@contextmanager
def _progress() -> Iterator[Progress]:
    """Show a bar on stderr where a person looks, else nothing."""
    if not sys.stderr.isatty():
        yield lambda _log, _done, _size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        shown: dict[str, object] = {}

        def advance(log: str, done: int, size: int) -> None:
            if log not in shown:
                shown[log] = bars.add_task(log, total=size)
            bars.update(shown[log], completed=done)  # type: ignore[arg-type]  # rich's id of the bar

        yield advance


def _as_json(report: "Report") -> str:
    import msgspec

    return msgspec.json.encode(
        {"verdict": report.verdict, "findings": report.findings} | _fields(report)
    ).decode()


def _fields(report: "Report") -> dict[str, object]:
    return {
        "remarks": report.remarks,
        "entries": report.entries,
        "seconds": report.seconds,
        "logs": report.logs,
        "more_findings": sum(log.more_findings for log in report.logs),
    }


def _as_text(report: "Report") -> str:
    from reviewsvc.domain.verdict import worst

    lines = [
        f"{log.log:<50} {log.size:>10} entries  {worst(log.findings) if log.findings else 'ok'}"
        for log in report.logs
    ]
    lines += [f"  {one.log}, seq {one.seq}: {one.what}" for one in report.findings]
    lines += [f"  {log.log}: and {log.more_findings} more" for log in report.logs if log.more_findings]
    lines += [
        f"{log.log}: holds kinds that this verifier does not know: {', '.join(log.unknown_kinds)}"
        for log in report.logs
        if log.unknown_kinds
    ]
    remark = f" ({', '.join(report.remarks)})" if report.remarks else ""
    lines.append(f"{report.verdict}{remark}: {report.entries} entries in {report.seconds} s")
    lines.append(_UNPROVED)
    return "\n".join(lines)


_UNPROVED = (
    "Not proved by this: that the logs were never rewritten as a whole, since no head was signed or kept "
    "elsewhere; nor that producers sent everything, or the truth."
)
