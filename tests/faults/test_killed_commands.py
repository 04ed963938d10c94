"""Commands that are killed at every single operation on files, and called again: nothing is torn or lost."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from reviewsvc import verify
from reviewsvc.crypto.kek import load_kek
from reviewsvc.crypto.signing_keys import load
from reviewsvc.outside.folder import Folder
from reviewsvc.usecases.sealing import SealingError
from tests.fixtures import c2sp_client
from tests.fixtures.bundled import verifier_keys
from tests.fixtures.cases import event
from tests.fixtures.installed import AT, KEK_BYTES, ORIGIN
from tests.fixtures.sealed import SealedBank

pytestmark = [pytest.mark.real, pytest.mark.long]


@pytest.fixture
def settings(signed: SealedBank, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "kek").write_text(f"{KEK_BYTES.hex()}\n")
    (tmp_path / "kek").chmod(0o600)
    signed.bank.capture([event(f"p-{number}") for number in range(600)])
    signed.seal()
    return {
        "DATABASE_URL": signed.bank.database_url,
        "REVIEWSVC_KEK_FILE": str(tmp_path / "kek"),
        "REVIEWSVC_ORIGIN": ORIGIN,
    }


def killed(settings: dict[str, str], folder: Path, *words: str, look: Callable[[], None]) -> int:
    """Kill a command at each operation below a folder, look at what it left; return how often."""
    command = [sys.executable, "-m", "tests.faults.killed_at", str(folder), *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=os.environ | settings, stdin=pipe, stdout=pipe, text=True) as running:
        assert running.stdin
        assert running.stdout
        times = 0
        while (line := running.stdout.readline()) == "killed\n":
            times += 1
            look()
            running.stdin.write("\n")
            running.stdin.flush()
    assert line == "ended 0\n"
    return times


def nothing() -> None:
    """Look at nothing."""


def read_all(folder: Path, vkeys: list[str]) -> dict[str, int]:
    """Read every published log as others do; a log is there when its checkpoint is."""
    sizes = {}
    for vkey in vkeys:
        log = vkey.partition("+")[0].removeprefix(f"{ORIGIN}/")
        below = Folder(folder / "logs" / log)
        if below.read("checkpoint") is not None:
            sizes[log] = c2sp_client.read_log(below.read, vkey)[0].size
    return sizes


@contextmanager
def sealing(held: SealedBank) -> Iterator[None]:
    """Seal what has grown, again and again."""
    ended = threading.Event()

    def seal() -> None:
        at = AT
        while not ended.wait(0.1):
            at += timedelta(seconds=1)
            with suppress(SealingError):
                held.seal(at)

    thread = threading.Thread(target=seal)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_publisher_that_is_killed_anywhere_leaves_whole_logs(
    signed: SealedBank, settings: dict[str, str], tmp_path: Path
) -> None:
    vkeys = verifier_keys(signed, tmp_path).read_text().splitlines()
    out = tmp_path / "out"
    before: dict[str, int] = {}

    def look() -> None:
        after = read_all(out, vkeys)
        assert all(after[log] >= size for log, size in before.items())
        before.update(after)

    assert killed(settings, out, "audit", "publish", str(out), look=look) > 10
    signed.bank.capture([event(f"more-{number}") for number in range(300)])
    signed.seal(AT + timedelta(seconds=1))
    assert killed(settings, out, "audit", "publish", str(out), look=look) > 2
    assert read_all(out, vkeys) == {log.name: log.size for log in signed.logs().values()}


def test_a_bundle_that_is_killed_anywhere_is_finished_and_verifies(
    signed: SealedBank, settings: dict[str, str], tmp_path: Path
) -> None:
    out, keys = tmp_path / "bundles" / "one.zip", verifier_keys(signed, tmp_path)
    out.parent.mkdir()
    words = ("audit", "bundle", "--purpose", "killed", "-o", str(out))
    with sealing(signed):
        assert killed(settings, out.parent, *words, look=nothing) > 20
    given = [verify.parse_key(line) for line in keys.read_text().splitlines()]
    report = verify.verify(out, given)
    assert (report["verdict"], report["findings"]) == ("VERIFIED", [])
    assert list(out.parent.iterdir()) == [out]


def test_keys_that_are_killed_while_they_are_made_or_changed_are_whole(
    settings: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    path = folder / "signing.key"
    assert killed(settings, folder, "keys", "make", str(path), "--only-file", look=nothing) > 1
    assert len(load(path)) == 1
    assert (folder / "signing.key.state").read_text().startswith("reviewsvc signer state")

    def look() -> None:
        assert load_kek(tmp_path / "kek").kek_ids()

    assert killed(settings, tmp_path, "keys", "rotate-kek", look=look) > 1
    assert len(load_kek(tmp_path / "kek").kek_ids()) >= 2
