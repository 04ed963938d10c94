"""A receipt as a page for a person: one file that fetches nothing, with the receipt itself inside."""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any, Final

import msgspec

from reviewsvc.domain.entries import Entry, leaf_hash
from reviewsvc.domain.moments import moment
from reviewsvc.domain.proof import Proved, proved_text

_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;"
    "padding:0 1rem}table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;"
    "padding:.25rem 1rem .25rem 0;border-bottom:1px solid #8888}th{font-weight:600;width:14rem}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85em}td{overflow-wrap:anywhere}"
)
_WORTH: Final = (
    "This page is for reading: it proves nothing itself. Save the receipt, take verify.py from the release "
    "of reviewsvc and verifier keys from elsewhere than here, and run:"
)
_COMMAND: Final = "python3 -I verify.py --keys verifier-keys.txt FILE.receipt"
_NOT_PROVED: Final = (
    "It shows that this entry, byte for byte, stands in a log that was signed, and that log in the signed "
    "root. It does not show that the producer sent the truth, that nothing else was said of the case, or, "
    "without witnesses, that others were shown the same log."
)
_read = msgspec.json.Decoder(Entry).decode


def receipt_page(mine: Proved, root: Proved) -> bytes:
    """Write the page of a receipt: an entry that is proved, and the root's entry that seals its log."""
    entry, told = _read(mine.entry), proved_text([mine, root])
    saved = b64encode(told).decode()
    name = f"{entry.log.rpartition('/')[0].replace('/', '-')}-{entry.seq}.receipt"
    parts = [
        "<!doctype html>",
        '<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>Receipt: entry {entry.seq} of {escape(entry.log)}</title><style>{_STYLE}</style>",
        f"<main><h1>Receipt of one {escape(entry.kind.replace('_', ' '))}</h1>",
        _table(_facts(entry)),
        "<h2>What the entry says</h2>",
        _table(_said(msgspec.json.decode(entry.facts))),
        "<h2>How it is proved</h2>",
        _table(_way(mine, root)),
        f"<p>{escape(_NOT_PROVED)}</p>",
        "<h2>Verify it</h2>",
        f"<p>{escape(_WORTH)}</p><pre>{escape(_COMMAND)}</pre>",
        f'<p><a download="{escape(name)}" href="data:application/octet-stream;base64,{saved}">Save it</a>',
        "or copy it, to its last newline:</p>",
        f"<pre>{escape(told.decode())}</pre></main>",
    ]
    return ("\n".join(parts) + "\n").encode()


def _facts(entry: Entry) -> Iterator[tuple[str, str]]:
    yield "Log", entry.log
    yield "Place in it", f"{entry.seq:,}"
    yield "Written at", f"{moment(entry.at):%Y-%m-%d %H:%M:%S.%f} UTC"
    if entry.actor:
        yield "By", f"{entry.actor.kind}:{entry.actor.id}"
    if entry.src:
        yield "From", f"topic {entry.src.topic}, partition {entry.src.partition}, offset {entry.src.offset}"
    if entry.payload:
        yield (
            "Payload, not shown here",
            f"{entry.payload.size:,} bytes, committed to by {entry.payload.commit}",
        )


def _said(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        yield name.replace("_", " "), value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _way(mine: Proved, root: Proved) -> Iterator[tuple[str, str]]:
    for what, proved in (("The entry", mine), ("The root's entry that seals its log", root)):
        lines = proved.proof.partition("\n\n")
        hashes = len(lines[0].split("\n")) - 2
        origin, size, head = lines[2].split("\n")[:3]
        yield what, f"hash {leaf_hash(proved.entry).hex()}"
        yield "leads by", f"{hashes} hashes to the root {head} of {origin}, which had {int(size):,} entries"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    lines = [f"<tr><th scope=row>{escape(name)}</th><td>{escape(told)}</td></tr>" for name, told in rows]
    return "\n".join(["<table>", *lines, "</table>"])
