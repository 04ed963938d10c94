"""Cheats that need more than one statement: forged checkpoints, keys and whole histories."""

from msgspec import structs
from msgspec.json import decode

from reviewsvc.crypto.notes import ED25519, Signer
from reviewsvc.domain.entries import Entry, encode, leaf_hash
from reviewsvc.domain.tree import root_of
from tests.integration.history import LABELS, PREDICTIONS
from tests.tamper.forger import Forger, note

ROOT = "root/0"
STRANGER = b"\x07" * 32
LAST_NOTE = "SELECT note FROM checkpoint WHERE log_id = %s ORDER BY size DESC LIMIT 1"
SET_NOTE = (
    "UPDATE checkpoint SET note = %s WHERE log_id = %s "
    "AND size = (SELECT max(size) FROM checkpoint c WHERE c.log_id = checkpoint.log_id)"
)
KEY_LOG = "SELECT l.name FROM signing_key k JOIN log l USING (log_id) LIMIT 1"
EDIT = (b'"skipped":0,"at":', b'"skipped":0,"at":1')


def spoil_signature(held: Forger, log: str = PREDICTIONS) -> None:
    """Change a byte of the last checkpoint's signature."""
    told = held.one(LAST_NOTE, held.log_id(log))
    held.run(SET_NOTE, f"{told[:-20]}{'A' if told[-20] != 'A' else 'B'}{told[-19:]}", held.log_id(log))


def spoil_root_signature(held: Forger) -> None:
    """Do the same to the root log's."""
    spoil_signature(held, ROOT)


def strip_signature(held: Forger) -> None:
    """Leave a signature of nobody known in the place of the true one."""
    held.run(SET_NOTE, _strange(held, ROOT), held.log_id(ROOT))


def exchange_notes(held: Forger) -> None:
    """Put another log's note in the place of one."""
    held.run(SET_NOTE, held.one(LAST_NOTE, held.log_id(LABELS)), held.log_id(PREDICTIONS))


def replay_note(held: Forger) -> None:
    """Put the root log's first note in the place of its last."""
    first = "SELECT note FROM checkpoint WHERE log_id = %s ORDER BY size LIMIT 1"
    held.run(SET_NOTE, held.one(first, held.log_id(ROOT)), held.log_id(ROOT))


def sign_by_stranger(held: Forger) -> None:
    """Add a checkpoint that somebody else signed."""
    _add(held, 200, [stranger(held)])


def sign_apart(held: Forger) -> None:
    """Add a checkpoint that a stolen key signed, which the root log does not have."""
    _add(held, 200, held.keys[:1])


def exchange_key_row(held: Forger) -> None:
    """Name another key in the table of keys."""
    held.run("UPDATE signing_key SET vkey = %s", stranger(held).verifier().text())


def sign_with_ended_key(held: Forger) -> None:
    """Let the older key sign the last checkpoints, after its end."""
    _sign_last(held, held.keys[:1])


def sign_with_later_key(held: Forger) -> None:
    """Let the newer key sign everything, what came before its beginning too."""
    held.reseal(held.keys[1:])


def seal_anew(held: Forger) -> None:
    """Let the root log say that a log's last checkpoint had none before, and sign that."""
    held.edit_root(_last_seal(held), lambda said: structs.replace(said, previous=0, proof=[]))
    held.reseal_root()


def drop_proof(held: Forger) -> None:
    """Take the proof from an entry of the root log, and sign that."""
    held.edit_root(_last_seal(held), lambda said: structs.replace(said, proof=[]))
    held.reseal_root()


def cut_root(held: Forger) -> None:
    """Cut the root log's last entry, and the checkpoint over it."""
    held.cut(ROOT, len(held.bodies(ROOT)) - 1)


def rewrite(held: Forger) -> None:
    """Change an entry and every hash behind it, the head too."""
    held.edit(PREDICTIONS, 100, *EDIT)


def rewrite_as_stranger(held: Forger) -> None:
    """Rewrite, and sign it all with a key of one's own."""
    rewrite(held)
    held.reseal([stranger(held)])


def rewrite_with_stolen_keys(held: Forger) -> None:
    """Rewrite, and sign it all as it was signed."""
    rewrite(held)
    held.reseal()


def rewrite_with_own_keys(held: Forger) -> None:
    """Rewrite, let the history of keys name one's own, and sign it all with those."""
    rewrite(held)
    mine = [Signer(key.name, ED25519, bytes([n]) * 32) for n, key in enumerate(held.keys, 1)]
    log = held.one(KEY_LOG)
    bodies = held.bodies(log)
    for key, own in zip(held.keys, mine, strict=True):
        old, new = key.verifier(), own.verifier()
        bodies = [body.replace(old.text().encode(), new.text().encode()) for body in bodies]
        held.run("UPDATE signing_key SET vkey = %s WHERE vkey = %s", new.text(), old.text())
        named = "UPDATE activity SET object = %s WHERE object = %s"
        held.run(named, f"key:{new.key_id.hex()}", f"key:{old.key_id.hex()}")
    held.put(log, bodies)
    held.keys = mine
    held.reseal()


