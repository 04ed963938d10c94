"""What can be done to a bundle's files by whoever holds it."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from reviewsvc import verify
from reviewsvc.crypto.notes import ED25519, Signer, sign
from reviewsvc.domain.checkpoint import Checkpoint
from reviewsvc.domain.tiles import Tile, encode_bundle
from reviewsvc.domain.tree import root_of
from tests.fixtures.installed import ORIGIN

CAPTURED = "predictions/reviewsvc.predictions.v1/0/0"
ENTRIES = f"logs/{CAPTURED}/tile/entries/000.p/8"
EXPORT = "export.tlog-proof"


def change(path: Path, at: int, by: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= by
    path.write_bytes(bytes(data))


# What whoever holds the bundle can do to its files; the manifest is made anew to fit them.
EDITS: dict[str, Callable[[Path], None]] = {}


def edit(act: Callable[[Path], None]) -> Callable[[Path], None]:
    EDITS[act.__name__] = act
    return act


def entries_of(folder: Path) -> list[bytes]:
    return verify.parse_entries((folder / ENTRIES).read_bytes(), 8)


def _write(folder: Path, entries: list[bytes], width: int = 8) -> None:
    (folder / ENTRIES).unlink()
    (folder / f"logs/{CAPTURED}" / Tile(None, 0, width).path()).write_bytes(encode_bundle(entries))


def _replaced(folder: Path, old: str, new: str) -> None:
    entries = entries_of(folder)
    entries[4] = entries[4].replace(old.encode(), new.encode())
    _write(folder, entries)


@edit
def an_answer_of_the_model(folder: Path) -> None:
    _replaced(folder, '"label":"approve"', '"label":"refuse"')


@edit
def a_time(folder: Path) -> None:
    _replaced(folder, '"at":17', '"at":16')


@edit
def a_link(folder: Path) -> None:
    _replaced(folder, '"prev":"', '"prev":"0')


@edit
def a_member_said_twice(folder: Path) -> None:
    _replaced(folder, '"seq":4,', '"seq":4,"seq":4,')


@edit
def the_order_of_members(folder: Path) -> None:
    _replaced(folder, '{"v":1,"log"', '{"log"')


@edit
def the_order_of_entries(folder: Path) -> None:
    entries = entries_of(folder)
    entries[3], entries[4] = entries[4], entries[3]
    _write(folder, entries)


@edit
def an_entry_twice(folder: Path) -> None:
    entries = entries_of(folder)
    entries[5] = entries[4]
    _write(folder, entries)


@edit
def a_tail_cut_with_its_tile(folder: Path) -> None:
    _write(folder, entries_of(folder)[:6], 6)
    tile = folder / f"logs/{CAPTURED}" / Tile(0, 0, 8).path()
    tile.with_name("6").write_bytes(tile.read_bytes()[: 6 * 32])
    tile.unlink()


@edit
def a_tile(folder: Path) -> None:
    change(folder / f"logs/{CAPTURED}" / Tile(0, 0, 8).path(), 40, 1)


@edit
def a_checkpoint(folder: Path) -> None:
    path = folder / f"logs/{CAPTURED}/checkpoint"
    path.write_text(path.read_text().replace("\n8\n", "\n9\n"))


@edit
def a_checkpoint_of_another_key(folder: Path) -> None:
    path = folder / f"logs/{CAPTURED}/checkpoint"
    text = path.read_text().rpartition("\n\n")[0] + "\n"
    path.write_text(sign(text, [Signer(f"{ORIGIN}/{CAPTURED}", ED25519, bytes(32)).line(text)]))


@edit
def an_older_checkpoint(folder: Path) -> None:
    """The log as it was sealed first: a root that has all of it sealed more."""
    root = next((folder / "logs/root/0/tile/entries").rglob("*.p")).iterdir()
    (path,) = root
    entries = [json.loads(each) for each in verify.parse_entries(path.read_bytes(), int(path.name))]
    facts = next(each["facts"] for each in entries if each["facts"].get("log") == CAPTURED)
    (folder / f"logs/{CAPTURED}/checkpoint").write_text(facts["note"])


@edit
def an_entry_of_the_root(folder: Path) -> None:
    (path,) = next((folder / "logs/root/0/tile/entries").rglob("*.p")).iterdir()
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"previous":4', b'"previous":3'))
    assert path.read_bytes() != data


@edit
def a_payload(folder: Path) -> None:
    _payload(folder, "4200.5", "4300.5")


@edit
def a_salt(folder: Path) -> None:
    _payload(folder, '"salt":"', '"salt":"00')


@edit
def a_payload_given_to_another_entry(folder: Path) -> None:
    _payload(folder, '{"seq":4,', '{"seq":3,')


@edit
def the_history_of_keys(folder: Path) -> None:
    path = folder / "keys.json"
    said = json.loads(path.read_bytes())
    said["keys"][0]["valid_until"] = said["keys"][0]["valid_from"] - 3_600_000_000
    path.write_bytes(json.dumps(said).encode())


def _payload(folder: Path, old: str, new: str) -> None:
    (path,) = (folder / f"logs/{CAPTURED}/payloads").iterdir()
    lines = path.read_text().splitlines(keepends=True)
    place = next(at for at, line in enumerate(lines) if line.startswith('{"seq":4,'))
    lines[place] = lines[place].replace(old, new, 1)
    path.write_text("".join(lines))


def sign_all_anew(folder: Path, mine: Signer) -> None:
    for path in folder.rglob("checkpoint"):
        name = path.parent.relative_to(folder / "logs").as_posix()
        path.write_text(_signed(path.read_text(), mine, name))
    keys = {"keys": [{"vkey": mine.verifier().text(), "valid_from": 0}]}
    (folder / "keys.json").write_text(json.dumps(keys))
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"] = {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in {"manifest.json", EXPORT}
    }
    told = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(told)
    entry = json.loads((folder / EXPORT).read_bytes().partition(b"\n")[0])
    name = entry["log"].removeprefix(f"{ORIGIN}/")
    entry |= {"seq": 0, "facts": {**entry["facts"], "manifest": sha256(told).hexdigest()}}
    body = json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode()
    text = Checkpoint(entry["log"], 1, root_of([verify.leaf_hash(body)])).text()
    note = _signed(f"{text}\n", mine, name)
    (folder / EXPORT).write_bytes(body + f"\n{verify.PROOF_HEADER}\nindex 0\n\n{note}".encode())


def _signed(note: str, mine: Signer, name: str) -> str:
    text = note.rpartition("\n\n")[0] + "\n"
    return sign(text, [Signer(f"{ORIGIN}/{name}", ED25519, mine.seed).line(text)])
