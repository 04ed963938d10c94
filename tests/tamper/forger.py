"""What a superuser of the database can do to a log, with or without the keys: he computes every hash anew."""

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import sqlalchemy as sa
from msgspec import structs
from msgspec.json import decode

from reviewsvc.crypto.notes import Signer, sign
from reviewsvc.crypto.signing_keys import named
from reviewsvc.domain import facts as f
from reviewsvc.domain.checkpoint import Checkpoint
from reviewsvc.domain.entries import ZERO_HASH, Entry, encode, encode_facts, leaf_hash, parse
from reviewsvc.domain.tree import ReadNode, consistency_proof, root_of

WIDTH = 256


class Forger:
    """The database's superuser; `keys` are the signing keys, which he has only if he has stolen them."""

    def __init__(self, outer: sa.Connection, keys: Sequence[Signer]) -> None:
        self.outer, self.conn, self.keys = outer, raw(outer), list(keys)

    def run(self, statement: Any, *values: Any) -> None:
        """Change something."""
        self.conn.execute(statement, values or None)

    def one(self, query: Any, *values: Any) -> Any:
        """Read one value."""
        row = self.conn.execute(query, values or None).fetchone()
        return row[0] if row else None

    def log_id(self, log: str) -> int:
        """Return a log's number."""
        return int(self.one("SELECT log_id FROM log WHERE name = %s", log))

    def bodies(self, log: str) -> list[bytes]:
        """Return a log's entries."""
        query = "SELECT body FROM entry WHERE log_id = %s ORDER BY seq"
        return [bytes(body) for (body,) in self.conn.execute(query, (self.log_id(log),))]

    def put(self, log: str, bodies: Sequence[bytes], first: int = 0) -> None:
        """Chain entries anew from one on, and let the head say the same; what was behind them is gone."""
        log_id = self.log_id(log)
        before = leaf_hash(self.bodies(log)[first - 1]) if first else ZERO_HASH
        self.run("DELETE FROM entry WHERE log_id = %s AND seq >= %s", log_id, first)
        entry = None
        for seq, body in enumerate(bodies, first):
            entry = structs.replace(decode(body, type=Entry), seq=seq, prev=before.hex())
            made = encode(entry)
            self.run("INSERT INTO entry (log_id, seq, body) VALUES (%s, %s, %s)", log_id, seq, made)
            before = leaf_hash(made)
        if entry is not None:
            head = "UPDATE head SET size = %s, last_hash = %s, last_at = %s WHERE log_id = %s"
            self.run(head, first + len(bodies), before, entry.at, log_id)

    def edit(self, log: str, seq: int, old: bytes, new: bytes) -> None:
        """Change an entry and chain everything behind it anew."""
        found = self.bodies(log)
        assert old in found[seq]
        self.put(log, [found[seq].replace(old, new, 1), *found[seq + 1 :]], seq)

    def cut(self, log: str, size: int) -> None:
        """Cut a log's end, its head with it, and all that was signed of it."""
        log_id, last = self.log_id(log), self.bodies(log)[size - 1]
        self.run("DELETE FROM entry WHERE log_id = %s AND seq >= %s", log_id, size)
        head = "UPDATE head SET size = %s, last_hash = %s, last_at = %s WHERE log_id = %s"
        self.run(head, size, leaf_hash(last), parse(last).at, log_id)
        self.run("DELETE FROM checkpoint WHERE log_id = %s AND size > %s", log_id, size)
        self.run(
            "DELETE FROM tile WHERE log_id = %s AND (tile_index + 1) << (8 * (level + 1)) > "
            "coalesce((SELECT max(size) FROM checkpoint c WHERE c.log_id = tile.log_id), 0)",
            log_id,
        )

    def edit_root(self, seq: int, change: Callable[[f.Checkpoint], f.Checkpoint]) -> None:
        """Change what an entry of the root log says of a checkpoint, and chain the rest anew."""
        found = [decode(body, type=Entry) for body in self.bodies("root/0")[seq:]]
        said = change(decode(found[0].facts, type=f.Checkpoint))
        found[0] = structs.replace(found[0], facts=_raw(found[0], said))
        self.put("root/0", [encode(each) for each in found], seq)

    def reseal(self, keys: Sequence[Signer] = ()) -> None:
        """Sign every checkpoint anew, over what is stored now, with these keys or those that were good then.

        Tiles and root log follow.
        """
        logs = [name for (name,) in self.conn.execute("SELECT name FROM log WHERE kind <> 'root' ORDER BY 1")]
        for log in logs:
            self.tiles(log)
        trees = {log: [leaf_hash(body) for body in self.bodies(log)] for log in logs}
        made = []
        for body in self.bodies("root/0"):
            entry = decode(body, type=Entry)
            if entry.kind == "checkpoint":
                said = decode(entry.facts, type=f.Checkpoint)
                new = self._sealed(said, trees[said.log], keys, entry.at)
                entry = structs.replace(entry, facts=_raw(entry, new))
                self._row(said.log, new.size, new.root, new.note)
            made.append(encode(entry))
        self.put("root/0", made)
        self.tiles("root/0")
        self.reseal_root(keys)

    def reseal_root(self, keys: Sequence[Signer] = ()) -> None:
        """Sign the root log's own checkpoints anew."""
        leaves = [leaf_hash(body) for body in self.bodies("root/0")]
        rows = self.conn.execute(
            "SELECT size, at FROM checkpoint WHERE log_id = %s", (self.log_id("root/0"),)
        ).fetchall()
        for size, at in rows:
            root = root_of(leaves[:size])
            self._row("root/0", size, root.hex(), note("root/0", size, root, self._signing(keys, at)))

    def _sealed(
        self, said: f.Checkpoint, leaves: list[bytes], keys: Sequence[Signer], at: int
    ) -> f.Checkpoint:
        root = root_of(leaves[: said.size])
        proof = consistency_proof(said.previous, said.size, reader(leaves))
        signed = note(said.log, said.size, root, self._signing(keys, at))
        return structs.replace(said, root=root.hex(), proof=[each.hex() for each in proof], note=signed)

    def _signing(self, keys: Sequence[Signer], at: int) -> Sequence[Signer]:
        """Return the keys that sign at a moment, as the honest ones would."""
        return keys or [key for key in self.keys if self._is_good(key.verifier().text(), at)]

    def _is_good(self, vkey: str, at: int) -> bool:
        query = "SELECT valid_from, coalesce(valid_until, 1::bigint << 62) FROM signing_key WHERE vkey = %s "
        row = self.conn.execute(f"{query} ORDER BY seq DESC LIMIT 1", (vkey,)).fetchone()
        return row is not None and row[0] <= at < row[1]

    def _row(self, log: str, size: int, root: str, told: str) -> None:
        self.run(
            "UPDATE checkpoint SET root = %s, note = %s WHERE log_id = %s AND size = %s",
            bytes.fromhex(root),
            told,
            self.log_id(log),
            size,
        )

    def tiles(self, log: str) -> None:
        """Compute a log's full tiles anew."""
        log_id = self.log_id(log)
        leaves = [leaf_hash(body) for body in self.bodies(log)]
        for (index,) in self.conn.execute(
            "SELECT tile_index FROM tile WHERE log_id = %s AND level = 0", (log_id,)
        ).fetchall():
            data = b"".join(leaves[index * WIDTH : (index + 1) * WIDTH])
            update = "UPDATE tile SET data = %s WHERE log_id = %s AND level = 0 AND tile_index = %s"
            self.run(update, data, log_id, index)


def raw(outer: sa.Connection) -> psycopg.Connection[Any]:
    """Return the connection below SQLAlchemy's."""
    found = outer.connection.driver_connection
    assert isinstance(found, psycopg.Connection)
    return found


def note(log: str, size: int, root: bytes, keys: Sequence[Signer]) -> str:
    """Sign a checkpoint."""
    origin = keys[0].name
    text = Checkpoint(f"{origin}/{log}", size, root).text()
    return sign(text, [named(key, log).line(text) for key in keys])


def _raw(entry: Entry, said: f.Facts) -> Any:
    return type(entry.facts)(encode_facts(said))


def reader(leaves: list[bytes]) -> ReadNode:
    """Read the nodes of a tree over leaves."""
    return lambda level, index: root_of(leaves[index << level : (index + 1) << level])
