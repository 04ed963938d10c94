import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest

from reviewsvc.db import logs
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.hot.connection import Connected, connect
from reviewsvc.db.hot.seals import SealedLog, StoredTile
from reviewsvc.domain.edge import Edge
from reviewsvc.domain.entries import leaf_hash
from reviewsvc.domain.tiles import Tile, parse_path
from reviewsvc.outside.folder import Folder
from reviewsvc.usecases import publishing, tiles
from reviewsvc.usecases.publishing import Published, PublishError
from reviewsvc.usecases.tiles import TileMissingError
from tests.fixtures import c2sp_client
from tests.fixtures.c2sp_client import Fetch, Head
from tests.fixtures.cases import TOPIC, event
from tests.fixtures.installed import AT, ORIGIN
from tests.fixtures.sealed import SealedBank
from tests.unit.tlog_vectors import entry, vectors

pytestmark = pytest.mark.real
SECOND = timedelta(seconds=1)
CAPTURED = f"predictions/{TOPIC}/0/0"
SECRETS = (b"subject of", b"4200.5", b"as the file says", b"anna", b"p-1", b"/scoring")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def conn(database_url: str) -> Iterator[Connected]:
    with connect(database_url, "read") as connection:
        yield connection


def capture(held: SealedBank, count: int, name: str = "p") -> None:
    held.bank.capture([event(f"{name}-{number}", subject=None) for number in range(count)])


def grow(held: SealedBank, number: int, count: int) -> None:
    capture(held, count, f"g{number}")
    held.seal(AT + number * SECOND)


def below(folder: Path, log: str) -> Fetch:
    return lambda path: Folder(folder / "logs" / log).read(path)


def vkeys(folder: Path) -> dict[str, str]:
    lines = (folder / "verifier-keys.txt").read_text().split("\n")
    assert lines.pop() == ""
    return {line.partition("+")[0].removeprefix(f"{ORIGIN}/"): line for line in lines}


def read_all(folder: Path) -> dict[str, tuple[Head, list[bytes]]]:
    return {log: c2sp_client.read_log(below(folder, log), vkey) for log, vkey in vkeys(folder).items()}


def bodies(held: SealedBank, log_id: int) -> list[bytes]:
    with held.sessions.begin() as session:
        return [one.body for one in logs.read(session, log_id, -1, 100_000)]


def test_another_reader_finds_every_log_in_the_folder_whatever_its_size(
    signed: SealedBank, conn: Connected, out: Path
) -> None:
    heads: list[Head] = []
    for number, count in enumerate([0, 1, 253, 1, 1, 255, 300]):
        grow(signed, number, count)
        publishing.publish(conn, Folder(out))
        found = read_all(out)
        assert found.keys() == {log.name for log in signed.logs().values()}
        for log in signed.logs().values():
            assert found[log.name][0] == Head(f"{ORIGIN}/{log.name}", log.size, log.root)
            assert found[log.name][1] == bodies(signed, log.log_id)[: log.size]
        heads += [found[CAPTURED][0]] if CAPTURED in found else []
    assert [head.size for head in heads] == [1, 2, 255, 256, 257, 512, 812]
    for head in heads:
        assert len(c2sp_client.read_entries(below(out, CAPTURED), head)) == head.size


def test_only_what_is_new_is_written(signed: SealedBank, conn: Connected, out: Path) -> None:
    grow(signed, 0, 600)
    first = publishing.publish(conn, Folder(out))
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert first.files == len(before)
    assert publishing.publish(conn, Folder(out)) == Published(first.logs, 0, 1)
    grow(signed, 1, 1)
    publishing.publish(conn, Folder(out))
    changed = {path for path, at in before.items() if path.stat().st_mtime_ns != at}
    assert {str(path.relative_to(out)) for path in changed} == {
        "verifier-keys.txt",
        f"logs/{CAPTURED}/checkpoint",
        "logs/root/0/checkpoint",
    }
    assert not list(out.rglob(".*"))


