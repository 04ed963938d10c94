"""Receipts: small, quick, and verified by programs that have never seen the service."""

import time
from pathlib import Path

import pytest

from reviewsvc import verify
from reviewsvc.db.sessions import Sessions
from reviewsvc.usecases.receipts import NotSealedError, Prover, Receipt, of_prediction
from reviewsvc.usecases.sent_ids import NotCapturedError, Sent, SeveralSourcesError
from tests.fixtures.bundled import alone, verifier_keys
from tests.fixtures.cases import TOPIC, event
from tests.fixtures.sealed import SealedBank

pytestmark = pytest.mark.real
CAPTURED = f"predictions/{TOPIC}/0/0"


def receipt(held: SealedBank, prediction_id: str, source: str | None = None) -> Receipt:
    house = held.bank.house
    return of_prediction(house.sessions, house.keyring, Prover(), Sent("loans", prediction_id, source))


def test_a_receipt_leads_from_the_entry_to_the_root_and_is_small(signed: SealedBank, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        signed.bank.capture([event(f"{name}-{number}") for number in range(300)])
        signed.seal()
    made = receipt(signed, "b-17")
    assert len(made.tlog_proof) <= 2048
    assert len(made.text()) <= 6 * 1024
    (tmp_path / "b-17.receipt").write_bytes(made.text())
    keys = verifier_keys(signed, tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    code, told = alone(outside, "--keys", str(keys), str(tmp_path / "b-17.receipt"))
    assert (code, told.splitlines()[0]) == (0, "VERIFIED")
    assert f"prediction: entry {made.seq} of audit.example.org/{CAPTURED}" in told
    assert alone(outside, str(tmp_path / "b-17.receipt"))[0] == 2
    assert alone(outside, "--keys", str(keys), str(keys))[0] == 3


def test_a_changed_byte_of_a_receipt_is_told(signed: SealedBank, tmp_path: Path) -> None:
    signed.bank.capture([event("a")])
    signed.seal()
    text = receipt(signed, "a").text()
    keys = [verify.parse_key(line) for line in verifier_keys(signed, tmp_path).read_text().splitlines()]
    path = tmp_path / "a.receipt"
    for at in range(1, len(text), 7):
        path.write_bytes(text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :])
        report = verify.verify(path, keys)
        assert (report["verdict"], len(report["findings"])) == ("TAMPERED", 1), at
    half = text[: text.index(b"\n{") + 1]
    path.write_bytes(half)
    assert verify.verify(path, keys)["verdict"] == "VERIFIED"
    policy = verify.Policy(b"quorum none\n")
    assert verify.verify(path, keys, policy)["verdict"] == "INCOMPLETE"


def test_a_receipt_with_the_root_of_another_log_is_told(signed: SealedBank, tmp_path: Path) -> None:
    signed.bank.capture([event("a")])
    signed.seal()
    mine = receipt(signed, "a")
    with signed.sessions.begin() as session:
        other = Prover().receipt(Sessions.psycopg(session), "labels/loans/0", 0)
    path = tmp_path / "mixed.receipt"
    path.write_bytes(mine._replace(root=other.root).text())
    keys = [verify.parse_key(line) for line in verifier_keys(signed, tmp_path).read_text().splitlines()]
    report = verify.verify(path, keys)
    assert report["verdict"] == "TAMPERED"
    assert "does not seal" in report["findings"][0]["what"]


def test_no_receipt_goes_beyond_what_is_signed(signed: SealedBank) -> None:
    signed.seal()
    signed.bank.capture([event("a")])
    with pytest.raises(NotSealedError):
        receipt(signed, "a")
    with pytest.raises(NotCapturedError):
        receipt(signed, "b")


def test_a_prediction_of_several_sources_needs_one_named(signed: SealedBank) -> None:
    for source in ("/one", "/two"):
        signed.bank.capture([event("a")], headers=_binary(source))
    signed.seal()
    with pytest.raises(SeveralSourcesError):
        receipt(signed, "a")
    assert receipt(signed, "a", "/one").seq == 1


def _binary(source: str) -> tuple[tuple[str, bytes | None], ...]:
    told = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": source, "ce_type": "prediction"}
    return tuple((name, text.encode()) for name, text in told.items())


def test_a_proof_takes_less_than_a_millisecond_once_tiles_are_at_hand(signed: SealedBank) -> None:
    signed.bank.capture([event(f"p-{number}", subject=None) for number in range(2_000)])
    signed.seal()
    prover = Prover()
    log = signed.logs()[CAPTURED]
    with signed.sessions.begin() as session:
        conn = Sessions.psycopg(session)
        for seq in range(0, 2_000, 50):
            prover.hashes(conn, log, seq)
        took = []
        for seq in range(0, 2_000, 7):
            began = time.perf_counter()
            assert len(prover.hashes(conn, log, seq)) <= 11
            took.append(time.perf_counter() - began)
    assert sorted(took)[len(took) // 2] < 0.001
