"""The right edges of the logs' trees, kept between seals, and what is to be signed of each."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from reviewsvc.db.hot import scan
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.hot.seals import Growth, SealedLog
from reviewsvc.domain.chain import Chain
from reviewsvc.domain.edge import Edge, FullTile
from reviewsvc.domain.entries import ZERO_HASH, leaf_hash
from reviewsvc.domain.signing import Tip, Wanted
from reviewsvc.domain.tiles import TileError
from reviewsvc.domain.tree import EMPTY_ROOT, ProofError, consistency_proof
from reviewsvc.domain.verdict import Findings
from reviewsvc.usecases import tiles
from reviewsvc.usecases.tiles import TileMissingError

_CHUNK: Final = 4_000
_AT_ONCE: Final = 65_536


class LogChangedError(RuntimeError):
    """A log is not any more what was signed of it, or its new entries do not follow from the old ones."""


class Extended(NamedTuple):
    """A log's tree, extended: from its checkpoint before to the one that is to be signed."""

    log: Growth
    edge: Edge
    last_hash: bytes
    tiles: list[FullTile]
    proof: list[bytes]
    wanted: Wanted

    @property
    def previous(self) -> int:
        """The size of the checkpoint before."""
        return self.log.sealed

    @property
    def left(self) -> int:
        """How many entries are left for the next time."""
        return self.log.size - self.wanted.size


class _Kept(NamedTuple):
    edge: Edge
    last_hash: bytes


