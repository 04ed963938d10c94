"""`reviewsvc labels`: what retraining may use, pulled through the API."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from reviewsvc.client import Client


class Pulled(NamedTuple):
    """What was pulled: how many labels, and the cursor for the next time."""

    rows: int
    next: str


class Told:
    """The cursor that was asked with, and what the service says of a restore since it was given."""

    def __init__(self, after: str) -> None:
        self.after = self.next = after
        self.continuation: dict[str, Any] | None = None

    def __call__(self, continuation: dict[str, Any]) -> None:
        """Take up what is said, and say it to whoever looks: labels that were pulled may be void."""
        self.continuation, self.next = continuation, str(continuation["next"])
        lost = continuation["lost"]
        void = (
            f"labels {lost['from']} to {lost['to']} are void, withdraw them" if lost else "no label is lost"
        )
        click.echo(f"The service was restored since {self.after}: {void}.", err=True)


Pull = Callable[["Client", str, Told, IO[bytes]], Pulled]


@click.group()
def labels() -> None:
    """Pull labels for retraining."""


@labels.command()
@click.argument("model")
@click.option("--after", default="0", show_default=True, help="The cursor that the last pull ended with.")
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), help="Else as FILE ends, else csv.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="A file; else stdout.")
@click.option("--url", envvar="REVIEWSVC_URL", help="The service's address; else $REVIEWSVC_URL.")
@click.option("--token", envvar="REVIEWSVC_TOKEN", help="Else $REVIEWSVC_TOKEN or $REVIEWSVC_TOKEN_FILE.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def pull(
    model: str,
    *,
    after: str,
    form: str | None,
    output: Path | None,
    url: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Pull MODEL's labels that stand after a cursor, as CSV or as JSON lines; each pull is logged."""
    import json

    client = _client(url, token)
    if as_json and output is None:
        told = Told(after)
        items = list(client.labels(model, after, restored=told))
        following = items[-1]["label_id"] if items else told.next
        shown = {"items": items, "next": following, "continuation": told.continuation}
        click.echo(json.dumps(shown, ensure_ascii=False))
        return
    is_lines = form == "jsonl" or (form is None and output is not None and output.suffix == ".jsonl")
    with _target(output) as target:
        pull_as: Pull = _pull_lines if is_lines else _pull_csv
        told = Told(after)
        pulled = pull_as(client, model, told, target)
    if as_json:
        shown = {"rows": pulled.rows, "next": pulled.next, "file": str(output)}
        click.echo(json.dumps({**shown, "continuation": told.continuation}))
    else:
        click.echo(f"{pulled.rows:,} labels. The next time: --after {pulled.next}", err=True)


def _client(url: str | None, token: str | None) -> "Client":
    from reviewsvc.client import Client

    named = os.environ.get("REVIEWSVC_TOKEN_FILE")
    if not token and named:
        token = Path(named).expanduser().read_text()
    if not url or not token:
        raise click.UsageError(
            "Say where and as whom: --url and --token, or REVIEWSVC_URL and REVIEWSVC_TOKEN."
        )
    return Client(url, token)


@contextmanager
def _target(output: Path | None) -> Iterator[IO[bytes]]:
    """The file, or stdout. A file gets its name when all of it is there: half a pull looks like none."""
    if output is None:
        yield sys.stdout.buffer
        return
    half = output.with_name(f"{output.name}.part")
    try:
        with half.open("wb") as file:
            yield file
        half.replace(output)
    finally:
        half.unlink(missing_ok=True)


def _pull_lines(client: "Client", model: str, told: Told, target: IO[bytes]) -> Pulled:
    import json

    rows, last = 0, b""
    for line in client.label_lines(model, told.after, restored=told):
        target.write(line + b"\n")
        rows, last = rows + 1, line
    return Pulled(rows, json.loads(last)["label_id"] if last else told.next)


def _pull_csv(client: "Client", model: str, told: Told, target: IO[bytes]) -> Pulled:
    import csv
    import io

    from reviewsvc.domain.labels import FIELDS

    labels = client.labels(model, told.after, restored=told)
    # Asked before anything is written: a refusal must not look like a table without rows.
    first = list(islice(labels, 1))
    text = io.TextIOWrapper(target, encoding="utf-8", newline="", write_through=True)
    writer = csv.DictWriter(text, FIELDS)
    writer.writeheader()
    rows, last = 0, ""
    for label in chain(first, labels):
        writer.writerow({name: _plain(value) for name, value in label.items()})
        rows, last = rows + 1, label["label_id"]
    text.detach()
    return Pulled(rows, last or told.next)


def _plain(value: Any) -> Any:  # noqa: ANN401 - a member of a label
    return str(value).lower() if isinstance(value, bool) else value
