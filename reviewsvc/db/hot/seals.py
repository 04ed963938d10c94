"""What was signed, as the sealer, the verifier and whoever serves the logs read it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain.projections import CheckpointRow, SigningKeyRow


class Growth(NamedTuple):
    """A log that takes entries: how many it has, and how many of them are signed."""

    log_id: int
    name: str
    kind: str
    size: int
    sealed: int


class SealedLog(NamedTuple):
    """A log with its largest signed checkpoint."""

    log_id: int
    name: str
    kind: str
    size: int
    root: bytes
    note: str


class StoredTile(NamedTuple):
    """A full tile: its place, and its 256 hashes, one behind the other."""

    log_id: int
    level: int
    tile_index: int
    data: bytes


class RootPlace(NamedTuple):
    """Where in which root log an entry stands."""

    root: str
    seq: int


_GROWN = """
SELECT * FROM (
    SELECT l.log_id, l.name, l.kind, h.size,
        coalesce((SELECT max(c.size) FROM checkpoint c WHERE c.log_id = l.log_id), 0) AS sealed
    FROM log l JOIN head h USING (log_id) WHERE NOT h.frozen
) logs WHERE size > sealed ORDER BY log_id
"""
_OLDEST_UNSEALED = """
SELECT min(waits.at) FROM (
    SELECT l.log_id, l.kind,
        coalesce((SELECT max(c.size) FROM checkpoint c WHERE c.log_id = l.log_id), 0) AS sealed
    FROM log l JOIN head h USING (log_id) WHERE NOT h.frozen AND l.kind <> 'root'
) logs CROSS JOIN LATERAL (
    (SELECT a.at FROM activity a WHERE logs.kind = 'activity' AND a.log_id = logs.log_id
        AND a.seq >= logs.sealed AND a.kind <> ALL(%s) ORDER BY a.seq LIMIT 1)
    UNION ALL
    SELECT (convert_from(e.body, 'UTF8')::json ->> 'at')::bigint FROM entry e
    WHERE logs.kind <> 'activity' AND e.log_id = logs.log_id AND e.seq = logs.sealed
) waits
"""
_SEALED = """
SELECT l.log_id, l.name, l.kind, c.size, c.root, c.note FROM log l
CROSS JOIN LATERAL (
    SELECT size, root, note FROM checkpoint WHERE log_id = l.log_id ORDER BY size DESC LIMIT 1
) c
"""
# What the first release entered had only one root log to be in.
_ROWS = (
    "SELECT log_id, size, root, note, at, root_seq, CASE WHEN root_seq IS NOT NULL THEN "
    "coalesce(root_log_id, (SELECT r.log_id FROM log r WHERE r.name = 'root/0')) END FROM checkpoint"
)
_WENT_ON = (
    "SELECT FROM log old JOIN log later USING (series) "
    "WHERE old.log_id = %s AND later.incarnation > old.incarnation LIMIT 1"
)
_KEYS = "SELECT log_id, seq, vkey, valid_from, valid_until FROM signing_key ORDER BY log_id, seq"
_TILE = "SELECT data FROM tile WHERE log_id = %s AND level = %s AND tile_index = %s"
_TILES = (
    "SELECT log_id, level, tile_index, data FROM tile "
    "WHERE log_id = %s AND level = %s AND tile_index >= %s AND tile_index < %s ORDER BY tile_index"
)
# Of a root log's last million entries, the newest about a log behind that of its last checkpoint.
_ENTERED_BEHIND = """
WITH root AS (
    SELECT log_id, name, size FROM log JOIN head USING (log_id)
    WHERE kind = 'root' ORDER BY incarnation DESC LIMIT 1
)
SELECT root.name, e.seq FROM root JOIN entry e ON e.log_id = root.log_id AND e.seq > greatest(
    root.size - 1000000,
    (SELECT root_seq FROM checkpoint WHERE log_id = %(log_id)s ORDER BY size DESC LIMIT 1)
)
WHERE position(%(named)s IN e.body) > 0 ORDER BY e.seq DESC LIMIT 1
"""
_ADD_TILES = "COPY tile (log_id, level, tile_index, data) FROM STDIN (FORMAT BINARY)"


def grown(conn: Connected) -> list[Growth]:
    """The logs that have entries which are not signed yet, by id."""
    return [Growth(*row) for row in conn.execute(_GROWN)]


def has_events(conn: Connected, log: Growth, besides: Sequence[str]) -> bool:
    """Say whether an activity log has entries that are not signed yet, other than of these kinds."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM activity WHERE log_id = %s AND seq >= %s AND kind <> ALL(%s))",
        (log.log_id, log.sealed, list(besides)),
    ).fetchone()
    return bool(row and row[0])


