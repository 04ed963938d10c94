"""What a bundle is asked, what it holds and where; `verify.py` reads it, docs/verifying.md says it."""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Final, Literal

import msgspec
from msgspec import Struct

from reviewsvc.domain.entries import Actor
from reviewsvc.domain.tiles import WIDTH, Tile

FORMAT: Final = "reviewsvc.bundle/1"
MANIFEST: Final = "manifest.json"
EXPORT: Final = "export.tlog-proof"
KEYS: Final = "keys.json"
VERIFIER: Final = "verify.py"
STAMPS: Final = "time-stamps"
COVER: Final = "cover.pdf"
CSV: Final = "views/entries.csv"
PARQUET: Final = "views/entries.parquet"
OCSF: Final = "views/activity.ocsf.jsonl"
VIEWS: Final = (COVER, CSV, PARQUET, OCSF)
# Entries are brought in by so many at a time, whole bundles of 256: what stops resumes there.
PART: Final = 16 * WIDTH
_HEIGHT: Final = 8
_SALT_BYTES: Final = 32

Kind = Literal["range", "model", "subject", "reviewer", "queue", "case"]


class QuestionError(ValueError):
    """What a bundle is asked cannot be answered so; the text says why."""


class Question(Struct, frozen=True, omit_defaults=True, rename={"since": "from"}):
    """What an auditor asks: all of some logs in a time, or whatever is about one thing; microseconds."""

    kind: Kind
    logs: list[str] = []
    model: str | None = None
    prediction_id: str | None = None
    source: str | None = None
    subject: str | None = None
    reviewer: str | None = None
    queue: str | None = None
    since: int | None = None
    until: int | None = None

    @property
    def is_everything(self) -> bool:
        """Say whether all of all logs is asked for: the root, which names them, is then here as a whole."""
        return self.kind == "range" and not self.logs and self.since is None and self.until is None


class Scope(Struct, frozen=True):
    """What is here of a log: every entry from `first` to before `behind`, or `entries` picked ones."""

    name: str
    size: int
    root: str
    scope: Literal["range", "picked"]
    first: int
    behind: int
    entries: int


class KeySpan(Struct, frozen=True, omit_defaults=True):
    """A key that signs checkpoints, and from when until when, in microseconds."""

    vkey: str
    valid_from: int
    valid_until: int | None = None


class Payloads(Struct, frozen=True):
    """How many payloads are disclosed, and how many are withheld, by reason."""

    disclosed: int
    withheld: dict[str, int]


class Manifest(Struct, frozen=True):
    """What a bundle says of itself: its question, its logs, and the SHA-256 of every other file."""

    format: str
    origin: str
    root: str
    question: Question
    purpose: str
    exporter: Actor
    made_at: int
    logs: list[Scope]
    payloads: Payloads
    not_authoritative: list[str]
    files: dict[str, str]


def write_manifest(manifest: Manifest) -> bytes:
    """Write the manifest as a person can read it too."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def write_keys(spans: Iterable[KeySpan]) -> bytes:
    """Write the history of the keys that sign."""
    return msgspec.json.format(msgspec.json.encode({"keys": list(spans)}), indent=1) + b"\n"


def check_question(question: Question) -> Question:
    """Return a question that names what it is about, and nothing else; raises QuestionError."""
    wanted = {
        "range": {"logs"},
        "model": {"model"},
        "subject": {"subject"},
        "reviewer": {"reviewer"},
        "queue": {"queue"},
        "case": {"model", "prediction_id"},
    }[question.kind]
    given = {
        name for name in ("model", "prediction_id", "subject", "reviewer", "queue") if _said(question, name)
    }
    if question.logs:
        given.add("logs")
    if given - {"logs"} != wanted - {"logs"} or (question.logs and question.kind != "range"):
        names = " and ".join(sorted(wanted - {"logs"})) or "logs and times alone"
        raise QuestionError(f"a bundle about a {question.kind} is asked by {names}")
    if question.since is not None and question.until is not None and question.since >= question.until:
        raise QuestionError("the time asked for ends before it begins")
    return question


def folder(log: str) -> str:
    """Return where a log's files stand in a bundle."""
    return f"logs/{log}"


def lines_file(log: str, kind: Literal["entries", "payloads"], first: int) -> str:
    """Return the file of a log's lines that begin at a seq."""
    return f"{folder(log)}/{kind}/{first:015d}.jsonl"


def disclosed(seq: int, salted: bytes) -> bytes:
    """Write a payload behind its salt as a line; as text where it is UTF-8."""
    salt, payload = salted[:_SALT_BYTES].hex(), salted[_SALT_BYTES:]
    try:
        said = {"seq": seq, "salt": salt, "text": payload.decode()}
    except UnicodeDecodeError:
        said = {"seq": seq, "salt": salt, "base64": b64encode(payload).decode()}
    return msgspec.json.encode(said) + b"\n"


def withheld(seq: int, why: str) -> bytes:
    """Write that an entry's payload is not disclosed, and why."""
    return msgspec.json.encode({"seq": seq, "withheld": why}) + b"\n"


def needed_tiles(size: int, blocks: Iterable[int]) -> Iterator[Tile]:
    """Yield the tiles of hashes that lead from these blocks of 256 entries, in order, to a log's root.

    The right edge of the tree, which every root is made of, comes last.
    """
    last: dict[int, int] = {}
    for block in blocks:
        level, index = 0, block
        while last.get(level) != index:
            last[level] = index
            width = min(WIDTH, (size >> _HEIGHT * level) - index * WIDTH)
            if width <= 0:
                break
            yield Tile(level, index, width)
            level, index = level + 1, index // WIDTH
    level = 0
    while count := size >> _HEIGHT * level:
        if count % WIDTH and last.get(level) != count // WIDTH:
            yield Tile(level, count // WIDTH, count % WIDTH)
        level += 1


def _said(question: Question, name: str) -> bool:
    return getattr(question, name) is not None
