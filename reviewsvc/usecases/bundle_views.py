"""A bundle's views, CSV, Parquet and OCSF: kept part by part, then written as one of each."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import csv, ipc, parquet

from reviewsvc.domain import bundle, ocsf
from reviewsvc.domain.bundle_view import COLUMNS, Told, columns

# So many parts make a row group: readers want them large, the maker's memory wants them small.
_GROUP: Final = 8
_ROWS, _EVENTS = ".arrow", ".ocsf"
_TYPES: Final[dict[str, Any]] = {
    "text": pa.string(),
    "number": pa.int64(),
    "moment": pa.timestamp("us", tz="UTC"),
    "flag": pa.bool_(),
}
_SCHEMA: Final = pa.schema([(name, _TYPES[kind]) for name, kind in COLUMNS.items()])


def keep_rows(part: Path, log: str, entries: Sequence[Told]) -> None:
    """Keep the rows of a part of a log in a file of their own."""
    table = pa.table(columns(log, entries), schema=_SCHEMA)
    with ipc.new_stream(part.with_suffix(_ROWS), _SCHEMA) as stream:
        stream.write_table(table)


def keep_events(part: Path, bodies: Iterable[bytes]) -> None:
    """Keep the events of a part of an activity log."""
    part.with_suffix(_EVENTS).write_bytes(b"".join(ocsf.event(body).text + b"\n" for body in bodies))


def write_views(kept: Sequence[Path], files: Path) -> None:
    """Write what was kept of these parts, in their order; the same entries give the same bytes.

    Without an entry of an activity log there is no file of events.
    """
    (files / bundle.CSV).parent.mkdir(exist_ok=True)
    parts = [path for path in _named(kept, _EVENTS) if path.exists()]
    if parts:
        with (files / bundle.OCSF).open("wb") as stream:
            for each in parts:
                stream.write(each.read_bytes())
    with (
        csv.CSVWriter(files / bundle.CSV, _SCHEMA) as as_csv,
        parquet.ParquetWriter(files / bundle.PARQUET, _SCHEMA, compression="zstd") as as_parquet,
        ThreadPoolExecutor(1) as beside,
    ):
        # Arrow lets go of the interpreter's lock while it writes: the two are written at once.
        for table in _tables(_named(kept, _ROWS)):
            written = beside.submit(as_csv.write_table, table)
            as_parquet.write_table(table, row_group_size=table.num_rows)
            written.result()


def _named(kept: Sequence[Path], suffix: str) -> list[Path]:
    return [path.with_suffix(suffix) for path in kept]


def _tables(pieces: Sequence[Path]) -> Iterator[Any]:
    """Yield the rows of a few parts at a time."""
    for first in range(0, len(pieces), _GROUP):
        yield pa.concat_tables(map(_read, pieces[first : first + _GROUP]))


def _read(piece: Path) -> Any:  # noqa: ANN401 - pyarrow ships no types
    with ipc.open_stream(piece) as stream:
        return stream.read_all()