def fork_log(held: Forger) -> None:
    """Rewrite a log, sign its last checkpoint anew and go on from there; the root log stays as it is."""
    rewrite(held)
    held.tiles(PREDICTIONS)
    bodies, log_id = held.bodies(PREDICTIONS), held.log_id(PREDICTIONS)
    size = held.one("SELECT max(size) FROM checkpoint WHERE log_id = %s", log_id)
    root = root_of([leaf_hash(body) for body in bodies[:size]])
    told = note(PREDICTIONS, size, root, held.keys[-1:])
    change = "UPDATE checkpoint SET root = %s, note = %s WHERE log_id = %s AND size = %s"
    held.run(change, root, told, log_id, size)
    held.put(PREDICTIONS, bodies[-1:], len(bodies))


def spoil_cosignature(held: Forger) -> None:
    """Change a byte of a witness's signature."""
    told = held.one("SELECT line FROM cosignature")
    held.run(
        "UPDATE cosignature SET line = %s", f"{told[:-20]}{'A' if told[-20] != 'A' else 'B'}{told[-19:]}"
    )


def move_cosignature(held: Forger) -> None:
    """Say that a witness cosigned the checkpoint before, not the last one."""
    held.run(
        "UPDATE cosignature s SET size = (SELECT max(c.size) FROM checkpoint c "
        "WHERE c.log_id = s.root_log_id AND c.size < s.size)"
    )


def replay_state(held: Forger) -> None:
    """Put everything back to the seal before the last."""
    size = held.one("SELECT max(size) FROM checkpoint WHERE log_id = %s", held.log_id(PREDICTIONS)) - 1
    held.cut(PREDICTIONS, size)
    for table in ("prediction", "payload"):
        held.run(f"DELETE FROM {table} WHERE log_id = %s AND seq >= %s", held.log_id(PREDICTIONS), size)
    cut_root(held)


def unseal(held: Forger) -> None:
    """Remove everything that tells of keys and seals, as if nothing had ever been signed."""
    log = held.one(KEY_LOG)
    kept = [body for body in held.bodies(log) if b'"kind":"signing_key"' not in body]
    gone = len(held.bodies(log)) - len(kept)
    first = len(kept)
    assert held.bodies(log)[:first] == kept
    assert gone
    for table in ("checkpoint", "tile", "signing_key"):
        held.run(f"DELETE FROM {table}")
    held.cut(log, first)
    held.run("DELETE FROM activity WHERE log_id = %s AND seq >= %s", held.log_id(log), first)
    held.cut(ROOT, 1)


def make_up(held: Forger) -> None:
    """Append an act that nobody did, with its row."""
    log = "activity/0/0"
    bodies = held.bodies(log)
    last = decode(bodies[-1], type=Entry)
    made = structs.replace(decode(bodies[1], type=Entry), at=last.at)
    held.put(log, [encode(made)], len(bodies))
    held.run(
        "INSERT INTO activity SELECT log_id, %s, %s, kind, actor, task_id, object FROM activity "
        "WHERE log_id = %s AND seq = 1",
        len(bodies),
        last.at,
        held.log_id(log),
    )


def stranger(held: Forger) -> Signer:
    """A key of the right name that nobody announced."""
    return Signer(held.keys[0].name, ED25519, STRANGER)


def _strange(held: Forger, log: str) -> str:
    leaves = [leaf_hash(body) for body in held.bodies(log)]
    size = held.one("SELECT max(size) FROM checkpoint WHERE log_id = %s", held.log_id(log))
    return note(log, size, root_of(leaves[:size]), [stranger(held)])


def _add(held: Forger, size: int, keys: list[Signer]) -> None:
    root = root_of([leaf_hash(body) for body in held.bodies(PREDICTIONS)[:size]])
    held.run(
        "INSERT INTO checkpoint (log_id, size, root, note, at, root_seq) "
        "SELECT log_id, %s, %s, %s, at, root_seq FROM checkpoint WHERE log_id = %s ORDER BY size LIMIT 1",
        size,
        root,
        note(PREDICTIONS, size, root, keys),
        held.log_id(PREDICTIONS),
    )


def _sign_last(held: Forger, keys: list[Signer]) -> None:
    """Sign a log's last checkpoint with other keys, in its row and in the root log."""
    said = _last_seal(held)
    size, root = held.conn.execute(
        "SELECT size, root FROM checkpoint WHERE log_id = %s ORDER BY size DESC LIMIT 1",
        (held.log_id(PREDICTIONS),),
    ).fetchone() or (0, b"")
    told = note(PREDICTIONS, size, root, keys)
    held.run(SET_NOTE, told, held.log_id(PREDICTIONS))
    held.edit_root(said, lambda facts: structs.replace(facts, note=told))
    held.reseal_root()


def _last_seal(held: Forger) -> int:
    query = "SELECT max(root_seq) FROM checkpoint WHERE log_id = %s"
    return int(held.one(query, held.log_id(PREDICTIONS)))
