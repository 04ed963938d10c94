"""How long the proof of one entry takes, and how large it and a receipt are, in a log of 10,000,000 entries.

The tree is real, and stands in the database as full tiles do; its leaves are hashes of nothing.
"""

import hashlib
import random
import statistics
import time
from collections.abc import Callable, Iterable

import psycopg
from msgspec import Raw

from reviewsvc.crypto.notes import ED25519, Signer, sign
from reviewsvc.db.hot import seals
from reviewsvc.db.hot.connection import Connected, connect
from reviewsvc.db.hot.seals import SealedLog, StoredTile
from reviewsvc.domain import facts as f
from reviewsvc.domain.checkpoint import Checkpoint
from reviewsvc.domain.entries import Entry, Ref, encode, encode_facts
from reviewsvc.domain.proof import Proved, proved_text, tlog_proof
from reviewsvc.domain.tiles import HASH_BYTES, WIDTH
from reviewsvc.domain.tree import root_of, verify_inclusion
from reviewsvc.usecases.receipts import Prover
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.sealed_world import ORIGIN, SealedWorld

TILES = 39_063  # 10,000,128 entries
SIZE = TILES * WIDTH
LOG = "predictions/reviewsvc.predictions.v1/63/0"
TARGET_MS, TARGET_BYTES, TARGET_RECEIPT_BYTES = 1.0, 2_048, 6 * 1_024
PROOFS, AT_ONCE = 2_000, 1_000
Say = Callable[[str], None]


def measure(world: SealedWorld, say: Say) -> list[Figure]:
    """Build the tree, prove entries anywhere in it, and hold each proof against the root."""
    say(f"building a tree of {SIZE:,} entries")
    with psycopg.connect(world.owner_url) as conn:
        log_id = _log(conn)
        root = _build(conn, log_id)
    log = SealedLog(log_id, LOG, "predictions", SIZE, root, "")
    chance = random.Random(1)  # noqa: S311 - no secret
    seqs = [chance.randrange(SIZE) for _ in range(PROOFS)]
    with connect(world.url, "web") as conn:
        cold = [_timed(conn, Prover(), log, [seq])[0] for seq in seqs[:20]]
        prover = Prover(tiles_kept=TILES)
        _timed(conn, prover, log, seqs)
        warm = _timed(conn, prover, log, seqs)
        hashes = prover.hashes(conn, log, seqs[0])
    proof, receipt = _sizes(root, seqs[0], hashes)
    return [
        at_most(
            "proof.p50_ms", statistics.median(warm), "ms", TARGET_MS, f"{len(hashes)} hashes, tiles at hand"
        ),
        at_most("proof.p99_ms", sorted(warm)[int(PROOFS * 0.99)], "ms", TARGET_MS, "tiles at hand"),
        Figure(
            "proof.p50_ms_tiles_read",
            statistics.median(cold),
            "ms",
            note="the first proof of a process: tiles read, the last ones hashed",
        ),
        at_most("proof.bytes", proof, "B", TARGET_BYTES, "C2SP tlog-proof with an Ed25519 checkpoint"),
        at_most("proof.receipt_bytes", receipt, "B", TARGET_RECEIPT_BYTES, "entry, log, signed root"),
    ]


def _timed(conn: Connected, prover: Prover, log: SealedLog, seqs: list[int]) -> list[float]:
    """Milliseconds of each proof; the proofs hold."""
    took = []
    for seq in seqs:
        began = time.perf_counter()
        hashes = prover.hashes(conn, log, seq)
        took.append((time.perf_counter() - began) * 1e3)
        verify_inclusion(_leaf(seq), seq, log.size, hashes, log.root)
    return took


def _sizes(root: bytes, seq: int, hashes: list[bytes]) -> tuple[int, int]:
    """Bytes of the entry's proof, and of the receipt with the root's entry, in a root as large."""
    note = _signed(Checkpoint(f"{ORIGIN}/{LOG}", SIZE, root))
    mine = tlog_proof(seq, hashes, note)
    said = f.Checkpoint(LOG, SIZE, root.hex(), SIZE - 5_000, [each.hex() for each in hashes], note)
    entry = _entry("root/0", "checkpoint", encode_facts(said))
    there = tlog_proof(seq, hashes, _signed(Checkpoint(f"{ORIGIN}/root/0", SIZE, root)))
    receipt = proved_text(
        [Proved(_entry(LOG, "prediction", b'"' + b" " * 600 + b'"'), mine), Proved(entry, there)]
    )
    return len(mine), len(receipt)


def _entry(log: str, kind: str, facts: bytes) -> bytes:
    ref = Ref(LOG, SIZE - 1)
    return encode(Entry(1, f"{ORIGIN}/{log}", SIZE - 1, "00" * 32, 1 << 50, kind, ref=ref, facts=Raw(facts)))


def _signed(checkpoint: Checkpoint) -> str:
    text = checkpoint.text()
    return sign(text, [Signer(checkpoint.origin, ED25519, bytes(32)).line(text)])


def _log(conn: psycopg.Connection[tuple[int]]) -> int:
    row = conn.execute(
        "INSERT INTO log (series, incarnation, kind) VALUES (%s, 0, 'predictions') RETURNING log_id",
        (LOG.removesuffix("/0"),),
    ).fetchone()
    assert row is not None
    return row[0]


def _build(conn: psycopg.Connection[tuple[int]], log_id: int) -> bytes:
    """Store every full tile, level by level, and return the root."""
    row, level = _stored(conn, log_id, 0, map(_leaves, range(TILES))), 1
    while len(row) >= WIDTH:
        tiles = (b"".join(row[at : at + WIDTH]) for at in range(0, len(row), WIDTH))
        row, level = _stored(conn, log_id, level, tiles), level + 1
    return root_of(row)


def _stored(
    conn: psycopg.Connection[tuple[int]], log_id: int, level: int, tiles: Iterable[bytes]
) -> list[bytes]:
    """Store the full ones of a level's tiles; return the hash of each, of one that is not full too."""
    above: list[bytes] = []
    few: list[StoredTile] = []
    for index, data in enumerate(tiles):
        hashes = [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
        above.append(root_of(hashes))
        if len(hashes) == WIDTH:
            few.append(StoredTile(log_id, level, index, data))
        if len(few) == AT_ONCE:
            seals.add_tiles(conn, few)
            few = []
    seals.add_tiles(conn, few)
    return above


def _leaves(index: int) -> bytes:
    return hashlib.shake_128(index.to_bytes(8)).digest(WIDTH * HASH_BYTES)


def _leaf(seq: int) -> bytes:
    at = seq % WIDTH * HASH_BYTES
    return _leaves(seq // WIDTH)[at : at + HASH_BYTES]
