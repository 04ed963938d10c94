"""What a bundle is made of, as it is stored: the logs as one root seals them, entries, ciphertexts."""

from collections.abc import Sequence
from typing import NamedTuple

from reviewsvc.db.hot import scan
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.hot.seals import SealedLog


class PinnedLog(NamedTuple):
    """A log as far as a root seals it: the checkpoint, and the root's entry that holds it."""

    log_id: int
    name: str
    kind: str
    model: str | None
    size: int
    root: bytes
    note: str
    root_seq: int


class Captured(NamedTuple):
    """Where a prediction's entry stands, and its keyed hash."""

    log: str
    seq: int
    id_hash: bytes


_PINNED = """
SELECT DISTINCT ON (c.log_id) c.log_id, l.name, l.kind, l.model, c.size, c.root, c.note, c.root_seq
FROM checkpoint c JOIN log l USING (log_id) JOIN log r ON r.log_id = %(root)s
WHERE c.root_seq < %(size)s AND (c.root_log_id = r.log_id OR c.root_log_id IS NULL AND r.incarnation = 0)
ORDER BY c.log_id, c.size DESC
"""
_PINNED_LOG = """
SELECT c.log_id, l.name, l.kind, l.model, c.size, c.root, c.note, c.root_seq
FROM checkpoint c JOIN log l USING (log_id) JOIN log r ON r.log_id = %(root)s
WHERE l.name = %(name)s AND c.root_seq < %(size)s
    AND (c.root_log_id = r.log_id OR c.root_log_id IS NULL AND r.incarnation = 0)
ORDER BY c.size DESC LIMIT 1
"""
_ROOT = """
SELECT l.log_id, l.name, l.kind, c.size, c.root, c.note FROM log l JOIN checkpoint c USING (log_id)
WHERE l.kind = 'root' ORDER BY l.incarnation DESC, c.size DESC LIMIT 1
"""
# Before a restore another root log sealed: the one that holds the log's newest checkpoint.
_ROOT_OF = """
SELECT r.log_id, r.name, r.kind, c.size, c.root, c.note FROM log r JOIN checkpoint c USING (log_id)
WHERE r.name = (
    SELECT coalesce(s.name, 'root/0') FROM log l JOIN checkpoint k USING (log_id)
    LEFT JOIN log s ON s.log_id = k.root_log_id
    WHERE l.name = %s AND k.root_seq IS NOT NULL ORDER BY k.size DESC LIMIT 1
) ORDER BY c.size DESC LIMIT 1
"""
_PREDICTIONS = """
SELECT l.name, p.seq, p.id_hash FROM prediction p JOIN log l USING (log_id) JOIN model m USING (model_id)
WHERE p.find = %s AND m.name = %s ORDER BY p.at, p.log_id, p.seq
"""
_ENTRIES = "SELECT seq, body FROM entry WHERE log_id = %s AND seq = ANY(%s) ORDER BY seq"
_LEAVES = "SELECT tile_index, data FROM tile WHERE log_id = %s AND level = 0 AND tile_index = ANY(%s)"
# The times of the entries tell which months' partitions may hold the payloads.
_SEALED = """
SELECT seq, ciphertext FROM payload
WHERE log_id = %(log_id)s AND {0} AND at >= %(since)s AND at <= %(until)s
UNION ALL
SELECT seq, ciphertext FROM payload_held WHERE log_id = %(log_id)s AND {0}
"""
_SEALED_PICKED = _SEALED.format("seq = ANY(%(seqs)s)")
_SEALED_RANGE = _SEALED.format("seq >= %(first)s AND seq < %(behind)s")


def newest_root(conn: Connected) -> SealedLog | None:
    """The root log with its largest signed checkpoint; None while nothing is signed."""
    row = conn.execute(_ROOT).fetchone()
    return SealedLog(*row) if row else None


def root_that_seals(conn: Connected, name: str) -> SealedLog | None:
    """The root log, with its largest signed checkpoint, whose entries seal a log; None if none does."""
    row = conn.execute(_ROOT_OF, (name,)).fetchone()
    return SealedLog(*row) if row else None


def pinned(conn: Connected, root: SealedLog) -> list[PinnedLog]:
    """Every log as the signed entries of a root log seal it, by name."""
    found = [PinnedLog(*row) for row in conn.execute(_PINNED, {"root": root.log_id, "size": root.size})]
    return sorted(found, key=lambda log: log.name)


def pinned_log(conn: Connected, name: str, root: SealedLog) -> PinnedLog | None:
    """One log as the signed entries of a root log seal it; None if they do not."""
    asked = {"name": name, "root": root.log_id, "size": root.size}
    row = conn.execute(_PINNED_LOG, asked).fetchone()
    return PinnedLog(*row) if row else None


def entries(conn: Connected, log_id: int, seqs: Sequence[int]) -> list[tuple[int, bytes]]:
    """The entries with these seqs, given in order, as (seq, bytes)."""
    if _are_dense(seqs):
        return scan.entries(conn, log_id, range(seqs[0], seqs[-1] + 1))
    with conn.cursor(binary=True) as cursor:
        return cursor.execute(_ENTRIES, (log_id, list(seqs))).fetchall()


def leaf_tiles(conn: Connected, log_id: int, blocks: Sequence[int]) -> dict[int, bytes]:
    """Those of these tiles of level 0 that are stored, by index: the hashes of 256 entries each."""
    with conn.cursor(binary=True) as cursor:
        return dict(cursor.execute(_LEAVES, (log_id, list(blocks))))


def ciphertexts(
    conn: Connected, log_id: int, seqs: Sequence[int], since: int, until: int
) -> dict[int, bytes]:
    """The stored payloads of some entries, given in order, by seq; what retention dropped is not there.

    `since` and `until` are the times of the first and the last of them, in microseconds.
    """
    asked = {"log_id": log_id, "first": seqs[0], "behind": seqs[-1] + 1, "seqs": list(seqs)}
    asked |= {"since": since, "until": until}
    with conn.cursor(binary=True) as cursor:
        cursor.execute(_SEALED_RANGE if _are_dense(seqs) else _SEALED_PICKED, asked)
        return dict(cursor.fetchall())


def predictions(conn: Connected, model: str, find: int) -> list[Captured]:
    """A model's predictions that one id was sent with, in the order of their arrival."""
    with conn.cursor(binary=True) as cursor:
        return [Captured(*row) for row in cursor.execute(_PREDICTIONS, (find, model))]


def _are_dense(seqs: Sequence[int]) -> bool:
    return len(seqs) == seqs[-1] - seqs[0] + 1