def test_no_secret_is_in_any_file(signed: SealedBank, conn: Connected, out: Path) -> None:
    signed.bank.capture([event("p-1"), event("p-2", source="/scoring")])
    anna = signed.bank.person("anna")
    for held in signed.bank.claim(anna, 2):
        signed.bank.decide(anna, held)
    signed.seal()
    publishing.publish(conn, Folder(out))
    files = [path.read_bytes() for path in out.rglob("*") if path.is_file()]
    assert any(b'"kind":"decision"' in data for data in files)
    assert [secret for secret in SECRETS for data in files if secret in data] == []


def test_what_somebody_damaged_in_the_folder_is_put_right(
    signed: SealedBank, conn: Connected, out: Path
) -> None:
    grow(signed, 0, 600)
    publishing.publish(conn, Folder(out))
    folder = out / "logs" / CAPTURED
    first, edge, bundle = (folder / f"tile/{name}" for name in ("0/000", "0/002.p/89", "entries/002.p/89"))
    for path, data in ((first, b""), (edge, edge.read_bytes()[:32]), (bundle, b"\xff")):
        path.write_bytes(data)
    (folder / "tile/1/000.p/2").unlink()
    note = (folder / "checkpoint").read_text()
    (folder / "checkpoint").write_text(f"{note[:-9]}{'A' if note[-9] != 'A' else 'B'}{note[-8:]}")
    assert publishing.publish(conn, Folder(out), check=True).files == 6
    assert len(read_all(out)[CAPTURED][1]) == 601
    assert publishing.publish(conn, Folder(out), check=True).files == 1
    # Where the log grows, its right edge is looked at without being asked.
    first.write_bytes(b"")
    edge.unlink()
    grow(signed, 1, 1)
    publishing.publish(conn, Folder(out))
    assert len(read_all(out)[CAPTURED][1]) == 602


class DyingFolder(Folder):
    """A folder on a machine that goes down after so many files."""

    left = 0

    def write(self, name: str, data: bytes) -> None:
        if self.left == 0:
            raise OSError("down")
        self.left -= 1
        super().write(name, data)


def test_whenever_the_publisher_dies_a_reader_finds_a_whole_log_and_it_goes_on(
    signed: SealedBank, conn: Connected, out: Path
) -> None:
    grow(signed, 0, 300)
    publishing.publish(conn, Folder(out))
    grow(signed, 1, 500)
    sizes = []
    for count in range(30):
        dying = DyingFolder(out)
        dying.left = count
        with suppress(OSError):
            publishing.publish(conn, dying)
        sizes.append(read_all(out)[CAPTURED][0].size)
    assert sizes == sorted(sizes)
    assert set(sizes) == {301, 801}


def test_a_second_publisher_leaves_the_place_to_the_first(
    signed: SealedBank, conn: Connected, database_url: str, out: Path
) -> None:
    grow(signed, 0, 300)
    (out.parent / "linked").symlink_to(out)
    refused = list[str]()

    class Slow(Folder):
        def write(self, name: str, data: bytes) -> None:
            if not refused:
                with connect(database_url, "read") as other, pytest.raises(PublishError) as told:
                    publishing.publish(other, Folder(out.parent / "linked"))
                refused.append(str(told.value))
                with connect(database_url, "read") as other:
                    publishing.publish(other, Folder(out.parent / "elsewhere"))
            super().write(name, data)

    publishing.publish(conn, Slow(out))
    assert "somebody else publishes" in refused[0]
    assert read_all(out) == read_all(out.parent / "elsewhere")
    assert publishing.publish(conn, Folder(out)).entries == 0


