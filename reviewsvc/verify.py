"""Verifies a bundle or a receipt of reviewsvc offline, with nothing but Python's standard library.

    python3 -I verify.py [--keys FILE] [--policy FILE] [--json] BUNDLE

BUNDLE is a bundle, as a folder or a zip, or a receipt. --keys names a file of verifier keys, one a line, that
you had from elsewhere than from the bundle; --policy a C2SP tlog-policy: which witnesses must have cosigned.
Take this program from the release, by the SHA-256 in its documentation, not from the bundle.

The verdict is the first line, and the exit code:
  0  VERIFIED         all that was looked at holds, under keys that you gave
  1  TAMPERED         something was changed: which log, which entry (seq), what, and which hash
  2  INCOMPLETE       nothing contradicts, but something is missing, or the policy is not met
  2  SELF-CONSISTENT  all holds, but under the bundle's own keys: whoever made it could have made it all
  3  (no verdict)     it could not run; wrong usage too

Nothing is believed before a signature, or a hash that was believed already, leads to it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import heapq
import json
import re
import shlex
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping  # noqa: TC003 - shorter, in a file that is to be read
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

VERIFIED, SELF_CONSISTENT, INCOMPLETE, TAMPERED = "VERIFIED", "SELF-CONSISTENT", "INCOMPLETE", "TAMPERED"
EXIT_CODES, COULD_NOT_RUN = {VERIFIED: 0, SELF_CONSISTENT: 2, INCOMPLETE: 2, TAMPERED: 1}, 3


class WrongError(ValueError):
    """Bytes are not in the form that they should have, or a hash or signature does not hold: TAMPERED."""


class MissingError(ValueError):
    """Something is not there: INCOMPLETE."""


def must(holds: object, otherwise: str, kind: type[ValueError] = WrongError) -> None:
    """Raise an error that says what is wrong, unless something holds."""
    if not holds:
        raise kind(otherwise)


# ---- 1. Ed25519: RFC 8032, 5.1, in extended coordinates: x = X/Z, y = Y/Z, xy = T/Z -----------------------
# Nothing is secret here, so that it need not run in constant time. Strict: canonical encodings, S below the
# group's order, no key of small order, since anybody can sign for such a one.
PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE_D = -121665 * pow(121666, -1, PRIME) % PRIME
ROOT_OF_MINUS_ONE = pow(2, (PRIME - 1) // 4, PRIME)
KEY_BYTES, SIGNATURE_BYTES, COFACTOR = 32, 64, 8
Point = tuple[int, int, int, int]
NEUTRAL: Point = (0, 1, 1, 0)


def _add(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0])
    b = (one[1] + one[0]) * (other[1] + other[0])
    c, d = 2 * one[3] * other[3] * CURVE_D, 2 * one[2] * other[2]
    e, f, g, h = (b - a) % PRIME, (d - c) % PRIME, (d + c) % PRIME, (b + a) % PRIME
    return e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME


def _sum(s: int, one: Point, k: int, other: Point) -> Point:
    """[s]one + [k]other, both products made at once, bit by bit."""
    steps, total = (NEUTRAL, one, other, _add(one, other)), NEUTRAL
    for bit in range(max(s, k).bit_length() - 1, -1, -1):
        total = _add(total, total)
        total = _add(total, steps[(s >> bit & 1) | (k >> bit & 1) << 1])
    return total


def _decode_point(data: bytes) -> Point | None:
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    square = (y * y - 1) * pow(CURVE_D * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if (x * x - square) % PRIME:
        x = x * ROOT_OF_MINUS_ONE % PRIME
    if y >= PRIME or (x * x - square) % PRIME or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else PRIME - x
    return x, y, 1, x * y % PRIME


BASE = _decode_point((4 * pow(5, -1, PRIME) % PRIME).to_bytes(KEY_BYTES, "little")) or NEUTRAL


def verify_ed25519(key: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether a signature of 64 bytes over a message holds under a public key of 32 bytes."""
    point = _decode_point(key)
    s = int.from_bytes(signature[KEY_BYTES:], "little")
    fits = len(key) == KEY_BYTES and len(signature) == SIGNATURE_BYTES and s < ORDER
    if point is None or not fits or _sum(COFACTOR, point, 0, NEUTRAL)[0] == 0:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:KEY_BYTES] + key + message).digest(), "little") % ORDER
    minus_a = (PRIME - point[0], point[1], 1, PRIME - point[3])
    x, y, z, _ = _sum(s, BASE, k, minus_a)
    x, y = x * pow(z, -1, PRIME) % PRIME, y * pow(z, -1, PRIME) % PRIME
    return (y | (x & 1) << 255).to_bytes(KEY_BYTES, "little") == signature[:KEY_BYTES]


# ---- 2. Notes: C2SP signed-note, tlog-checkpoint, cosignature/v1, tlog-proof, tlog-policy -----------------
# A note is a text, an empty line, and lines "— NAME BASE64(key id of 4 bytes ‖ signature)". Signatures of
# keys that nobody told of are ignored: so keys are changed, and so witnesses cosign.
ED25519, COSIGNATURE, ML_DSA = 0x01, 0x04, 0x06
ID_BYTES, TIME_BYTES, HASH_BYTES, MOST_SIGNATURES = 4, 8, 32, 100
DASH, NAME, PROOF_HEADER = "\u2014 ", r"[^+\s]+", "c2sp.org/tlog-proof@v1"
LARGEST, MOST_BYTES = (1 << 63) - 1, 1 << 26


def unbase64(text: str) -> bytes:
    """Decode base64 that is padded and canonical."""
    with suppress(ValueError):
        data = base64.b64decode(text, validate=True)
        if base64.b64encode(data).decode() == text:
            return data
    raise WrongError(f"{text[:60]!r} is not canonical base64")


