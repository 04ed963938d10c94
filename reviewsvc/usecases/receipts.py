"""Receipts: that one entry is in its log, and that log in the root, to be kept and verified elsewhere."""

from collections import OrderedDict
from threading import Lock
from typing import Final, NamedTuple

from reviewsvc.crypto.notes import signature_lines
from reviewsvc.db.hot import exports
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.hot.seals import SealedLog
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain.proof import Proved, proved_text, tlog_proof
from reviewsvc.domain.receipt_page import receipt_page
from reviewsvc.domain.tiles import HASH_BYTES, WIDTH, Tile, nodes_from_rows, rows_of
from reviewsvc.domain.tree import inclusion_proof
from reviewsvc.usecases import sent_ids, tiles
from reviewsvc.usecases.anchored_root import roots
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.sent_ids import Sent

# A second signature is longer than all else in a receipt, and verified by few.
_LONGEST_LINE: Final = 400


class NotSealedError(LookupError):
    """The entry is not sealed yet: a moment later it is, where signing is on."""


class Receipt(NamedTuple):
    """An entry proved to be in its log, and the root's entry that seals that, proved to be in the root."""

    log: str
    seq: int
    mine: Proved
    root: Proved

    @property
    def tlog_proof(self) -> str:
        """The entry's proof as others read it, C2SP tlog-proof@v1; it goes with the entry's bytes."""
        return self.mine.proof

    def text(self) -> bytes:
        """All of it in one file, which `verify.py` reads."""
        return proved_text([self.mine, self.root])

    def page(self) -> bytes:
        """The same for a person, as HTML in one file with the receipt inside."""
        return receipt_page(self.mine, self.root)


class Prover:
    """Makes receipts; keeps tiles and what is above them, so that most cost no question to the database.

    What is in a tile never changes: one that was partial is read on from where it ended.
    """

    def __init__(self, *, tiles_kept: int = 2_000) -> None:
        self._most = tiles_kept
        self._lock = Lock()
        self._rows: OrderedDict[tuple[int, int, int], list[bytes]] = OrderedDict()

    def receipt(self, conn: Connected, log: str, seq: int) -> Receipt:
        """Prove an entry under the newest root that seals it, a cosigned one if there is. NotSealedError."""
        newest = exports.root_that_seals(conn, log)
        for root in roots(conn, newest) if newest else ():
            found = exports.pinned_log(conn, log, root)
            if found is not None and seq < found.size:
                sealed = SealedLog(found.log_id, found.name, found.kind, found.size, found.root, found.note)
                mine, sealing = self._proved(conn, sealed, seq), self._proved(conn, root, found.root_seq)
                return Receipt(log, seq, mine, sealing)
        raise NotSealedError(f"entry {seq} of {log} is not sealed yet")

    def hashes(self, conn: Connected, log: SealedLog, seq: int) -> list[bytes]:
        """The hashes that lead from an entry to its log's signed root."""
        nodes = nodes_from_rows(log.size, lambda tile: self._tile(conn, log.log_id, tile))
        return inclusion_proof(seq, log.size, nodes)

    def _proved(self, conn: Connected, log: SealedLog, seq: int) -> Proved:
        (body,) = tiles.entries(conn, log.log_id, range(seq, seq + 1))
        return Proved(body, tlog_proof(seq, self.hashes(conn, log, seq), _short(log.note)))

    def _tile(self, conn: Connected, log_id: int, tile: Tile) -> list[bytes]:
        """A tile's hashes and the rows above them; there may be more of them than were asked for."""
        level = tile.level or 0
        place = (log_id, level, tile.index)
        with self._lock:
            kept = self._rows.get(place)
            if kept is not None:
                self._rows.move_to_end(place)
        had = len(kept[0]) // HASH_BYTES if kept else 0
        if kept is not None and had >= tile.width:
            return kept
        first = tile.index * WIDTH
        more = tiles.hashes(conn, log_id, level, range(first + had, first + tile.width))
        rows = rows_of(b"".join([*(kept or [])[:1], *more]))
        with self._lock:
            self._rows[place] = rows
            while len(self._rows) > self._most:
                self._rows.popitem(last=False)
        return rows


def of_prediction(sessions: Sessions, keyring: Keyring, prover: Prover, sent: Sent) -> Receipt:
    """Make the receipt of a prediction, of the last one if it was sent twice.

    Raises NotCapturedError, NotSealedError, and SeveralSourcesError if several sent it and none is given.
    """
    with sessions.begin() as session:
        log, seq = _find(session, keyring, sent)
        return prover.receipt(Sessions.psycopg(session), log, seq)


def _find(session: Session, keyring: Keyring, sent: Sent) -> tuple[str, int]:
    key = keyring.hash_key(session, "prediction")
    found = exports.predictions(Sessions.psycopg(session), sent.model, sent_ids.place(key, sent))
    meant = sent_ids.the_one(key, sent, found)
    return meant.log, meant.seq


def _short(note: str) -> str:
    """Leave out signatures that are too long for a receipt; those that are left hold without them."""
    text = note.rpartition("\n\n")[0]
    lines = [line for line in signature_lines(note.encode()) if len(line) <= _LONGEST_LINE]
    return f"{text}\n\n{''.join(lines)}"