def test_files_are_on_the_disk_before_the_checkpoint_tells_of_them(
    signed: SealedBank, conn: Connected, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(signed, 0, 1)
    done: list[str] = []
    real = os.fsync

    def sync(descriptor: int) -> None:
        done.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()).removeprefix(f"{out}/"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    publishing.publish(conn, Folder(out))
    at = done.index(f"logs/{CAPTURED}/.checkpoint.new")
    for before in ("tile/0/000.p/.2.new", "tile/0/000.p", "tile/entries/000.p/.2.new", "tile/0", "tile", ""):
        assert f"logs/{CAPTURED}/{before}".rstrip("/") in done[:at]


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "an edited checkpoint": (lambda note: note.replace(b"\n", b"\n0", 1), "damaged"),
    "half a checkpoint": (lambda note: note[:40], "damaged"),
    "an empty checkpoint": (lambda _: b"", "damaged"),
    "a checkpoint that is no text": (lambda _: b"\xff\xfe", "damaged"),
    "a checkpoint of another log": (lambda note: note.replace(b"predictions", b"outcomes", 1), "not this"),
    "a checkpoint ahead of the database": (lambda note: note.replace(b"\n301\n", b"\n900\n"), "not this"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_folder_that_holds_something_else_is_left_as_it_is(
    signed: SealedBank, conn: Connected, out: Path, case: str
) -> None:
    change, why = DAMAGE[case]
    grow(signed, 0, 300)
    publishing.publish(conn, Folder(out))
    note = out / "logs" / CAPTURED / "checkpoint"
    note.write_bytes(change(note.read_bytes()))
    before = {path: path.read_bytes() for path in (out / "logs" / CAPTURED).rglob("*") if path.is_file()}
    grow(signed, 1, 3)
    with pytest.raises(PublishError, match=why):
        publishing.publish(conn, Folder(out))
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET body = body || '}' WHERE seq = 7",
        "DELETE FROM entry WHERE seq = 7",
        "UPDATE tile SET data = set_byte(data, 7, get_byte(data, 7) # 1)",
        "DELETE FROM tile",
        "UPDATE checkpoint SET root = sha256('')",
        "UPDATE checkpoint SET note = replace(note, 'audit', 'Audit')",
        "DELETE FROM signing_key",
    ],
)
def test_what_is_not_what_was_signed_is_not_published(
    signed: SealedBank, conn: Connected, owner_url: str, out: Path, statement: str
) -> None:
    grow(signed, 0, 300)
    with psycopg.connect(owner_url) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(statement)
    with pytest.raises((PublishError, TileMissingError)):
        publishing.publish(conn, Folder(out))
    assert not (out / "logs" / CAPTURED / "checkpoint").exists()


def test_before_anything_is_signed_it_is_said(unsigned: SealedBank, conn: Connected, out: Path) -> None:
    assert unsigned
    with pytest.raises(PublishError, match="keys make"):
        publishing.publish(conn, Folder(out))


def test_tiles_from_the_database_are_those_of_others_libraries(
    signed: SealedBank, owner_url: str, conn: Connected
) -> None:
    with signed.sessions.begin() as session:
        log_id = logs.create(session, "ingest", 0, clock=0, why="test")
    edge = Edge()
    full = [
        StoredTile(log_id, *tile) for tile in edge.extend(leaf_hash(entry(n)) for n in range(70_000)).tiles
    ]
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("DELETE FROM entry WHERE log_id = %s", (log_id,))
        stored.add_tiles(owner, full)
        with owner.cursor() as cursor, cursor.copy("COPY entry (log_id, seq, body) FROM STDIN") as copy:
            for n in range(70_000):
                copy.write_row((log_id, n, "\\x" + entry(n).hex()))
    for tree in vectors("tiles")["trees"]:
        log = SealedLog(log_id, "ingest/0/0", "ingest", tree["size"], b"", "")
        for each in tree["tiles"]:
            data = tiles.read(conn, log, parse_path(each["path"]))
            assert sha256(data).hexdigest() == each["sha256"], each["path"]
    for each in vectors("tiles")["entry_bundles"]:
        bundle = Tile(None, each["from"] // 256, each["to"] - each["from"])
        assert sha256(tiles.read(conn, log, bundle)).hexdigest() == each["sha256"]
