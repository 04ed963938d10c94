import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from reviewsvc.crypto import owned_files
from reviewsvc.crypto.cosigner import Cosigner, NotCosignedError, log_keys, make_keys
from reviewsvc.crypto.notes import COSIGNATURE, ED25519, NoteError, Signer, open_note, parse_signer, sign
from reviewsvc.crypto.signing_keys import SigningKeyError
from reviewsvc.crypto.signing_keys import make as make_log_key
from reviewsvc.domain.checkpoint import Checkpoint, parse_checkpoint
from reviewsvc.domain.signing import SigningError, Tip
from reviewsvc.domain.witnessing import MOST_BYTES, PATH, parse_request, write_request
from reviewsvc.witness import WitnessError, served
from tests.fixtures.tlog_trees import FORKED, HONEST, LEAVES, LOG, Grown
from tests.unit.tlog_vectors import vectors

pytestmark = pytest.mark.unit

NAME = "partner.example/w"
STRANGER = Signer("elsewhere.example/log", ED25519, bytes(32))


class Answer(NamedTuple):
    status: int
    media: str
    body: str


def cosigner(folder: Path, *logs: Signer) -> Cosigner:
    make_keys(folder / "key", NAME, folder / "state")
    known = [each.verifier() for each in logs or (LOG,)]
    return Cosigner(folder / "key", folder / "state", known, clock=lambda: 1_795_000_000.7)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with served(cosigner(tmp_path), "127.0.0.1", 0) as port:
        yield port


def post(port: int, body: bytes, path: str = PATH) -> Answer:
    called = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    called.request("POST", path, body)
    answer = called.getresponse()
    told = Answer(answer.status, answer.headers["Content-Type"], answer.read().decode())
    called.close()
    return told


def opened(folder: Path, note: str, lines: str) -> Checkpoint:
    (key,) = make_keys(folder / "key", NAME, folder / "state")
    found = open_note((note + lines).encode(), [key.verifier()])
    assert [each.time for each in found.signatures] == [1_795_000_000]
    return parse_checkpoint(found.text)


def test_what_extends_the_last_is_cosigned_over_its_exact_bytes(port: int, tmp_path: Path) -> None:
    for old, size in ((0, 3), (3, 3), (3, 40), (40, 64)):
        told = post(port, HONEST.request(old, size))
        assert told.status == HTTPStatus.OK
        assert opened(tmp_path, HONEST.note(size), told.body) == (LOG.name, size, HONEST.root(size))


def test_it_cosigns_byte_for_byte_as_others_do(tmp_path: Path) -> None:
    witness = vectors("keys")["witnesses"][0]
    name, seed = witness["vkey_type04"].partition("+")[0], bytes.fromhex(witness["seed_hex"])
    (tmp_path / "key").write_text(f"{Signer(name, COSIGNATURE, seed).text()}\n")
    make_keys(tmp_path / "key", name, tmp_path / "state", new_state=True)
    log = parse_signer(vectors("keys")["log"]["skey"]).verifier()
    proofs = {(each["old"], each["new"]): each["proof"] for each in vectors("consistency")["cases"]}
    old, now = 0, [0]
    held = Cosigner(tmp_path / "key", tmp_path / "state", [log], clock=lambda: now[0])
    for case in vectors("cosignatures")["cases"]:
        lines = case["cosigned_checkpoint"].splitlines(keepends=True)
        cosigned = next(line for line in lines if line.startswith(f"\u2014 {name} "))
        note = "".join(line for line in lines if not line.startswith("\u2014 witness"))
        now[0] = case["time_of_w1"]
        proof = [b64decode(each) for each in proofs[old, case["size"]]]
        assert held.add(write_request(old, proof, note)) == cosigned
        old = case["size"]


def request(old: str = "old 8", proof: str = "", note: str | None = None) -> bytes:
    return f"{old}\n{proof}\n{HONEST.note(20) if note is None else note}".encode()


def unsigned(text: str, signer: Signer = LOG) -> str:
    return sign(text, [signer.line(text)])