def oldest_unsealed(conn: Connected, besides: Sequence[str]) -> int | None:
    """When the oldest entry that waits for its seal was written (µs), leaving out activity of some kinds."""
    row = conn.execute(_OLDEST_UNSEALED, (list(besides),)).fetchone()
    return None if row is None else row[0]


def root_sealed_at(conn: Connected) -> int:
    """When a root log was last signed, in microseconds; 0 if never."""
    row = conn.execute(
        "SELECT c.at FROM log l CROSS JOIN LATERAL (SELECT at FROM checkpoint WHERE log_id = l.log_id "
        "ORDER BY size DESC LIMIT 1) c WHERE l.kind = 'root' ORDER BY c.at DESC LIMIT 1"
    ).fetchone()
    return int(row[0]) if row else 0


def entered_behind(conn: Connected, log: Growth) -> RootPlace | None:
    """Where the root log has a checkpoint of a log behind its last one that is stored; None if nowhere."""
    named = f'"facts":{{"log":"{log.name}",'.encode()
    row = conn.execute(_ENTERED_BEHIND, {"log_id": log.log_id, "named": named}).fetchone()
    return RootPlace(*row) if row else None


def root_said_at(conn: Connected) -> int:
    """The time of the root log's last entry, in microseconds, which later ones are not before; 0 if none."""
    row = conn.execute("SELECT max(h.last_at) FROM log l JOIN head h USING (log_id) WHERE l.kind = 'root'")
    return int((row.fetchone() or (0,))[0] or 0)


def sealed_logs(conn: Connected) -> list[SealedLog]:
    """Every log that was ever signed, by name."""
    return [SealedLog(*row) for row in conn.execute(f"{_SEALED} ORDER BY l.name")]


def sealed_log(conn: Connected, name: str) -> SealedLog | None:
    """The log of this name; None if there is none or it was never signed."""
    row = conn.execute(f"{_SEALED} WHERE l.name = %s", (name,)).fetchone()
    return SealedLog(*row) if row else None


def went_on(conn: Connected, log_id: int) -> bool:
    """Say whether a log has gone on as its next incarnation, since the database was restored."""
    return conn.execute(_WENT_ON, (log_id,)).fetchone() is not None


def checkpoint(conn: Connected, log_id: int, size: int) -> CheckpointRow | None:
    """A log's checkpoint of one size."""
    row = conn.execute(f"{_ROWS} WHERE log_id = %s AND size = %s", (log_id, size)).fetchone()
    return CheckpointRow(*row) if row else None


def checkpoints(conn: Connected, log_id: int, sizes: range) -> list[CheckpointRow]:
    """A log's checkpoints with a size in a range, the smallest first."""
    rows = conn.execute(
        f"{_ROWS} WHERE log_id = %s AND size >= %s AND size < %s ORDER BY size",
        (log_id, sizes.start, sizes.stop),
    )
    return [CheckpointRow(*row) for row in rows]


def checkpoints_after(conn: Connected, log_id: int, size: int, limit: int) -> list[CheckpointRow]:
    """A log's next checkpoints behind a size, the smallest first."""
    rows = conn.execute(
        f"{_ROWS} WHERE log_id = %s AND size > %s ORDER BY size LIMIT %s", (log_id, size, limit)
    )
    return [CheckpointRow(*row) for row in rows]