def parse_int(text: str) -> int:
    """Read a number: digits without a sign or leading zeros, below 2^63."""
    must(re.fullmatch("0|[1-9][0-9]{0,18}", text) and int(text) <= LARGEST, f"{text[:40]!r} is no number")
    return int(text)


def parse_hash(text: str) -> bytes:
    """Read a hash in base64."""
    data = unbase64(text)
    must(len(data) == HASH_BYTES, f"{text[:60]!r} is not a hash of {HASH_BYTES} bytes")
    return data


class Key(NamedTuple):
    """A verifier key: the name that it signs for; 01 Ed25519, 04 cosignature, 06 ML-DSA; its bytes."""

    name: str
    kind: int
    key: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name ‖ 0x0A ‖ kind ‖ key)."""
        return hashlib.sha256(f"{self.name}\n".encode() + bytes([self.kind]) + self.key).digest()[:ID_BYTES]

    def check(self, text: str, signature: bytes) -> int | None:
        """Return a cosignature's time, or None, if the signature over a note's text holds."""
        message, time = text.encode(), None
        if self.kind == COSIGNATURE:
            time, signature = int.from_bytes(signature[:TIME_BYTES], "big"), signature[TIME_BYTES:]
            message = f"cosignature/v1\ntime {time}\n".encode() + message
        holds = verify_ed25519(self.key, message, signature) and (time is None or 0 < time <= LARGEST)
        must(holds, f"the signature of {self.name}+{self.key_id.hex()} does not hold")
        return time


def parse_key(text: str) -> Key:
    """Read a verifier key, NAME+ID+BASE64, strictly."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")  # the base64 may hold a plus itself
    kind, *key = unbase64(encoded) or b"\0"
    found = Key(name, kind, bytes(key))
    named = re.fullmatch(NAME, name) and found.key_id.hex() == key_id
    must(named, f"{text[:80]!r} is no key NAME+ID+BASE64, or its id is not its own")
    must(kind not in {ED25519, COSIGNATURE} or len(key) == KEY_BYTES, f"the key of {name} is malformed")
    return found


class Note(NamedTuple):
    """A note's text, the known keys that signed it with their cosignatures' times, and the unknown ones."""

    text: str
    signers: list[tuple[Key, int | None]]
    unknown: list[str]


def open_note(data: bytes, keys: Iterable[Key] = ()) -> Note:
    """Read a note strictly; a wrong signature of a known key refuses it."""
    whole = data.decode("utf-8", "replace")
    text, empty, signatures = whole.rpartition("\n\n")  # the last empty line: the text may have some itself
    lines = signatures[:-1].split("\n")
    is_text = whole.encode() == data and not re.search(r"[\x00-\x09\x0b-\x1f]", whole)
    told = "a note is a text, an empty line and signatures, at most 100, each line ended by a newline"
    must(is_text and empty and whole.endswith("\n") and len(lines) <= MOST_SIGNATURES, told)
    known = {(key.name, key.key_id): key for key in keys if key.kind in {ED25519, COSIGNATURE}}
    note = Note(f"{text}\n", [], [])
    for line in lines:
        name, _, encoded = line[len(DASH) :].partition(" ")
        signature = unbase64(encoded)
        is_line = line.startswith(DASH) and re.fullmatch(NAME, name) and len(signature) > ID_BYTES
        must(is_line, f"{line[:80]!r} is no signature's line")
        key = known.get((name, signature[:ID_BYTES]))
        if key is None:
            note.unknown.append(f"{name}+{signature[:ID_BYTES].hex()}")
        else:
            note.signers.append((key, key.check(note.text, signature[ID_BYTES:])))
    return note


class Checkpoint(NamedTuple):
    """What a log says of itself: its origin, how many entries it has, their root hash."""

    origin: str
    entries: int
    root: bytes


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint: exactly three lines."""
    origin, size, root, rest = [*text.split("\n", 3), "", "", ""][:4]
    must(origin and not rest and text.endswith("\n"), "a checkpoint has three lines: origin, size and root")
    return Checkpoint(origin, parse_int(size), parse_hash(root))


def parse_proof(data: bytes) -> tuple[int, list[bytes], bytes, bytes | None]:
    """Read a proof: an entry's index, the hashes up to the root, the checkpoint, and extra data, if any."""
    head, empty, checkpoint = data.partition(b"\n\n")
    lines = head.decode("utf-8", "replace").split("\n")
    has_extra = len(lines) > 1 and lines[1].startswith("extra ")
    extra = unbase64(lines.pop(1)[len("extra ") :]) if has_extra else None
    begins = lines[0] == PROOF_HEADER and "".join(lines[1:2]).startswith("index ")
    must(begins and empty, f"a proof begins with {PROOF_HEADER} and its index, and ends with a checkpoint")
    hashes = [parse_hash(line) for line in lines[2:]]
    return parse_int(lines[1].removeprefix("index ")), hashes, checkpoint, extra


