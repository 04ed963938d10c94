"""`reviewsvc audit bundle` and `reviewsvc audit receipt`: what an outsider verifies."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reviewsvc.commands.process_count import ProcessCount

if TYPE_CHECKING:
    from reviewsvc.commands.house import House
    from reviewsvc.domain.bundle import Question
    from reviewsvc.domain.permissions import Reach
    from reviewsvc.usecases.bundles import Made, Maker

_EVERY_S = 0.25
_FILE = click.Path(dir_okay=False, path_type=Path)


class _Moment(click.ParamType[datetime]):
    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401 - click's signature
        """Read a moment; one without a time zone is in UTC."""
        try:
            at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time: 2026-11-21, or 2026-11-21T09:00:00+01:00", param, ctx)
        return at if at.tzinfo else at.replace(tzinfo=UTC)


@click.command()
@click.option("--log", "logs", multiple=True, metavar="NAME", help="All of this log; may be repeated.")
@click.option("--model", help="All about a model; with --case, the model of that case.")
@click.option("--case", metavar="PREDICTION_ID", help="One case of --model, with all that happened to it.")
@click.option("--source", help="With --case: whose prediction, if several sources sent this id.")
@click.option("--subject", help="All cases of a subject, as producers call it.")
@click.option("--reviewer", metavar="LOGIN", help="All that a reviewer did, and the cases of it.")
@click.option("--queue", help="All cases of a queue.")
@click.option("--from", "since", type=_Moment(), help="Not before this time.")
@click.option("--until", type=_Moment(), help="Before this time.")
@click.option("--purpose", required=True, help="What it is for; it is logged, and stands in the bundle.")
@click.option("-o", "--output", type=_FILE, required=True, help="The zip.")
@click.option("--as", "user", metavar="LOGIN", help="In whose name; without it no payload is disclosed.")
@click.option("--wait", default=60, show_default=True, metavar="SECONDS", help="For its entry to be sealed.")
@click.option(
    "--processes",
    default="auto",
    type=ProcessCount(),
    show_default=True,
    help="How many processes make a large one; auto: one for each processor.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def bundle(
    output: Path,
    purpose: str,
    user: str | None,
    wait: int,
    *,
    processes: int,
    as_json: bool,
    **asked: Any,  # noqa: ANN401 - click's options
) -> None:
    """Answer an auditor's question with a zip that an outsider verifies offline.

    If it is asked about nothing else it holds all of the logs that are named, or of all logs. What stopped
    goes on from where it was when the same command is called again.
    """
    from reviewsvc.commands.house import opened
    from reviewsvc.usecases.bundles import Asked, Help, Maker
    from reviewsvc.usecases.payload_check import KekSource

    with opened(user) as house:
        question, settings = _question(house, asked), house.settings
        keks = KekSource(settings.kek_file, settings.keks, settings.kms)
        helped = Help(processes, settings.database_url, keks)
        maker = Maker(house.sessions, house.keyring, Path(f"{output}.partial"), _reach(house, user), helped)
        with _progress() as progress:
            made = maker.make(Asked(question, purpose, house.actor), house.at, progress)
        _finish(maker, output, wait)
    _tell(made, output, as_json=as_json)


@click.command()
@click.argument("model")
@click.argument("prediction_id")
@click.option("--source", help="Whose, if several sources sent this id.")
@click.option("--proof", "proof_only", is_flag=True, help="The entry's C2SP tlog-proof alone.")
@click.option("-o", "--output", type=_FILE, help="A file; else stdout.")
@click.option("--html", "page", type=_FILE, help="Write it as a page for a person too, to this file.")
def receipt(
    model: str,
    prediction_id: str,
    source: str | None,
    output: Path | None,
    page: Path | None,
    *,
    proof_only: bool,
) -> None:
    """Prove that a prediction is in its log, and that log in the signed root.

    The receipt is the entry, its proof, the root's entry that seals the log, and its proof;
    `reviewsvc-verify` reads it.
    """
    from reviewsvc.commands.house import opened
    from reviewsvc.usecases.receipts import Prover, of_prediction
    from reviewsvc.usecases.sent_ids import Sent

    with opened() as house:
        made = of_prediction(house.sessions, house.keyring, Prover(), Sent(model, prediction_id, source))
    told = made.tlog_proof.encode() if proof_only else made.text()
    if page is not None:
        page.write_bytes(made.page())
    if output is None:
        sys.stdout.buffer.write(told)
    else:
        output.write_bytes(told)


def _question(house: "House", asked: dict[str, Any]) -> "Question":
    from reviewsvc.domain.bundle import Question, QuestionError
    from reviewsvc.domain.moments import microseconds
    from reviewsvc.usecases.bundle_plan import subject_pseudonym
    from reviewsvc.usecases.people import get_by_login

    names = ("case", "subject", "reviewer", "queue")
    said = [name for name in names if asked[name]] or (["model"] if asked["model"] else ["range"])
    if len(said) > 1 or (asked["case"] and not asked["model"]) or (asked["source"] and not asked["case"]):
        raise QuestionError(
            "ask one thing: a case of a model, a model, a subject, a reviewer, a queue, or logs"
        )
    terms: dict[str, Any] = {name: asked[name] for name in ("model", "source", "queue") if asked[name]}
    if asked["case"]:
        terms["prediction_id"] = asked["case"]
    if asked["subject"]:
        terms["subject"] = subject_pseudonym(house.sessions, house.keyring, asked["subject"])
    if asked["reviewer"]:
        terms["reviewer"] = str(get_by_login(house.sessions, asked["reviewer"]).person.person_id)
    terms |= {name: microseconds(asked[name]) for name in ("since", "until") if asked[name]}
    kind: Any = said[0]
    return Question(kind, logs=list(asked["logs"]), **terms)


def _reach(house: "House", user: str | None) -> "Reach":
    """Whose payloads the exporter may see; nobody's if no person is named."""
    from reviewsvc.domain.permissions import Reach
    from reviewsvc.usecases.exporters import exporter_reach

    if user is None:
        return Reach(everywhere=False, models=frozenset(), queues=frozenset())
    return exporter_reach(house.sessions, user)


def _finish(maker: "Maker", output: Path, wait: int) -> None:
    patience = time.monotonic() + wait
    while not maker.finish(output):
        if time.monotonic() > patience:
            raise click.ClickException(
                "All is brought in, but its own entry is not sealed yet: see that a worker runs, and call "
                "the same command again."
            )
        time.sleep(_EVERY_S)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr where a person looks, else nothing."""
    if not sys.stderr.isatty():
        yield lambda _done, _wanted: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        shown = bars.add_task("entries", total=None)
        yield lambda done, wanted: bars.update(shown, completed=done, total=wanted)


def _tell(made: "Made", output: Path, *, as_json: bool) -> None:
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(made._asdict() | {"bundle": str(output)}).decode())
        return
    withheld = "".join(f", {count:,} withheld ({why})" for why, count in sorted(made.withheld.items()))
    click.echo(f"{output}: {made.entries:,} entries, {made.disclosed:,} payloads disclosed{withheld}.")
    click.echo(f"Verify it: python3 -I verify.py --keys verifier-keys.txt {output}")