def checkpoint_before(conn: Connected, log_id: int, seq: int) -> CheckpointRow | None:
    """A log's largest checkpoint that does not cover an entry."""
    row = conn.execute(
        f"{_ROWS} WHERE log_id = %s AND size <= %s ORDER BY size DESC LIMIT 1", (log_id, seq)
    ).fetchone()
    return CheckpointRow(*row) if row else None


def size_behind(conn: Connected, log_id: int, seq: int) -> int | None:
    """The size of a log's smallest checkpoint that covers all entries before a seq."""
    row = conn.execute(
        "SELECT min(size) FROM checkpoint WHERE log_id = %s AND size >= %s", (log_id, seq)
    ).fetchone()
    return row[0] if row else None


def checkpoints_at(
    conn: Connected, places: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], CheckpointRow]:
    """The checkpoints that stand at these places (log, size)."""
    rows = conn.execute(
        f"{_ROWS} WHERE (log_id, size) IN (SELECT * FROM unnest(%s::int[], %s::bigint[]))",
        ([log_id for log_id, _ in places], [size for _, size in places]),
    )
    return {(row[0], row[1]): CheckpointRow(*row) for row in rows}


def entered(conn: Connected, sizes: Mapping[int, int]) -> int:
    """How many checkpoints up to a size of each log say that they stand in the root log."""
    row = conn.execute(
        "SELECT count(*) FROM checkpoint c JOIN unnest(%s::int[], %s::bigint[]) AS s (log_id, size) "
        "ON s.log_id = c.log_id AND c.size <= s.size WHERE c.root_seq IS NOT NULL",
        (list(sizes), list(sizes.values())),
    ).fetchone()
    return int(row[0]) if row else 0


def has_other_kinds(conn: Connected, log_id: int, seqs: range, kinds: Sequence[str]) -> bool:
    """Say whether an activity log has, within a range, entries of other kinds than these."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM activity WHERE log_id = %s AND seq >= %s AND seq < %s "
        "AND kind <> ALL(%s))",
        (log_id, seqs.start, seqs.stop, list(kinds)),
    ).fetchone()
    return bool(row and row[0])


def keys(conn: Connected) -> list[SigningKeyRow]:
    """All that was said of signing keys, in order."""
    return [SigningKeyRow(*row) for row in conn.execute(_KEYS)]


def tile(conn: Connected, log_id: int, level: int, index: int) -> bytes | None:
    """A full tile's hashes; None if it is not stored."""
    row = conn.execute(_TILE, (log_id, level, index)).fetchone()
    return bytes(row[0]) if row else None


def tiles(conn: Connected, log_id: int, level: int, indexes: range) -> list[StoredTile]:
    """The full tiles that are stored of a part of a level, in order."""
    with conn.cursor(binary=True) as cursor:
        cursor.execute(_TILES, (log_id, level, indexes.start, indexes.stop))
        return [StoredTile(*row) for row in cursor]


def tiles_unasked(conn: Connected, log_id: int) -> int:
    """How many tiles are stored of a log beyond its largest checkpoint."""
    row = conn.execute(
        "SELECT count(*) FROM tile t WHERE log_id = %s AND (t.tile_index + 1) << (8 * (t.level + 1)) > "
        "coalesce((SELECT max(c.size) FROM checkpoint c WHERE c.log_id = t.log_id), 0)",
        (log_id,),
    ).fetchone()
    return int(row[0]) if row else 0


def add_tiles(conn: Connected, rows: Sequence[StoredTile]) -> None:
    """Keep full tiles."""
    if not rows:
        return
    with conn.cursor() as cursor, cursor.copy(_ADD_TILES) as copy:
        copy.set_types(("int4", "int2", "int8", "bytea"))
        for row in rows:
            copy.write_row(row)
