"""What a bundle's cover says: what was asked, what is here, what it is worth, and how to verify it."""

from collections.abc import Iterator
from typing import NamedTuple

from reviewsvc.domain.bundle import KEYS, Manifest, Question, Scope
from reviewsvc.domain.moments import moment

_WORDS = {
    "range": "everything in a time",
    "model": "a model",
    "subject": "a subject",
    "reviewer": "a reviewer",
    "queue": "a queue",
    "case": "one case, with all that ever happened to it",
}
_VERDICT = (
    "While this was made, each entry was held against the hash in its log's tree, and each tree against the "
    "root that was signed: all agreed. That is the maker's word, and this page is part of what it is about. "
    "The verdict that counts is the one that you get yourself."
)
_VERIFY = (
    "Take verify.py from the release, not from this bundle, and verifier keys from elsewhere than here. "
    "Its first line is the verdict: VERIFIED, TAMPERED, INCOMPLETE, or SELF-CONSISTENT if you gave no keys."
)
_COMMAND = "python3 -I verify.py --keys verifier-keys.txt BUNDLE"
_NOT_PROVED = (
    "that producers sent everything, or the truth; that people judged rightly",
    "anything behind the checkpoints that are here",
    "without witnesses whom you chose (--policy): that others were shown the same logs",
    "why a payload is withheld, and that the views agree with the entries",
)
_PICKED = "that nothing was left out of the logs that are picked from"


class Section(NamedTuple):
    """A part of the page: a heading, a table with or without a head, texts, a command."""

    title: str
    rows: tuple[tuple[str, ...], ...] = ()
    head: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    command: str = ""


def sections(manifest: Manifest) -> list[Section]:
    """Return the page's parts, in order."""
    picks = any(scope.scope == "picked" for scope in manifest.logs if scope.name != manifest.root)
    views = ", ".join(each for each in manifest.not_authoritative if each.startswith("views/"))
    only = f"Only the bytes of the entries are authoritative. This page and {views} are for reading."
    return [
        Section("Question", (*_facts(manifest),)),
        Section("Logs", (*_logs(manifest),), head=("Log", "Here", "Of", "Root hash (SHA-256)")),
        Section("Payloads", (*_payloads(manifest),)),
        Section("Verdict of its maker", texts=(_VERDICT,)),
        Section("Verify it yourself", texts=(_VERIFY,), command=_COMMAND),
        Section("What it does not prove", points=(*_NOT_PROVED, *([_PICKED] if picks else []))),
        Section("What is authoritative", texts=(only, f"The keys that signed, and when: {KEYS}.")),
    ]


def _facts(manifest: Manifest) -> Iterator[tuple[str, ...]]:
    yield "Asked about", _WORDS[manifest.question.kind]
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
    if not scope.entries:
        return "none"
    return f"all from {scope.first:,} to {scope.behind - 1:,}: nothing inside was left out"


def _payloads(manifest: Manifest) -> Iterator[tuple[str, ...]]:
    yield "disclosed, with the salts that prove them", f"{manifest.payloads.disclosed:,}"
    for why, count in sorted(manifest.payloads.withheld.items()):
        yield f"withheld: {why}", f"{count:,}"


def _time(at_us: int) -> str:
    return f"{moment(at_us):%Y-%m-%d %H:%M:%S} UTC"
