"""A bundle's cover: what was asked, what is here, and how to verify it, as a page for a person."""

from collections.abc import Iterable, Iterator
from html import escape

from reviewsvc.domain.bundle import Manifest, Question, Scope
from reviewsvc.domain.moments import moment

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .75rem .25rem 0;"
    "border-bottom:1px solid #ccc;vertical-align:top}code,pre{font-size:.9em}pre{white-space:pre-wrap}"
)
_WORDS = {
    "range": "everything in a time",
    "model": "a model",
    "subject": "a subject",
    "reviewer": "a reviewer",
    "queue": "a queue",
    "case": "one case, with all that ever happened to it",
}


def cover(manifest: Manifest) -> bytes:
    """Write the page; it holds nothing that has to be fetched, and no script."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><meta charset="utf-8"><title>Audit bundle</title>',
        f"<style>{_STYLE}</style>",
        f"<h1>Audit bundle of {escape(manifest.origin)}</h1>",
        _table(_facts(manifest)),
        "<h2>Logs</h2>",
        _table(_logs(manifest), head=("Log", "Here", "Of", "Root hash")),
        "<h2>Payloads</h2>",
        _table(_payloads(manifest)),
        "<h2>What this is worth</h2>",
        _worth(manifest),
    ]
    return ("\n".join(parts) + "\n").encode()


def _facts(manifest: Manifest) -> Iterator[tuple[str, ...]]:
    yield "Question", _WORDS[manifest.question.kind]
    yield from _asked(manifest.question)
    yield "Purpose", manifest.purpose
    yield "Made by", f"{manifest.exporter.kind}:{manifest.exporter.id}"
    yield "Made at", _time(manifest.made_at)
    yield "Entries", f"{sum(scope.entries for scope in manifest.logs):,}"


def _asked(question: Question) -> Iterator[tuple[str, str]]:
    if question.logs:
        yield "Logs", ", ".join(question.logs)
    for name in ("model", "prediction_id", "source", "subject", "reviewer", "queue"):
        told = getattr(question, name)
        if told is not None:
            yield name.replace("_", " ").capitalize(), told
    if question.since is not None:
        yield "From", _time(question.since)
    if question.until is not None:
        yield "Until", _time(question.until)


def _logs(manifest: Manifest) -> Iterator[tuple[str, ...]]:
    for scope in manifest.logs:
        yield scope.name, _here(scope), f"{scope.size:,} entries", scope.root


def _here(scope: Scope) -> str:
    if scope.scope == "picked":
        return f"{scope.entries:,} picked: they cannot show that no other was left out"
    return f"all from {scope.first:,} to {scope.behind - 1:,}: nothing inside was left out"


def _payloads(manifest: Manifest) -> Iterator[tuple[str, ...]]:
    yield "disclosed, with the salts that prove them", f"{manifest.payloads.disclosed:,}"
    for why, count in sorted(manifest.payloads.withheld.items()):
        yield f"withheld: {why}", f"{count:,}"


def _worth(manifest: Manifest) -> str:
    views = ", ".join(manifest.not_authoritative)
    return (
        "<p>Each entry was held against the signed trees while this was made, and agreed: that is its "
        "maker's word. Do not take it: verify, with a verify.py that did not come with this bundle, and "
        "with keys from elsewhere:</p>"
        "<pre>python3 -I verify.py --keys verifier-keys.txt BUNDLE</pre>"
        f"<p>Only the entries' bytes are authoritative. This page and {escape(views)} are for reading.</p>"
    )


def _table(rows: Iterable[tuple[str, ...]], head: tuple[str, ...] = ()) -> str:
    lines = ["<table>"]
    if head:
        lines.append(f"<tr>{''.join(f'<th>{escape(each)}</th>' for each in head)}</tr>")
    lines += [f"<tr>{''.join(f'<td>{escape(each)}</td>' for each in row)}</tr>" for row in rows]
    return "\n".join([*lines, "</table>"])


def _time(at_us: int) -> str:
    return f"{moment(at_us):%Y-%m-%d %H:%M:%S} UTC"
