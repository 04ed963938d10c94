"""Labels as they leave: by pages, and as a stream of any length in constant memory."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from reviewsvc.db import labels as rows
from reviewsvc.db import logs
from reviewsvc.domain import facts as f
from reviewsvc.domain import restores
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.labels import (
    FIELDS,
    START,
    Cursor,
    CursorError,
    LabelRecord,
    is_label,
    label_record,
    read_cursor,
    read_label_entry,
)
from reviewsvc.usecases import csv_text
from reviewsvc.usecases.activity import Said, record
from reviewsvc.usecases.desk import Desk, Work
from reviewsvc.usecases.opening import Part, open_all, read

_AT_ONCE: Final = 2_000
_AHEAD: Final = 2


class ModelMissingError(LookupError):
    """There is no such model."""


class Span(NamedTuple):
    """A part of one label log: seqs above `after` and below `before`."""

    log_id: int
    name: str
    after: int
    before: int


class Page(NamedTuple):
    """Labels, the cursor for those that follow, and, after a restore, what the log went on as."""

    items: list[LabelRecord]
    next: str
    continuation: dict[str, object] | None


class Streamed(NamedTuple):
    """Labels as a stream, and, after a restore, what the log went on as."""

    batches: Iterator[list[LabelRecord]]
    continuation: dict[str, object] | None


class Pull(NamedTuple):
    """What a cursor is still to be given, all incarnations that follow it."""

    spans: list[Span]
    continuation: dict[str, object] | None

    @property
    def start(self) -> str | None:
        """Where the log that went on begins, for a cursor of an older one."""
        return None if self.continuation is None else f"{self.spans[-1].name.rpartition('/')[2]}.0"

    @property
    def up_to(self) -> int:
        """The last seq that is given."""
        return self.spans[-1].before - 1


def page(
    desk: Desk,
    model: str,
    after: str | None,
    limit: int,
    *,
    actor: Actor,
    at: datetime,
    token: UUID | None = None,
) -> Page:
    """Return up to `limit` labels after a cursor; what leaves is logged.

    Raises ModelMissingError, CursorError.
    """
    with desk.work(actor, at) as work:
        pull = _pull(work, model, read_cursor(after))
        items: list[LabelRecord] = []
        for span in pull.spans:
            items += _read(work, span, limit - len(items))
        following = items[-1].label_id if items else pull.start or after or START
        if items:
            _log_export(work, model, len(items), items[-1].seq, token)
        return Page(items, following, pull.continuation)


def stream(
    desk: Desk, model: str, after: str | None, *, actor: Actor, at: datetime
) -> Iterator[list[LabelRecord]]:
    """Return all labels after a cursor that stand now, a few thousand at a time, each in a short transaction.

    That they leave is logged before the first does. Raises like `page`, before anything is given.
    """
    return opened(desk, model, after, actor=actor, at=at).batches


def opened(
    desk: Desk, model: str, after: str | None, *, actor: Actor, at: datetime, token: UUID | None = None
) -> Streamed:
    """Return the same stream, and before it what a cursor from before a restore must be told."""
    with desk.work(actor, at) as work:
        pull = _pull(work, model, read_cursor(after))
        amount = sum(max(0, span.before - 1 - max(span.after, 0)) for span in pull.spans)
        if amount:
            _log_export(work, model, amount, pull.up_to, token)
    return Streamed(_batches(desk, pull.spans, actor, at), pull.continuation)


def as_lines(batches: Iterator[list[LabelRecord]]) -> Iterator[bytes]:
    """Write labels as JSON, one a line."""
    encoder = msgspec.json.Encoder()
    for batch in batches:
        yield encoder.encode_lines(batch)


def as_csv(batches: Iterator[list[LabelRecord]]) -> Iterator[bytes]:
    """Write labels as CSV (RFC 4180) with a header; what is not known is empty."""
    yield csv_text.as_csv([FIELDS])
    for batch in batches:
        yield csv_text.as_csv([_texts(one) for one in batch])


def as_sheet(batches: Iterator[list[LabelRecord]]) -> Iterator[bytes]:
    """Write the same for a spreadsheet: a text that it would take for a formula begins with an apostrophe."""
    yield csv_text.as_csv([FIELDS])
    for batch in batches:
        yield csv_text.as_csv([map(csv_text.plain, _texts(one)) for one in batch])


FORMATS: Final[dict[str, Callable[[Iterator[list[LabelRecord]]], Iterator[bytes]]]] = {
    "application/x-ndjson": as_lines,
    "text/csv": as_csv,
}


def _pull(work: Work, model: str, cursor: Cursor | None) -> Pull:
    found = rows.logs_of(work.session, model)
    if not found:
        raise ModelMissingError(f"There is no model {model}.")
    newest = found[-1]
    first = cursor or Cursor(found[0].incarnation, 0)
    known = {row.incarnation: row for row in found}
    standing = known.get(first.incarnation)
    # Of an older incarnation nothing may be left: a cursor of it is answered with the continuation.
    is_ahead = first.incarnation > newest.incarnation
    if is_ahead or (standing is newest and first.seq >= newest.size):
        raise CursorError(f"the labels of {model} end at {Cursor(newest.incarnation, newest.size - 1)}")
    spans = [
        Span(row.log_id, row.name, first.seq if row is standing else 0, row.leaving)
        for row in found
        if row.incarnation >= first.incarnation
    ]
    went_on = cursor is not None and cursor.incarnation < newest.incarnation
    following = [span for span in spans if went_on and span.log_id != (standing.log_id if standing else 0)]
    return Pull(spans, _continuation(work, following) if following else None)


def _continuation(work: Work, following: list[Span]) -> dict[str, object]:
    first, last = following[0], following[-1]
    return restores.told(first.name, logs.one(work.session, first.log_id, 0), goes_on=last.name)


def _read(work: Work, span: Span, limit: int) -> list[LabelRecord]:
    if limit <= 0:
        return []
    connection = work.desk.sessions.psycopg(work.session)
    rows_read = read(connection, Part(span.log_id, span.after, span.before, limit))
    made = [row for row in rows_read if is_label(row.body)]
    opened = open_all(connection, work.desk.keyring, made, read_label_entry)
    return [label_record(span.name, entry, secrets) for entry, secrets in opened]


def _batches(desk: Desk, spans: list[Span], actor: Actor, at: datetime) -> Iterator[list[LabelRecord]]:
    """Read ahead: while one part is being opened the database works on the next. Never more than three."""

    def one(part: Span) -> list[LabelRecord]:
        with desk.work(actor, at) as work:
            return _read(work, part, _AT_ONCE)

    with ThreadPoolExecutor(_AHEAD) as pool:
        coming: deque[Future[list[LabelRecord]]] = deque()
        for part in _parts(spans):
            coming.append(pool.submit(one, part))
            if len(coming) > _AHEAD:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def _parts(spans: list[Span]) -> Iterator[Span]:
    """Cut spans into parts of a few thousand: the seqs of a log have no gaps."""
    for span in spans:
        for after in range(span.after, span.before - 1, _AT_ONCE):
            yield span._replace(after=after, before=min(span.before, after + _AT_ONCE + 1))


def _log_export(work: Work, model: str, amount: int, up_to: int, token: UUID | None) -> None:
    by = str(token) if token else None
    said = Said("export", f.Export("labels", model, amount, up_to, token=by), about=model)
    record(work.session, work.desk.keyring, [said], actor=work.actor, at=work.at)


def _texts(one: LabelRecord) -> tuple[object, ...]:
    values = msgspec.structs.astuple(one)
    return (*values[:_AGREED], _WORDS[one.agreed], *values[_AGREED + 1 :])


_AGREED: Final = FIELDS.index("agreed")
_WORDS: Final = {True: "true", False: "false"}