class Policy:
    """Which logs are meant, and which witnesses, in groups of whom so many are enough, must have cosigned."""

    def __init__(self, data: bytes) -> None:
        self.logs, self.quorum = list[Key](), ""
        self.witnesses: dict[str, Key] = {}
        self.groups: dict[str, tuple[int, list[str]]] = {}
        text = data.decode("utf-8", "surrogateescape")  # its names are octets, and stay as they are
        must(not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text), "a policy has no control characters")
        for number, line in enumerate(text.split("\n"), 1):
            words = [word for word in re.split("[ \t]", line) if word]
            lawful = not words or words[0].startswith("#") or self._learn(words)
            must(lawful, f"line {number} of the policy is not as it should be: {line[:80]!r}")
        must(self.quorum, "a policy has a line `quorum NAME`, or `quorum none`")

    def _learn(self, words: list[str]) -> bool:
        known = {*self.witnesses, *self.groups}
        match words:
            case ["log", key, *url] if len(url) <= 1:
                self.logs.append(parse_key(key))
                return len({log.key for log in self.logs}) == len(self.logs)
            case ["witness", name, key, *url] if len(url) <= 1 and name not in {*known, "none"}:
                self.witnesses[name] = parse_key(key)
                distinct = {each.key for each in self.witnesses.values()}
                return self.witnesses[name].kind != ED25519 and len(distinct) == len(self.witnesses)
            case ["group", name, threshold, *members] if members and name not in {*known, "none"}:
                taken = [each for _, others in self.groups.values() for each in others] + members
                needed = {"all": len(members), "any": 1}.get(threshold) or parse_int(threshold)
                self.groups[name] = needed, members
                return len(set(taken)) == len(taken) and known >= set(members) and 0 < needed <= len(members)
            case ["quorum", name] if not self.quorum and name in {*known, "none"}:
                self.quorum = name
                return True
        return False

    def is_met(self, cosigners: set[Key], name: str | None = None) -> bool:
        """Say whether these witnesses are enough, for a group or for all of it."""
        name = name or self.quorum
        if name in self.witnesses:
            return self.witnesses[name] in cosigners
        needed, members = self.groups.get(name, (0, []))
        return sum(self.is_met(cosigners, member) for member in members) >= needed


# ---- 3. The Merkle tree: RFC 6962, and the paths of C2SP tlog-tiles ---------------------------------------
EMPTY_ROOT, WIDTH, HEIGHT = hashlib.sha256(b"").digest(), 256, 8


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 ‖ entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes: list[bytes]) -> bytes:
    """Return the root over hashes: an odd one at the end of a row stands for itself in the row above."""
    row = hashes or [EMPTY_ROOT]
    while len(row) > 1:
        pairs = [node_hash(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)]
        row = pairs + row[2 * len(pairs) :]
    return row[0]


