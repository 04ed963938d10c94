"""`reviewsvc audit`: verify the logs. Loads neither Flask nor SQLAlchemy."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reviewsvc.commands.anchors import anchors
from reviewsvc.commands.bundles import bundle, receipt
from reviewsvc.commands.exports import exports
from reviewsvc.commands.process_count import ProcessCount

if TYPE_CHECKING:
    from reviewsvc.db.hot.connection import Connected
    from reviewsvc.domain.verdict import Report
    from reviewsvc.usecases.outside_view import Marks
    from reviewsvc.usecases.publishing import Place

Progress = Callable[[str, int, int], None]


@click.group()
def audit() -> None:
    """Verify the logs, and publish them."""


audit.add_command(bundle)
audit.add_command(receipt)
audit.add_command(anchors)
audit.add_command(exports)


@audit.command()
@click.option("--log", "only", metavar="NAME", help="Verify this log alone, e.g. activity/0/0.")
@click.option(
    "--seqs",
    metavar="FIRST:BEHIND",
    help="With --log: these entries alone, and those up to the signed checkpoints around them.",
)
@click.option(
    "--since-last", is_flag=True, help="What came behind the checkpoints that were verified before."
)
@click.option(
    "--keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Verifier keys that you had elsewhere, one a line; else those that the settings name.",
)
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A C2SP tlog-policy: which witnesses must have cosigned the root log.",
)
@click.option(
    "--memory",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to keep what was verified; else verified.json in REVIEWSVC_DATA_DIR.",
)
@click.option("--chain-only", is_flag=True, help="Leave out the projections: hashes and signatures alone.")
@click.option(
    "--payloads",
    is_flag=True,
    help="Open every payload whose key exists, as the settings' KEK can; as a log-in of reviewsvc_worker.",
)
@click.option(
    "--processes",
    default="1",
    type=ProcessCount(),
    show_default=True,
    help="How many processes share the work; auto: one for each processor.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def verify(
    only: str | None,
    seqs: str | None,
    keys: Path | None,
    policy: Path | None,
    memory: Path | None,
    *,
    processes: int,
    since_last: bool,
    chain_only: bool,
    payloads: bool,
    as_json: bool,
) -> None:
    """Recompute every hash from stored bytes and compare all that hangs on them.

    Exit code: 0 VERIFIED, 1 TAMPERED, 2 INCOMPLETE or SELF-CONSISTENT, 3 could not run.
    """
    from reviewsvc import config
    from reviewsvc.commands.audit_outside import marks_path, outside_view
    from reviewsvc.db.hot.connection import connect
    from reviewsvc.domain.verdict import EXIT_CODES
    from reviewsvc.usecases import verification
    from reviewsvc.usecases.outside_view import load_marks

    settings = config.load("DATABASE_URL")
    if payloads and chain_only:
        raise click.UsageError("--payloads opens what --chain-only leaves out: give one of them.")
    if seqs is not None and since_last:
        raise click.UsageError("--seqs and --since-last both say where to begin: give one of them.")
    scope = verification.Scope(only, _range(only, seqs), since_last, projections=not chain_only)
    path = marks_path(settings, memory)
    marks = load_marks(path)
    if since_last and marks is None:
        raise click.ClickException(f"Nothing is remembered in {path}: run `reviewsvc audit verify` once.")
    outside = outside_view(settings, keys, marks, policy, payloads=payloads)
    group = "worker" if payloads else "read"
    team = verification.Team(processes, settings.database_url, group) if processes > 1 else None
    with connect(settings.database_url, group) as conn, _progress() as progress:
        report = verification.verify(conn, scope=scope, outside=outside, progress=progress, team=team)
        _remember(conn, path, report, marks)
    click.echo(_as_json(report) if as_json else _as_text(report))
    sys.exit(EXIT_CODES[report.verdict])


def _range(only: str | None, seqs: str | None) -> range | None:
    if seqs is None:
        return None
    first, colon, behind = seqs.partition(":")
    if only is None or not (first.isdecimal() and colon and behind.isdecimal()):
        raise click.UsageError("--seqs FIRST:BEHIND goes with --log NAME, e.g. --seqs 1000:2000.")
    if int(behind) <= int(first):
        raise click.UsageError(
            f"--seqs {seqs} ends before it begins: FIRST is the first seq, BEHIND the next after."
        )
    return range(int(first), int(behind))


def _remember(conn: "Connected", path: Path, report: "Report", marks: "Marks | None") -> None:
    """Keep what was found to be as it was signed; a place that cannot be written is said, no more."""
    from reviewsvc.db.hot import scan
    from reviewsvc.usecases.outside_view import next_marks, save_marks

    if report.unsettled or not any(log.seal for log in report.logs):
        return
    try:
        moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        save_marks(path, next_marks(scan.installed(conn), moment, report, marks))
    except OSError as fault:
        click.echo(f"What was verified is not remembered: {fault}", err=True)


@audit.command()
@click.argument("place", metavar="DIR|s3://BUCKET/PREFIX")
@click.option(
    "--check", is_flag=True, help="Read all that is there, and write anew what is missing or damaged."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def publish(place: str, *, check: bool, as_json: bool) -> None:
    """Write what is signed of every log below DIR as static files (C2SP tlog-tiles); only what is new.

    DIR/logs/NAME/ is a log for clients of anybody's, DIR/verifier-keys.txt has the key of each, one a line.
    A bucket is one that boto3 finds (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL_S3 …), and has the same files.
    """
    from reviewsvc import config
    from reviewsvc.db.hot.connection import connect
    from reviewsvc.usecases import publishing

    with connect(config.load("DATABASE_URL").database_url, "read") as conn:
        done = publishing.publish(conn, _opened(place), check=check)
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
        "not_proved": report.not_proved,
        "more_findings": sum(log.more_findings for log in report.logs),
    }


def _as_text(report: "Report") -> str:
    from reviewsvc.domain.verdict import worst
    from reviewsvc.verify import plain

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
    lines += [f"Not proved by this: {each}." for each in report.not_proved]
    # Names and kinds come from the database: whoever can write there must not write on the terminal.
    return "\n".join(map(plain, lines))
