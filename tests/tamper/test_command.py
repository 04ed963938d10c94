"""`reviewsvc audit verify` as it is typed: each option, each exit code, and what is typed wrongly."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reviewsvc import cli
from reviewsvc.crypto.notes import ED25519, Signer
from reviewsvc.crypto.signing_keys import load
from tests.fixtures.installed import KEK_BYTES, ORIGIN
from tests.integration.history import PREDICTIONS
from tests.tamper.cheats import FLIP, P
from tests.tamper.installation import Installation
from tests.tamper.test_together import changed

pytestmark = pytest.mark.real
FLIPPED = f"{FLIP.format(at=300)}{P} AND seq = 7"


class Ran(NamedTuple):
    code: object
    out: str
    err: str

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


Type = Callable[..., Ran]


@pytest.fixture
def keys(sealed: Installation, tmp_path: Path) -> Path:
    """The verifier keys, as somebody outside keeps them, with an empty line and one that is not of here."""
    path = tmp_path / "keys.txt"
    lines = [
        each.text() for each in (*sealed.verifiers(), Signer("x.example", ED25519, bytes(32)).verifier())
    ]
    path.write_text("\n\n".join(lines))
    return path


@pytest.fixture
def audit(
    sealed: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Type:
    """Type `reviewsvc audit verify …` and say how it ended."""
    for name in [name for name in os.environ if name.startswith("REVIEWSVC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATABASE_URL", sealed.process_url)
    monkeypatch.setenv("REVIEWSVC_DATA_DIR", str(tmp_path / "data"))

    def run(*words: object, **env: str) -> Ran:
        with monkeypatch.context() as patched:
            for name, value in env.items():
                patched.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                cli.main(["audit", "verify", *map(str, words)])
        return Ran(ended.value.code, *capsys.readouterr())

    return run


def test_the_verdict_and_its_exit_code_follow_from_the_keys(
    audit: Type, keys: Path, sealed: Installation, tmp_path: Path
) -> None:
    good = audit("--keys", keys, "--json")
    assert (good.code, good.told["verdict"], good.err) == (0, "VERIFIED", "")
    assert set(good.told) == {
        *("verdict", "findings", "remarks", "entries", "seconds", "logs", "not_proved", "more_findings"),
    }
    own = audit()
    assert (own.code, "\nSELF-CONSISTENT (UNANCHORED-SINCE " in own.out) == (2, True)
    assert "give keys from elsewhere with --keys FILE" in own.out
    for name, place in (
        ("REVIEWSVC_VERIFIER_KEYS_FILE", keys),
        ("REVIEWSVC_SIGNING_KEY_FILE", sealed.key_file),
    ):
        assert audit("--chain-only", **{name: str(place)}).code == 0
    stranger = tmp_path / "stranger.txt"
    stranger.write_text(Signer(ORIGIN, ED25519, bytes(32)).verifier().text())
    wrong = audit("--keys", stranger)
    assert (wrong.code, "no key from outside signed its last checkpoint" in wrong.out) == (1, True)


def test_a_changed_byte_ends_with_1_for_one_process_and_for_two(
    audit: Type, keys: Path, sealed: Installation
) -> None:
    with changed(sealed, FLIPPED):
        ran = audit("--keys", keys, "--chain-only", "--processes", "2", "--json")
        assert (ran.code, ran.told["verdict"]) == (1, "TAMPERED")
        assert (PREDICTIONS, 7) in {(each["log"], each["seq"]) for each in ran.told["findings"]}
        assert audit("--keys", keys, "--log", PREDICTIONS, "--seqs", "300:302").code == 0
        assert audit("--keys", keys, "--log", PREDICTIONS, "--seqs", "3:9").code == 1
    assert audit("--keys", keys, "--chain-only", "--processes", "auto").code == 0


def test_one_log_a_range_and_what_came_since_are_a_part_of_the_whole(
    audit: Type, keys: Path, tmp_path: Path
) -> None:
    memory = tmp_path / "memory.json"
    whole = audit("--keys", keys, "--json", "--memory", memory).told
    one = audit("--keys", keys, "--json", "--log", PREDICTIONS).told
    assert [log["log"] for log in one["logs"]] == [PREDICTIONS]
    part = audit("--keys", keys, "--json", "--log", PREDICTIONS, "--seqs", "300:302").told
    assert (part["logs"][0]["first"] > 0, part["entries"] < one["entries"]) == (True, True)
    since = audit("--keys", keys, "--json", "--memory", memory, "--since-last").told
    assert (since["verdict"], since["entries"] < whole["entries"]) == ("VERIFIED", True)
    unkept = audit("--keys", keys, "--memory", keys / "memory")
    assert unkept.code == 3
    assert "cannot be read" in unkept.err


def test_the_policys_witnesses_must_have_cosigned(
    audit: Type, keys: Path, sealed: Installation, tmp_path: Path
) -> None:
    (witness,) = load(sealed.folder / "witness")
    policy = tmp_path / "policy.txt"
    for quorum, code in (("none", 0), ("w", 2)):
        policy.write_text(f"witness w {witness.verifier().text()} http://127.0.0.1:1\nquorum {quorum}\n")
        ran = audit("--keys", keys, "--policy", policy, "--json")
        assert ran.code == code, ran.out
    assert ran.told["verdict"] == "INCOMPLETE"


def test_payloads_are_opened_with_the_kek_of_the_settings(audit: Type, keys: Path) -> None:
    asked = ("--keys", keys, "--payloads", "--log", PREDICTIONS, "--json")
    assert audit(*asked, REVIEWSVC_KEKS=KEK_BYTES.hex()).told["verdict"] == "VERIFIED"
    other = audit(*asked, REVIEWSVC_KEKS=bytes(32).hex())
    assert (other.code, other.told["verdict"]) == (2, "INCOMPLETE")
    none = audit(*asked)
    assert (none.code, "KEK" in none.err, none.out) == (3, True, "")


MISTYPED: dict[str, tuple[tuple[str, ...], str]] = {
    "an unknown log": (("--log", "predictions/none/0"), "there is no log predictions/none/0"),
    "a range without a log": (("--seqs", "1:2"), "goes with --log NAME"),
    "a range backwards": (("--log", PREDICTIONS, "--seqs", "9:3"), "--seqs 9:3 ends before it begins"),
    "an empty range": (("--log", PREDICTIONS, "--seqs", "9:9"), "--seqs 9:9 ends before it begins"),
    "a range beyond the log": (("--log", PREDICTIONS, "--seqs", "0:99999"), "name a range within them"),
    "a range in words": (("--log", PREDICTIONS, "--seqs", "all"), "e.g. --seqs 1000:2000"),
    "a range and since": (("--log", PREDICTIONS, "--seqs", "1:2", "--since-last"), "give one of them"),
    "nothing remembered": (("--since-last",), "run `reviewsvc audit verify` once"),
    "no processes": (("--processes", "0"), "no number from 1 to 64"),
    "many processes": (("--processes", "65"), "no number from 1 to 64"),
    "processes in words": (("--processes", "many"), "no number from 1 to 64"),
    "payloads and none": (("--payloads", "--chain-only"), "give one of them"),
    "keys that are nowhere": (("--keys", "NOWHERE"), "does not exist"),
    "keys that are none": (("--keys", "GARBAGE"), "cannot be read"),
    "keys that are no text": (("--keys", "BYTES"), "cannot be read"),
    "a file without keys": (("--keys", "EMPTY"), "holds no verifier key"),
    "keys of others": (("--keys", "OTHERS"), ORIGIN),
    "a policy that is none": (("--policy", "GARBAGE"), "cannot be used"),
    "a policy that is no text": (("--policy", "BYTES"), "cannot be used"),
    "a memory that is none": (("--memory", "GARBAGE"), "remove it, and verify everything"),
    "a memory of elsewhere": (("--memory", "ELSEWHERE"), "name another file with --memory"),
    "a memory that is a folder": (("--memory", "FOLDER"), "is a directory"),
}
FILES = {
    "GARBAGE": b"\x00 no key {",
    "BYTES": b"\xff\xfe\xfd",
    "EMPTY": b"\n\n",
    "OTHERS": Signer("x.example", ED25519, bytes(32)).verifier().text().encode(),
    "ELSEWHERE": b'{"installation":"x.example","at":"2026-01-01T00:00:00Z","logs":{}}',
}


@pytest.mark.parametrize("case", MISTYPED)
def test_what_is_typed_wrongly_ends_with_3_and_words(audit: Type, tmp_path: Path, case: str) -> None:
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "FOLDER").mkdir()
    words, told = MISTYPED[case]
    ran = audit(*(str(tmp_path / word) if word.isupper() else word for word in words))
    assert (ran.code, ran.out) == (3, "")
    assert told in " ".join(ran.err.split())
    assert "Traceback" not in ran.err


@pytest.mark.usefixtures("audit")
def test_progress_is_shown_to_people_on_stderr_and_json_stands_alone(keys: Path) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "reviewsvc.cli", "audit", "verify", "--keys", str(keys), "--json"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=False,
    )
    os.close(theirs)
    shown = os.read(ours, 65_536).decode(errors="replace")
    os.close(ours)
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "VERIFIED")
    assert "activity/0/0" in shown