def _climb(place: int, last: int, proof: list[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each hash of a proof and whether it stands left of the path to the root (RFC 9162, 2.1.3.2)."""
    for each in proof:
        must(last > 0, "a proof is too long")
        is_left = bool(place & 1) or place == last
        yield each, is_left
        while is_left and place and not place & 1:
            place, last = place >> 1, last >> 1
        place, last = place >> 1, last >> 1
    must(last <= 0, "a proof is too short")


def check_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> None:
    """Raise WrongError unless the proof leads from a leaf to the root."""
    node = leaf
    for each, is_left in _climb(index, size - 1, proof):
        node = node_hash(each, node) if is_left else node_hash(node, each)
    told = f"the hash {leaf.hex()} does not lead to the root {root.hex()} from place {index} of {size}"
    must(node == root and 0 <= index < size, told)


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: list[bytes]) -> None:
    """Raise WrongError unless the proof shows that a log of `new` entries begins with that of `old`."""
    told = f"{new} entries with the root {new_root.hex()} are not proved to begin with {old}"
    if old in {0, new}:
        must(not proof and (new_root if old else EMPTY_ROOT) == old_root, told)
        return
    path = proof if old & old - 1 else [old_root, *proof]
    must(0 < old < new and path, told)
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = path[0]
    for each, is_left in _climb(place, last, path[1:]):
        before = node_hash(each, before) if is_left else before
        after = node_hash(each, after) if is_left else node_hash(after, each)
    must((before, after) == (old_root, new_root), told)


def tile_path(level: int | str, index: int, width: int = WIDTH) -> str:
    """Return the path of a tile: its index in groups of three digits."""
    *groups, last = [f"{int(each):03d}" for each in f"{index:,}".split(",")]
    partial = f".p/{width}" if width < WIDTH else ""
    return f"tile/{level}/{''.join(f'x{each}/' for each in groups)}{last}{partial}"


def parse_entries(data: bytes, width: int) -> list[bytes]:
    """Read an entry bundle: each entry behind its length in two bytes, exactly `width` of them."""
    entries, at = [], 0
    while at + 2 <= len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        entries.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    must(at == len(data) and len(entries) == width, f"it does not hold exactly {width} entries")
    return entries


# ---- 4. Entries: strict JSON in one lawful form -----------------------------------------------------------
ENTRY: dict[str, type] = {"v": int, "log": str, "seq": int, "prev": str, "at": int, "kind": str}
PARTS: dict[str, dict[str, type]] = {
    "src": {"topic": str, "topic_id": str, "partition": int, "offset": int, "skipped": int, "at": int},
    "actor": {"kind": str, "id": str},
    "ref": {"log": str, "seq": int},
    "facts": {},
    "payload": {"media": str, "size": int, "commit": str, "sha256": str, "key": str},
}


def parse_json(data: bytes) -> Any:  # noqa: ANN401 - JSON is of any type
    """Read JSON in which no key is there twice, and no number has a fraction."""
    try:
        return json.loads(data, object_pairs_hook=_once, parse_float=parse_int, parse_constant=parse_int)
    except (ValueError, RecursionError) as error:
        raise WrongError(f"it is not the JSON that it should be: {str(error)[:150]}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    must(len(dict(pairs)) == len(pairs), "a key is there twice")
    return dict(pairs)


def has(value: object, kinds: Mapping[str, type]) -> bool:
    """Say whether a value is an object of exactly these members, in this order, each of its type."""
    return type(value) is dict and [(name, type(each)) for name, each in value.items()] == [*kinds.items()]


def parse_entry(body: bytes) -> dict[str, Any]:
    """Read an entry in its one lawful form: these members, in this order, nothing between them."""
    entry: dict[str, Any] = parse_json(body)
    begins = type(entry) is dict and has(dict([*entry.items()][: len(ENTRY)]), ENTRY) and entry["v"] == 1
    must(begins, "it does not begin as every entry does")
    must(list(entry) == [*ENTRY, *(name for name in PARTS if name in entry)], "its members are not in order")
    for name, kinds in PARTS.items():
        lawful = has(entry.get(name), kinds) or (name == "facts" and type(entry.get(name)) is dict)
        must(name not in entry or lawful, f"its member {name} is not as it should be")
    same = json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace") == body
    must(same, "its bytes are not the one lawful form of what they say")
    return entry


# ---- 5. Files of a folder or a zip ------------------------------------------------------------------------
class Files:
    """The files of a bundle by name; nothing is ever written."""

    def __init__(self, path: Path) -> None:
        self._path, self._zip = path, None
        if path.is_dir():
            found = [each for each in path.rglob("*") if each.is_symlink() or not each.is_dir()]
            self.names = {each.relative_to(path).as_posix() for each in found}
            return
        try:
            self._zip = zipfile.ZipFile(path)
        except Exception as error:
            raise WrongError(f"the zip cannot be read, it was cut off or changed: {error}") from error
        inside = [each for each in self._zip.infolist() if each.file_size or not each.is_dir()]
        self.names = {each.filename for each in inside}
        must(len(inside) == len(self.names), "the zip has two files of one name")
        alone = not self._zip.comment and min([each.header_offset for each in inside], default=0) == 0
        must(alone, "the zip has something before its files, or a comment: other programs may read others")
        must(sum(each.file_size for each in inside) < MOST_PACKED * path.stat().st_size, "it is a zip bomb")

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yield a file's bytes, some at a time."""
        must(name in self.names, f"the file {name} is missing", MissingError)
        must(self._zip or (self._path / name).is_file(), f"{name} is no file")
        try:
            with (self._path / name).open("rb") if self._zip is None else self._zip.open(name) as stream:
                while data := stream.read(1 << 20):
                    yield data
        except Exception as error:
            kind = MissingError if self._zip is None else WrongError  # a disk's fault, or a changed zip's
            raise kind(f"the file {name} cannot be read: {error or type(error).__name__}") from error

    def read(self, name: str) -> bytes:
        """Read a file whole: one of those that are lawfully small."""
        data = b""
        for block in self.blocks(name):
            data += block
            must(len(data) <= MOST_BYTES, f"{name} is larger than any honest one")
        return data

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield a file's lines."""
        rest = b""
        for block in self.blocks(name):
            *whole, rest = (rest + block).split(b"\n")
            must(len(rest) <= MOST_BYTES, f"{name} has a line that is longer than any honest one")
            yield from whole
        yield from [rest] if rest else []

    def under(self, folder: str) -> list[str]:
        """Return the names in a folder, in the order of what they number: longer numbers come later."""
        return sorted((n for n in self.names if n.startswith(f"{folder}/")), key=lambda n: (n.count("/"), n))


# ---- 6. A log: tiles against the signed root, entries against tiles, links, payloads ----------------------
MOST_FINDINGS, MOST_PACKED = 100, 1_100  # deflate packs 1,032 to 1
ENTRY_LINE = rb'\{"v":1,"log":"[^"]*","seq":(0|[1-9][0-9]{0,18}),'
PAYLOAD_LINE = rb'\{"seq":(0|[1-9][0-9]{0,18}),'
SEALED = {"log": str, "size": int, "root": str, "previous": int, "proof": list, "note": str}
# What a manifest says of a log: all entries from `first` to before `behind`, or `entries` picked ones.
SCOPE = {"name": str, "size": int, "root": str, "scope": str, "first": int, "behind": int, "entries": int}


class Findings:
    """What is wrong, and where: the first hundred of it. The worst is the verdict."""

    def __init__(self) -> None:
        self.found: list[dict[str, str | int | None]] = []
        self.verdict = VERIFIED

    @contextmanager
    def noting(self, log: str, seq: int | None = None) -> Iterator[None]:
        """Remember what goes wrong in a block, and go on behind it."""
        try:
            yield
        except (WrongError, MissingError, RecursionError) as error:
            verdict = INCOMPLETE if isinstance(error, MissingError) else TAMPERED
            self.verdict = TAMPERED if TAMPERED in {verdict, self.verdict} else verdict
            if len(self.found) < MOST_FINDINGS:
                self.found.append({"verdict": verdict, "log": log, "seq": seq, "what": str(error)})


class Tiles:
    """A log's hash tiles, none believed before it leads to the checkpoint's root."""

    def __init__(self, files: Files, folder: str, checkpoint: Checkpoint) -> None:
        self._files, self._folder, self._size = files, folder, checkpoint.entries
        self._known: dict[int, tuple[int, list[bytes]]] = {}
        self._edges: dict[int, list[bytes]] = {}
        level, rest = 0, list[bytes]()
        while count := self._size >> level * HEIGHT:
            if count % WIDTH:
                self._edges[level] = self._read(level, count // WIDTH, count % WIDTH)
            rest = [root_of(row)] if (row := self._edges.get(level, []) + rest) else []
            level += 1
        told = f"its tiles have the root {root_of(rest).hex()}, its checkpoint {checkpoint.root.hex()}"
        must(root_of(rest) == checkpoint.root, told)

    def read(self, level: int, index: int) -> list[bytes]:
        if index == (self._size >> level * HEIGHT) // WIDTH:
            return self._edges[level]
        if level not in self._known or self._known[level][0] != index:
            hashes = self._read(level, index, WIDTH)
            found, above = root_of(hashes), self.read(level + 1, index // WIDTH)[index % WIDTH]
            told = f"{tile_path(level, index)} has the hash {found.hex()}, the tile above it {above.hex()}"
            must(found == above, told)
            self._known[level] = index, hashes
        return self._known[level][1]

    def _read(self, level: int, index: int, width: int) -> list[bytes]:
        path = tile_path(level, index, width)
        data = self._files.read(f"{self._folder}/{path}")
        must(len(data) == width * HASH_BYTES, f"{path} has {len(data)} bytes, not {width * HASH_BYTES}")
        return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


class RootChain:
    """The root log's entries: logs' checkpoints, each proved to continue that log's checkpoint before."""

    def __init__(self, origin: str, root: str, *, whole: bool) -> None:
        self.origin, self.root, self.whole = origin, root, whole
        self._last: dict[str, tuple[int, bytes]] = {}
        self.wanted: dict[str, tuple[int, str]] = {}
        self.sealed_at: dict[str, int] = {}

    def follow(self, name: str, entry: dict[str, Any]) -> None:
        """Check a checkpoint's entry, which no log has but the root."""
        must(name == self.root, "a checkpoint is not in the root log")
        facts: dict[str, Any] = entry.get("facts", {})
        must(has(facts, SEALED), "its facts are not those of a checkpoint")
        log, size, previous, hashes = facts["log"], facts["size"], facts["previous"], facts["proof"]
        texts = [each if type(each) is str else "" for each in [facts["root"], *hashes]]
        must(all(re.fullmatch("[0-9a-f]{64}", each) for each in texts), "its hashes are not in their form")
        root, proof = bytes.fromhex(facts["root"]), [bytes.fromhex(each) for each in hashes]
        signed = parse_checkpoint(open_note(facts["note"].encode("utf-8", "surrogatepass")).text)
        must(signed == (f"{self.origin}/{log}", size, root), "its note is not of what its facts say")
        must(entry.get("ref") == {"log": log, "seq": size - 1}, f"its ref is not entry {size - 1} of {log}")
        before, old_root = self._last.get(log, (0, EMPTY_ROOT))
        self._last[log] = size, root
        must(not self.whole or previous == before, f"it says that {log} had {previous} entries, not {before}")
        if previous == before:
            check_consistency(previous, size, old_root, root, proof)
        is_here = self.wanted.get(log) == (size, facts["root"])
        self.sealed_at[log] = entry["at"] if is_here else 0  # a later seal: the log is here as it was before


class LogCheck:
    """One log of a bundle: each entry against the signed tree, its form, its links, its payload."""

    def __init__(self, files: Files, scope: dict[str, Any], chain: RootChain, findings: Findings) -> None:
        self.scope, self._files, self._findings = scope, files, findings
        self._full_name, self._folder = f"{chain.origin}/{scope['name']}", f"logs/{scope['name']}"
        self._chain, self._is_range = chain, scope["scope"] == "range"
        self._seq, self._hash, self._bad_block = scope["first"] - 1, bytes(HASH_BYTES), -1
        self._payload: dict[str, Any] | None = None
        self.payloads: Counter[str] = Counter()
        self.count, self.silent, self.times = 0, 0, [0, 0]

    def run(self, checkpoint: Checkpoint) -> None:
        """Check everything that is here of the log against its checkpoint, which was checked already."""
        scope, noting = self.scope, self._findings.noting
        with noting(scope["name"]):
            tiles = Tiles(self._files, self._folder, checkpoint)
            lines = self._lines("entries", 0, ENTRY_LINE), self._lines("payloads", 1, PAYLOAD_LINE)
            for seq, rank, data in heapq.merge(self._bundles(), *lines):  # an entry, then its payload's line
                with noting(scope["name"], seq):
                    if rank:
                        self._disclose(seq, data)
                    else:
                        self._entry(tiles, seq, data)
            wanted = scope["behind"] - scope["first"] if self._is_range else scope["entries"]
            told = f"{wanted} entries should be here, there are {self.count}"
            must(self.count == wanted, told, MissingError)
            must(not self.silent, f"{self.silent} payloads are neither disclosed nor withheld", MissingError)

    def _bundles(self) -> Iterator[tuple[int, int, bytes]]:
        for name in self._files.under(f"{self._folder}/tile/entries"):
            path = name[len(self._folder) + 1 :]
            number, _, width = path[len("tile/entries/") :].partition(".p/")
            index = int(re.sub("[^0-9]", "", number)[:18] or 0)
            with self._findings.noting(self.scope["name"], index * WIDTH):
                count = parse_int(width or str(WIDTH))
                must(path == tile_path("entries", index, count), f"{path} is no bundle of entries")
                for at, body in enumerate(parse_entries(self._files.read(name), count)):
                    yield index * WIDTH + at, 0, body

    def _lines(self, folder: str, rank: int, start: bytes) -> Iterator[tuple[int, int, bytes]]:
        for name in self._files.under(f"{self._folder}/{folder}"):
            with self._findings.noting(self.scope["name"]):
                for line in self._files.lines(name):
                    matched = re.match(start, line)
                    must(matched, f"{name} has a line that does not begin as it should: {line[:60]!r}")
                    yield int(matched[1]) if matched else 0, rank, line

    def _entry(self, tiles: Tiles, seq: int, body: bytes) -> None:
        before, self._seq, self._payload = self._seq, max(seq, self._seq), None
        self.count += 1
        must(before < seq < self.scope["size"], "it is here twice, or beyond the log's size")
        with self._findings.noting(self.scope["name"], before + 1):
            gapless = not self._is_range or seq == before + 1
            must(gapless, f"entries {before + 1} to {seq - 1} are missing", MissingError)
        hashed, signed = leaf_hash(body), self._signed(tiles, seq)
        linked = self._signed(tiles, seq - 1) if seq % WIDTH else None
        linked = self._hash if seq == 0 or (seq == before + 1 and self.count > 1) else linked
        self._hash = signed or hashed
        told = f"the hash of its bytes is {hashed.hex()}, the signed tree has {self._hash.hex()}"
        must(hashed == self._hash, told)
        entry = parse_entry(body)
        place, prev, at = (entry["log"], entry["seq"]), entry["prev"], entry["at"]
        must(place == (self._full_name, seq), f"it says of itself that it is entry {place[1]} of {place[0]}")
        told = f"its prev is {prev}, the entry before it has the hash {(linked or b'').hex()}"
        must(linked is None or prev == linked.hex(), told)
        must(at >= self.times[1], f"its time {at} is before that of one before it, {self.times[1]}")
        self.times = [self.times[0] or at, at]
        self._payload = entry.get("payload")
        self.silent += self._payload is not None
        if entry["kind"] == "checkpoint":
            self._chain.follow(self.scope["name"], entry)

    def _signed(self, tiles: Tiles, seq: int) -> bytes | None:
        """The hash that the signed tree has for an entry; None, said once for 256, if a tile is no good."""
        if seq // WIDTH != self._bad_block:
            with self._findings.noting(self.scope["name"], seq):
                return tiles.read(0, seq // WIDTH)[seq % WIDTH]
            self._bad_block = seq // WIDTH
        return None

    def _disclose(self, seq: int, data: bytes) -> None:
        line, said, self._payload = parse_json(data), self._payload or {}, None
        sound = said and seq == self._seq
        must(sound, "a payload is disclosed twice, or of an entry that is not sound, or has none")
        self.silent -= 1
        if has(line, {"seq": int, "withheld": str}):
            self.payloads[f"withheld ({line['withheld']})"] += 1
            return
        form = "text" if "text" in line else "base64"
        lawful = has(line, {"seq": int, "salt": str, form: str}) and len(line["salt"]) == 2 * HASH_BYTES
        must(lawful and re.fullmatch("[0-9a-f]*", line["salt"]), "its disclosed payload is malformed")
        payload = line[form].encode("utf-8", "surrogatepass") if form == "text" else unbase64(line[form])
        commit = hashlib.sha256(bytes.fromhex(line["salt"]) + payload).hexdigest()
        told = f"its disclosed payload has the hash {commit}, the entry commits to {said['commit']}"
        must(commit == said["commit"] and len(payload) == said["size"], told)
        self.payloads["disclosed"] += 1


# ---- 7. A bundle: the export's entry vouches for the manifest, the manifest for every file ----------------
FORMAT, MANIFEST, EXPORT, KEYS = "reviewsvc.bundle/1", "manifest.json", "export.tlog-proof", "keys.json"
HEAD = {"format": str, "origin": str, "root": str, "question": dict, "logs": list, "files": dict}
GRACE = 60_000_000  # microseconds: a checkpoint is signed a moment before the entry that carries it
LOG_PARTS = "checkpoint", "tile/", "entries/", "payloads/"
NOT_CHECKED = "is present, not checked here"
STAMP_LINE = "openssl ts -verify -in {0}.tsr -data {0}.checkpoint -CAfile CA.pem"
ML_DSA_LINE = "openssl pkeyutl -verify -pubin -inkey KEY.pem -rawin -in TEXT -sigfile SIGNATURE"


class Trust:
    """Which keys are believed: those that were given, else those of the bundle; and when each was good."""

    def __init__(self, given: list[Key] | None, policy: Policy | None) -> None:
        self.given, self.policy = given, policy
        self.history: dict[bytes, tuple[int, int]] = {}
        self.remarks: list[str] = []

    def learn(self, data: bytes) -> None:
        """Read the bundle's history of keys: from when until when each signs, in microseconds."""
        said = parse_json(data)
        must(has(said, {"keys": list}), "it is no history of keys")
        for each in said["keys"]:
            told = {**each, "valid_until": each.get("valid_until", LARGEST)} if type(each) is dict else {}
            lawful = has(told, {"vkey": str, "valid_from": int, "valid_until": int})
            must(lawful, "what it says of a key is not as it should be")
            key = parse_key(told["vkey"])
            if key.kind == ED25519:
                self.history[key.key] = told["valid_from"], told["valid_until"]
            elif key.kind == ML_DSA:
                self.remarks.append(f"an ML-DSA signature (docs/verifying.md) {NOT_CHECKED}: {ML_DSA_LINE}")

    def open(self, name: str, data: bytes) -> tuple[Checkpoint, Note]:
        """Read a log's checkpoint, signed by a key that is believed."""
        own = [Key(name, ED25519, key) for key in self.history] if self.given is None else self.given
        logs, witnesses = (self.policy.logs, self.policy.witnesses.values()) if self.policy else ([], [])
        own = [key for key in [*own, *logs] if key.name == name and key.kind == ED25519]
        note = open_note(data, [*own, *witnesses])
        checkpoint = parse_checkpoint(note.text)
        must(checkpoint.origin == name, f"its checkpoint is that of {checkpoint.origin}, not of {name}")
        must(own, f"no verifier key of {name} was given", MissingError)
        told = f"no key known for {name} signed its checkpoint, but {note.unknown}: another log? newer keys?"
        must(any(key.kind == ED25519 for key, _ in note.signers), told)
        return checkpoint, note

    def check_time(self, note: Note, since: int, until: int) -> None:
        """Raise WrongError if a key signed when it was not valid: not before `since`, about `until`."""
        for key, _ in note.signers:
            begins, ends = self.history.get(key.key, (0, LARGEST))
            told = f"{key.name}+{key.key_id.hex()} signed it at {until}, when it was not valid"
            must(key.kind != ED25519 or (begins <= since + GRACE and until <= ends + GRACE), told)

    def check_policy(self, root: Note) -> None:
        """Raise MissingError unless the root's checkpoint is signed and cosigned as the policy asks."""
        policy, signers = self.policy, {key for key, _ in root.signers}
        if policy is not None:
            met = policy.is_met(signers) and (not policy.logs or signers & {*policy.logs})
            told = f"its policy is not met: {', '.join(sorted(key.name for key in signers))} signed the root"
            must(met, told, MissingError)


def read_proved(data: bytes, trust: Trust) -> tuple[dict[str, Any], Checkpoint, Note, Any]:
    """Read an entry, a newline, and its proof, which must hold."""
    body, _, rest = data.partition(b"\n")
    entry, (index, hashes, signed, extra) = parse_entry(body), parse_proof(rest)
    checkpoint, note = trust.open(entry["log"], signed)
    check_inclusion(leaf_hash(body), index, checkpoint.entries, hashes, checkpoint.root)
    must(index == entry["seq"], f"its proof is that of entry {index}")
    return entry, checkpoint, note, extra


class BundleCheck:
    """All of a bundle, from the export's entry down; what is wrong is in the findings."""

    def __init__(self, files: Files, trust: Trust, findings: Findings) -> None:
        self._files, self._trust, self._noting, self._findings = files, trust, findings.noting, findings
        self.logs, self.is_whole, self.question = list[LogCheck](), False, dict[str, Any]()
        with self._noting(MANIFEST):
            data = files.read(MANIFEST)
            with self._noting(KEYS):
                trust.learn(files.read(KEYS))
            with self._noting(EXPORT):
                self._check_export(hashlib.sha256(data).hexdigest())
            self._said = self._manifest(data)
            self.question, (root, *others) = self._said["question"], self._said["logs"]
            self.is_whole = root["scope"] == "range" and root["behind"] - root["first"] == root["size"]
            self._chain = RootChain(self._said["origin"], root["name"], whole=self.is_whole)
            self._chain.wanted = {scope["name"]: (scope["size"], scope["root"]) for scope in others}
            known = tuple(f"logs/{log['name']}/{part}" for log in self._said["logs"] for part in LOG_PARTS)
            for name in sorted({*files.names, *self._said["files"]} - {MANIFEST, EXPORT}):
                with self._noting(name):
                    listed, hashed = self._said["files"].get(name), hashlib.sha256()
                    for block in files.blocks(name):
                        hashed.update(block)
                    must(listed, f"{MANIFEST} does not list this file")
                    lawful = all(part.strip(".") for part in name.split("/")) and "\\" not in name
                    lawful = lawful and (name.startswith(known) or not name.startswith("logs/"))
                    must(lawful, f"no file of a bundle is called so, or {MANIFEST} names no such log")
                    found = hashed.hexdigest()
                    must(found == listed, f"its SHA-256 is {found}, {MANIFEST} says {listed}")
            for scope in self._said["logs"]:
                with self._noting(scope["name"]):
                    self._check_log(scope)
            if self.question.get("kind") == "range" and not self.question.get("logs"):  # that is: all logs
                more = sorted({*self._chain.sealed_at} - {*self._chain.wanted})
                holds = not more and (self.is_whole or {"from", "until"} & {*self.question})
                told = f"all logs are asked for, but it is not here as a whole, or it seals more: {more}"
                with self._noting(root["name"]):
                    must(holds, told, MissingError)
        for name in sorted(each for each in files.names if each.endswith(".tsr")):
            trust.remarks.append(f"a time stamp {NOT_CHECKED}: {STAMP_LINE.format(shlex.quote(name[:-4]))}")

    def _check_export(self, manifest_hash: str) -> None:
        entry, _, note, extra = read_proved(self._files.read(EXPORT), self._trust)
        alone = extra is None and len(note.signers) + len(note.unknown) == 1
        must(alone, "it is an entry and its proof, without extra data, with one signature")
        said = entry.get("facts", {}).get("manifest")
        told = f"{MANIFEST} has the hash {manifest_hash}, the export's entry says {said}"
        must(entry["kind"] == "export" and said == manifest_hash, told)
        self._trust.check_time(note, LARGEST, entry["at"])

    def _manifest(self, data: bytes) -> dict[str, Any]:
        said: dict[str, Any] = parse_json(data)
        lawful = type(said) is dict and has({name: said.get(name) for name in HEAD}, HEAD)
        must(lawful and said["format"] == FORMAT, f"it is no manifest of the format {FORMAT}")
        for scope in said["logs"]:
            lawful = has(scope, SCOPE) and 0 <= scope["first"] <= scope["behind"] <= scope["size"]
            must(lawful, "what it says of a log is not as it should be")
        said["logs"].sort(key=lambda scope: scope["name"] != said["root"])
        rooted = said["logs"] and said["logs"][0]["name"] == said["root"] and re.match("root/", said["root"])
        must(rooted, "it has no root log")
        return said

    def _check_log(self, scope: dict[str, Any]) -> None:
        check = LogCheck(self._files, scope, self._chain, self._findings)
        self.logs.append(check)
        name, size = scope["name"], scope["size"]
        signed = self._files.read(f"logs/{name}/checkpoint")
        checkpoint, note = self._trust.open(f"{self._said['origin']}/{name}", signed)
        told = f"its checkpoint has {checkpoint.entries} entries and the root {checkpoint.root.hex()}"
        must((checkpoint.entries, checkpoint.root.hex()) == (size, scope["root"]), told)
        check.run(checkpoint)
        if name == self._chain.root:
            self._trust.check_time(note, LARGEST, check.times[1])
            self._trust.check_policy(note)
            return
        told = f"the root log, as it is here, does not seal it last at {size} entries"
        must(self._chain.sealed_at.get(name), told, WrongError if self._chain.whole else MissingError)
        self._trust.check_time(note, self._chain.sealed_at[name], self._chain.sealed_at[name])
        since, until = self.question.get("from"), self.question.get("until")
        if scope["scope"] == "range":
            begins = scope["first"] == 0 or (type(since) is int and 0 < check.times[0] < since)
            must(begins, f"it begins at {check.times[0]}: entries since {since} may lack", MissingError)
            ends = scope["behind"] == size or (type(until) is int and check.times[1] >= until)
            must(ends, f"it ends at {check.times[1]}: entries until {until} may lack", MissingError)


# ---- 8. A receipt, the report, the command ----------------------------------------------------------------
def check_receipt(data: bytes, trust: Trust) -> list[str]:
    """Check an entry and its proof, and then the root's entry that seals that checkpoint, and its proof."""
    shown, sealed = list[str](), Checkpoint("", 0, EMPTY_ROOT)
    for part in re.split(rb"(?<=\n)(?=\{)", data):
        entry, checkpoint, note, _ = read_proved(part, trust)
        if shown:
            log, size, root = (entry.get("facts", {}).get(name) for name in ("log", "size", "root"))
            same = (size, root) == (sealed.entries, sealed.root.hex()) and sealed.origin.endswith(f"/{log}")
            must(entry["kind"] == "checkpoint" and same, f"its second entry does not seal {sealed.origin}")
            trust.check_policy(note)
        sealed = checkpoint
        shown.append(f"{entry['kind']}: entry {entry['seq']} of {entry['log']}, which has {sealed.entries}")
    must(len(shown) > 1 or trust.policy is None, "it has no root, which witnesses cosign", MissingError)
    return shown


def verify(path: Path, keys: list[Key] | None = None, policy: Policy | None = None) -> dict[str, Any]:
    """Verify a bundle or a receipt and return the report; ValueError or OSError if the path is neither."""
    trust, findings, check, shown = Trust(keys, policy), Findings(), None, []
    data = b"PK"
    if not path.is_dir() and not zipfile.is_zipfile(path):
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES)
    must(data[:2] == b"PK" or data[:1] == b"{", f"{path} is neither a folder, a zip nor a receipt")
    with findings.noting(path.name):
        if data[:2] != b"PK":
            shown = check_receipt(data, trust)
        else:
            check = BundleCheck(Files(path), trust, findings)
            shown = [f"asked: {json.dumps(check.question)}"]
    logs = check.logs if check else []
    for log in logs:
        told = ", ".join(f"{count} {what}" for what, count in sorted(log.payloads.items())) or "none"
        what = f"all from {log.scope['first']}" if log.scope["scope"] == "range" else "picked"
        told = f"{log.count} entries, {what}, of {log.scope['size']}; payloads: {told}"
        shown.append(f"{log.scope['name']}: {told}")
    unproved = {
        "that producers sent everything, or the truth; anything behind the checkpoints that are here": True,
        "who made this: without --keys, whoever made it could have made all of it": keys is None,
        "that others were shown the same: witnesses tell, with --policy": not policy or policy.is_met(set()),
        "that nothing was left out of the logs picked from": {x.scope["scope"] for x in logs[1:]} - {"range"},
        "that the root, not here whole, sealed no two histories, no more logs": check and not check.is_whole,
        "what an earlier root sealed, before a restore": logs and not logs[0].scope["name"].endswith("/0"),
        "why a payload is withheld; that the views, which are not authoritative, are true": check,
    }
    return {
        "verdict": SELF_CONSISTENT if findings.verdict == VERIFIED and keys is None else findings.verdict,
        "findings": findings.found,
        "shown": shown,
        "remarks": trust.remarks,
        "not_proved": [each for each, holds in unproved.items() if holds],
    }


def as_text(report: dict[str, Any]) -> str:
    """Write a report for a person."""
    lines = [report["verdict"], *(f"  {each}" for each in report["shown"])]
    for each in report["findings"]:
        place = each["log"] if each["seq"] is None else f"{each['log']}, seq {each['seq']}"
        lines.append(f"  {each['verdict']}: {place}: {each['what']}")
    lines += [f"  remark: {each}" for each in report["remarks"]]
    return "\n".join(map(plain, [*lines, *(f"  not proved: {each}" for each in report["not_proved"])]))


def plain(text: str) -> str:
    """Leave nothing in a text that a terminal would act upon, or that its encoding may lack."""
    return re.sub(r"[^ -~]", lambda found: f"\\u{ord(found[0]):04x}", text)


def main(arguments: list[str] | None = None) -> int:
    """Verify what the arguments name, print the report, return the exit code."""
    parser = argparse.ArgumentParser("reviewsvc-verify", description="Verify a bundle or a receipt offline.")
    parser.add_argument("--keys", metavar="FILE", type=Path, help="verifier keys, not from the bundle")
    parser.add_argument("--policy", metavar="FILE", type=Path, help="a C2SP tlog-policy: who must cosign")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("bundle", metavar="BUNDLE", type=Path, help="a folder, a zip, or a receipt")
    try:
        given = parser.parse_args(arguments)
        keys = given.keys and [parse_key(line) for line in given.keys.read_text("utf-8-sig").split()]
        report = verify(given.bundle, keys, Policy(given.policy.read_bytes()) if given.policy else None)
        print(json.dumps(report) if given.json else as_text(report), flush=True)  # noqa: T201 - its result
    except SystemExit as error:
        return COULD_NOT_RUN if error.code else 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a sentence is owed, never a trace
        sys.stdout = None  # what it could not write is not tried again
        with suppress(OSError, AttributeError):
            sys.stderr.write(f"{plain(f'It could not run: {error or type(error).__name__}')}\n")
        return COULD_NOT_RUN
    return EXIT_CODES[report["verdict"]]


if __name__ == "__main__":
    sys.exit(main())