class Edges:
    """Extends logs, at most so many entries at once; an edge is taken up from tiles when it is not kept."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._kept: dict[int, _Kept] = {}

    def keep(self, extended: Iterable[Extended]) -> None:
        """Keep the edges of logs whose checkpoints were entered; those of others were given up."""
        for each in extended:
            self._kept[each.log.log_id] = _Kept(each.edge, each.last_hash)

    def extend(self, conn: Connected, origin: str, log: Growth, tip: Tip) -> Extended:
        """Extend a log from its last checkpoint by entries as they are stored.

        `tip` is the largest tree that was signed, at least that checkpoint; what it has beyond, since a crash
        came between signing and entering, is signed again first. Raises LogChangedError.
        """
        try:
            return self._extend(conn, origin, log, tip)
        except (TileMissingError, TileError, ProofError) as fault:
            raise LogChangedError(f"{fault}; run `reviewsvc audit verify`") from fault

    def _extend(self, conn: Connected, origin: str, log: Growth, tip: Tip) -> Extended:
        # Given up until the extended one is entered: a failure in between leaves no edge that ran ahead.
        kept = self._kept.pop(log.log_id, None)
        if kept is None or kept.edge.size != log.sealed:
            kept = _taken_up(conn, log)
        edge = kept.edge
        _check_same(log, edge, tip)
        is_again = tip.size > log.sealed
        size = tip.size if is_again else min(log.size, log.sealed + self._at_once)
        findings = Findings(log.name)
        chain = Chain(origin, findings)
        chain.seq, chain.last_hash = edge.size, kept.last_hash
        step = edge.extend(_leaves(conn, log, range(edge.size, size), chain, findings))
        _check_same(log, edge, tip)
        proof = [] if is_again else [each.hex() for each in step.proof]
        wanted = Wanted(f"{origin}/{log.name}", tip.size, size, edge.root().hex(), proof)
        return Extended(log, edge, chain.last_hash, step.tiles, step.proof, wanted)


def catch_up(conn: Connected, origin: str, log: Growth, tip: Tip) -> Wanted:
    """What a signer is to sign first whose memory is behind the log's last checkpoint.

    Raises LogChangedError if the stored tiles do not lead from the one to the other.
    """
    row = stored.checkpoint(conn, log.log_id, log.sealed)
    if row is None:
        raise LogChangedError("its last checkpoint was removed meanwhile")
    sealed = SealedLog(log.log_id, log.name, log.kind, row.size, row.root, row.note)
    try:
        proof = consistency_proof(tip.size, row.size, tiles.node_reader(conn, sealed))
    except (TileMissingError, TileError, ProofError) as fault:
        raise LogChangedError(f"{fault}; run `reviewsvc audit verify`") from fault
    hashes = [each.hex() for each in proof]
    return Wanted(f"{origin}/{log.name}", tip.size, row.size, row.root.hex(), hashes)


def in_the_way(conn: Connected, extended: Extended) -> str:
    """Say what stands where a seal is to be entered; nothing where all is well.

    What was signed and not entered, since a crash came between, is entered later. What was entered and has
    no checkpoint any more was removed: entered again it would begin a second history in the root log.
    """
    log, size = extended.log, extended.wanted.size
    is_again = extended.wanted.old > log.sealed and log.kind != "root"
    place = stored.entered_behind(conn, log) if is_again else None
    if place is not None:
        told = f"{place.root}, seq {place.seq}, holds a checkpoint of it that the table of checkpoints lacks"
    elif any(stored.tile(conn, log.log_id, each.level, each.tile_index) for each in extended.tiles):
        told = f"tiles of it are stored beyond its {log.sealed} entries that have a checkpoint"
    else:
        return ""
    return (
        f"{told}: checkpoints of it were removed, or tiles put there, and {size} entries are not sealed "
        "again. Run `reviewsvc audit verify`, and put the rows back from a backup"
    )


def roots_at(conn: Connected, origin: str, log: Growth, sizes: Sequence[int]) -> list[bytes]:
    """The roots over a log's first entries, of sizes in rising order; as far as it is sealed by its tiles.

    Raises LogChangedError, as `roots` does for what is beyond.
    """
    known = [size for size in sizes if size <= log.sealed]
    try:
        found = [Edge(size, tiles.partials(conn, log.log_id, size)).root() for size in known]
    except (TileMissingError, TileError, ProofError) as fault:
        raise LogChangedError(f"{log.name}: {fault}; run `reviewsvc audit verify`") from fault
    beyond = sizes[len(known) :]
    return [*found, *(roots(conn, origin, log, beyond) if beyond else [])]


def roots(conn: Connected, origin: str, log: Growth, sizes: Sequence[int]) -> list[bytes]:
    """The roots over a log's first entries as they are stored, of sizes in rising order from `sealed` on.

    Raises LogChangedError if what is stored does not give what was signed, or is no chain.
    """
    try:
        kept = _taken_up(conn, log)
        findings = Findings(log.name)
        chain = Chain(origin, findings)
        chain.seq, chain.last_hash = kept.edge.size, kept.last_hash
        found = []
        for size in sizes:
            while kept.edge.size < size:
                seqs = range(kept.edge.size, min(size, kept.edge.size + _AT_ONCE))
                kept.edge.extend(_leaves(conn, log, seqs, chain, findings))
            found.append(kept.edge.root())
    except (TileMissingError, TileError, ProofError) as fault:
        raise LogChangedError(f"{fault}; run `reviewsvc audit verify`") from fault
    return found


def _taken_up(conn: Connected, log: Growth) -> _Kept:
    """Make the edge of the last checkpoint out of tiles and entries, and hold it against its root."""
    if log.sealed == 0:
        return _Kept(Edge(), ZERO_HASH)
    edge = Edge(log.sealed, tiles.partials(conn, log.log_id, log.sealed))
    row = stored.checkpoint(conn, log.log_id, log.sealed)
    if row is None or row.root != edge.root():
        raise LogChangedError(
            f"its tiles and entries up to {log.sealed} do not give the root that was signed: nothing more is "
            "sealed of it; run `reviewsvc audit verify`"
        )
    (last,) = tiles.entries(conn, log.log_id, range(log.sealed - 1, log.sealed))
    return _Kept(edge, leaf_hash(last))


def _check_same(log: Growth, edge: Edge, tip: Tip) -> None:
    if tip.size > log.size:
        raise LogChangedError(
            f"{tip.size} entries of it were signed, and the database holds {log.size}: it was restored or cut"
        )
    root = edge.root() if edge.size else EMPTY_ROOT
    if tip.size == edge.size and tip.root != root.hex():
        raise LogChangedError(
            f"the signer signed another root over its first {tip.size} entries: they were changed since, or "
            "the signer's state is another installation's; run `reviewsvc audit verify`"
        )


def _leaves(conn: Connected, log: Growth, seqs: range, chain: Chain, findings: Findings) -> list[bytes]:
    """Hash entries as they are stored, each of which must carry the hash of the one before."""
    found: list[bytes] = []
    while begin := seqs[len(found) : len(found) + _CHUNK]:
        chunk = list(scan.entries(conn, log.log_id, begin))
        chain.follow(chunk)
        wrong = findings.found
        if wrong or not chunk:
            what = wrong[0].what if wrong else "it is missing"
            at = wrong[0].seq if wrong else begin.start
            raise LogChangedError(f"entry {at}: {what}; run `reviewsvc audit verify`")
        found += [leaf_hash(body) for _, body in chunk]
    return found