PLAIN = Checkpoint(LOG.name, 20, HONEST.root(20)).text()
LINE = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
REFUSED: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "no old": (HONEST.note(20).encode(), 400),
    "old without a number": (request("old "), 400),
    "old with a leading zero": (request("old 08"), 400),
    "old with a sign": (request("old -8"), 400),
    "two spaces": (request("old  8"), 400),
    "CR at the end of a line": (request("old 8\r"), 400),
    "a hash that is none": (request(proof="abc\n"), 400),
    "a hash that is not canonical": (request(proof=LINE.replace("AAA=", "AAB=")), 400),
    "64 hashes": (request(proof=LINE * 64), 400),
    "no checkpoint": (b"old 8\n\n", 400),
    "a checkpoint without a signature": (request(note=f"{PLAIN}\n"), 400),
    "no newline at the end": (request(note=HONEST.note(20)[:-1]), 400),
    "bytes that are no text": (request()[:-9] + b"\xff\xfe\n", 400),
    "a size with a leading zero": (request(note=unsigned(PLAIN.replace("\n20\n", "\n020\n"))), 400),
    "old beyond the checkpoint": (HONEST.request(8, 8).replace(b"old 8", b"old 9"), 400),
    "an unknown log": (Grown(log=STRANGER).request(8, 20), 404),
    "an unknown log, and old beyond it": (Grown(log=STRANGER).request(0, 7).replace(b"old 0", b"old 9"), 404),
    "another key under the log's name": (
        Grown(log=Signer(LOG.name, ED25519, bytes(32))).request(8, 20),
        403,
    ),
    "a signature that does not hold": (HONEST.request(8, 20).replace(b"\n20\n", b"\n21\n"), 403),
    "an old that is too small": (HONEST.request(4, 20), 409),
    "from the beginning again": (HONEST.request(0, 20), 409),
    "an old beyond what is known": (HONEST.request(12, 20), 409),
    "a fork": (FORKED.request(8, 20), 422),
    "another root of the same size": (FORKED.request(8, 8), 422),
    "no proof": (write_request(8, [], HONEST.note(20)), 422),
    "a proof too much": (write_request(8, [*HONEST.proof(8, 20), bytes(32)], HONEST.note(20)), 422),
    "a proof for the same size": (write_request(8, [bytes(32)], HONEST.note(8)), 422),
    "too much": (request(proof=LINE * (MOST_BYTES // 40)), 413),
}


@pytest.fixture(scope="module")
def grown_to_eight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with served(cosigner(tmp_path_factory.mktemp("witness")), "127.0.0.1", 0) as port:
        assert post(port, HONEST.request(0, 8)).status == HTTPStatus.OK
        yield port


@pytest.mark.parametrize("case", REFUSED)
def test_each_wrong_request_has_its_status_and_changes_nothing(grown_to_eight: int, case: str) -> None:
    body, status = REFUSED[case]
    told = post(grown_to_eight, body)
    assert told.status == status, told.body
    if status == HTTPStatus.CONFLICT:
        assert told[1:] == ("text/x.tlog.size", "8\n")
    else:
        assert told.media == "text/plain; charset=utf-8"
    assert post(grown_to_eight, HONEST.request(8, 8)).status == HTTPStatus.OK


def test_logs_of_others_may_have_extension_lines_and_are_told_apart(tmp_path: Path) -> None:
    text = Checkpoint(STRANGER.name, 5, HONEST.root(5)).text() + "something else\n"
    held = cosigner(tmp_path, LOG, STRANGER)
    held.add(HONEST.request(0, 9))
    note = unsigned(text, STRANGER)
    (key,) = make_keys(tmp_path / "key", NAME, tmp_path / "state")
    lines = held.add(write_request(0, [], note))
    assert open_note((note + lines).encode(), [key.verifier()]).text == text
    assert [tip.size for tip in held.tips()] == [9, 5]
    with pytest.raises(NotCosignedError, match="known"):
        held.add(write_request(0, [], Grown(log=Signer("third.example", ED25519, bytes(32))).note(1)))


def test_an_empty_log_is_cosigned_and_has_one_root(tmp_path: Path) -> None:
    held = cosigner(tmp_path)
    held.add(HONEST.request(0, 0))
    text = Checkpoint(LOG.name, 0, bytes(32)).text()
    with pytest.raises(NotCosignedError) as refused:
        held.add(write_request(0, [], unsigned(text)))
    assert refused.value.status == HTTPStatus.UNPROCESSABLE_ENTITY


def test_callers_at_once_are_given_one_history(port: int) -> None:
    bodies = [each.request(0, size) for each in (HONEST, FORKED) for size in range(7, 23)]
    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(lambda body: post(port, body), bodies))
    assert sorted(each.status for each in told) == [200] + [409] * 31
    assert len({each.body for each in told if each.status == HTTPStatus.CONFLICT}) == 1


def test_a_connection_is_kept_for_the_next_request(port: int) -> None:
    called = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for old, size in ((0, 3), (1, 3), (3, 9)):
        called.request("POST", PATH, HONEST.request(old, size))
        answer = called.getresponse()
        assert (answer.status, len(answer.read()) > 1) == (409 if old == 1 else 200, True)
    called.request("GET", "/healthz")
    assert called.getresponse().read() == b'{"alive": true, "reasons": []}'
    called.request("GET", "/metrics")
    assert b"reviewsvc_witness_answers_total" in called.getresponse().read()
    called.close()


def test_other_paths_and_bodies_of_no_length_are_refused(port: int) -> None:
    assert post(port, b"", "/add-chain").status == HTTPStatus.NOT_FOUND
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 411 ")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        raw.sendall(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 00000000009999999999\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_state_that_cannot_be_written_or_is_gone_cosigns_nothing(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(owned_files, "replace", full)
        told = post(port, HONEST.request(0, 3))
    assert (told.status, "—" in told.body) == (500, False)
    good = (tmp_path / "state").read_bytes()
    for half in (b"", good[:9], good[:-2]):
        (tmp_path / "state").write_bytes(half)
        assert post(port, HONEST.request(0, 3)).status == HTTPStatus.INTERNAL_SERVER_ERROR
    (tmp_path / "state").unlink()
    assert post(port, HONEST.request(0, 3)).status == HTTPStatus.INTERNAL_SERVER_ERROR
    called = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    called.request("GET", "/readyz")
    answer = called.getresponse()
    assert (answer.status, b"witness keys NAME --new-state" in answer.read()) == (503, True)
    called.close()
    with pytest.raises(SigningError, match="put it back"):
        cosigner(tmp_path).tips()


def test_keys_that_cosign_and_keys_that_sign_are_told_apart(tmp_path: Path) -> None:
    make_log_key(tmp_path / "other", NAME)
    with pytest.raises(SigningKeyError, match="do not cosign"):
        Cosigner(tmp_path / "other", tmp_path / "state", [LOG.verifier()])
    text = f"# ours\n\n{LOG.verifier().text()}\n{STRANGER.verifier().text()}\n"
    assert [each.name for each in log_keys(text)] == [LOG.name, STRANGER.name]
    for wrong in ("", "# none\n", "nonsense", Signer("w", COSIGNATURE, bytes(32)).verifier().text()):
        with pytest.raises(NoteError):
            log_keys(wrong)


def test_a_taken_port_is_said(port: int, tmp_path: Path) -> None:
    with pytest.raises(WitnessError, match="REVIEWSVC_PORT"), served(cosigner(tmp_path), "127.0.0.1", port):
        pass


VICTIM = """
import os, signal, sys
from pathlib import Path
from reviewsvc.crypto import cosigner
from tests.unit.test_witness import HONEST, cosigner as make
held = make(Path(sys.argv[1]))
held.add(HONEST.request(0, 3))
cosigner.Cosigner._lines = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
held.add(HONEST.request(3, 20))
"""


def test_killed_between_memory_and_answer_it_signs_no_other_history(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", VICTIM, str(tmp_path)], check=False, env=os.environ)
    assert ended.returncode == -signal.SIGKILL
    held = cosigner(tmp_path)
    assert held.tips() == [Tip(LOG.name, 20, HONEST.root(20).hex())]
    for wrong in (
        FORKED.request(3, 20),
        FORKED.request(20, 20),
        HONEST.request(3, 10),
        FORKED.request(20, 30),
    ):
        with pytest.raises(NotCosignedError):
            held.add(wrong)
    assert held.add(HONEST.request(20, 20))
    assert held.add(HONEST.request(20, 30))


class Witnessing(RuleBasedStateMachine):
    """Whoever asks for what, and whenever it is started anew: what it cosigned is one history."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._held = cosigner(Path(self._folder.name))
        self._cosigned: dict[int, bytes] = {}
        self._last = 0

    @rule(
        tree=st.sampled_from([HONEST, FORKED]),
        old=st.integers(0, len(LEAVES)) | st.none(),
        size=st.integers(0, len(LEAVES)),
        mangled=st.booleans(),
    )
    def ask(self, tree: Grown, old: int | None, size: int, *, mangled: bool) -> None:
        at = self._last if old is None else old
        asked = parse_request(tree.request(at, size))
        proof = [*asked.proof[::-1], *asked.proof[:1]] if mangled else asked.proof
        try:
            self._held.add(write_request(at, proof, tree.note(size)))
        except NotCosignedError:
            return
        assert at == self._last <= size
        assert self._cosigned.setdefault(size, tree.root(size)) == tree.root(size)
        self._last = size

    @rule()
    def restart(self) -> None:
        self._held = cosigner(Path(self._folder.name))

    @invariant()
    def is_one_history(self) -> None:
        trees = [
            tree
            for tree in (HONEST, FORKED)
            if all(tree.root(size) == root for size, root in self._cosigned.items())
        ]
        assert trees
        assert self._held.tips()[0].size == self._last

    def teardown(self) -> None:
        self._folder.cleanup()


TestWitnessing = Witnessing.TestCase
TestWitnessing.settings = settings(max_examples=40, stateful_step_count=12, deadline=None)
