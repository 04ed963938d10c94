import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc.crypto import time_stamps
from reviewsvc.crypto.der_order import with_sorted_certificates
from reviewsvc.crypto.time_stamps import Question, TimeStampError
from reviewsvc.domain.anchoring import UNPROVED, UNREACHABLE, AnchorError, Head
from reviewsvc.usecases.anchor_choice import Choice, chosen
from tests.fixtures.stamping import Answer, authority, make_authority
from tests.fixtures.tlog_trees import HONEST, LOG

pytestmark = pytest.mark.unit

HEAD = Head("root/0", LOG.name, 20, HONEST.root(20), HONEST.note(20), lambda _: [])


def test_a_checkpoint_is_stamped_and_openssl_says_the_same(tmp_path: Path) -> None:
    with authority(tmp_path / "tsa") as held:
        (anchor,), _ = chosen(Choice(tsa_url=held.url, tsa_ca_file=str(held.ca_file)))
        kept = anchor.keep(HEAD, 0)
    assert kept.evidence is not None
    roots = time_stamps.roots_in(held.ca_file)
    assert time_stamps.check(HEAD.note.encode(), kept.evidence, roots).year >= 2026
    (tmp_path / "a.checkpoint").write_text(HEAD.note)
    (tmp_path / "a.tsr").write_bytes(kept.evidence)
    words = ["-in", "a.tsr", "-data", "a.checkpoint", "-CAfile", str(held.ca_file)]
    told = subprocess.run(
        ["openssl", "ts", "-verify", *words], cwd=tmp_path, capture_output=True, check=False
    )
    assert told.stdout.strip() == b"Verification: OK", told.stderr


TWISTS: dict[str, Callable[[Answer, bytes], bytes]] = {
    "for another hash": lambda reply, _: reply(Question(b"something else").encode()),
    "for the same hash, asked before": lambda reply, _: reply(Question(HEAD.note.encode()).encode()),
    "that was changed": lambda reply, asked: _flipped(reply(asked)),
    "cut off": lambda reply, asked: reply(asked)[:-40],
    "empty": lambda *_: b"",
    "no time stamp": lambda *_: b"<html>no</html>",
}


def _flipped(answer: bytes) -> bytes:
    return answer[:-20] + bytes([answer[-20] ^ 1]) + answer[-19:]


@pytest.mark.parametrize("case", TWISTS)
def test_an_answer_that_does_not_hold_is_refused_and_said(tmp_path: Path, case: str) -> None:
    with authority(tmp_path / "tsa", TWISTS[case]) as held:
        (anchor,), _ = chosen(Choice(tsa_url=held.url, tsa_ca_file=str(held.ca_file)))
        with pytest.raises(AnchorError, match="time stamp") as error:
            anchor.keep(HEAD, 0)
    assert error.value.outcome == UNPROVED


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_an_answer_with_any_byte_changed_holds_or_is_refused_in_words(tmp_path: Path) -> None:
    question = Question(b"bytes")
    answer = make_authority(tmp_path)(question.encode())
    roots = time_stamps.roots_in(tmp_path / "ca.pem")
    refused = 0
    for at in range(len(answer)):
        for by in (0x01, 0x80, 0xFF):
            changed = answer[:at] + bytes([answer[at] ^ by]) + answer[at + 1 :]
            try:
                question.check(changed, roots)
            except TimeStampError:
                refused += 1
            with suppress(TimeStampError):
                time_stamps.imprinted(b"bytes", changed)
    assert refused > len(answer)


def test_another_authoritys_stamp_does_not_hold(tmp_path: Path) -> None:
    reply = make_authority(tmp_path / "one")
    make_authority(tmp_path / "other")
    question = Question(b"bytes")
    answer = reply(question.encode())
    assert question.check(answer, time_stamps.roots_in(tmp_path / "one" / "ca.pem"))
    with pytest.raises(TimeStampError):
        question.check(answer, time_stamps.roots_in(tmp_path / "other" / "ca.pem"))
    with pytest.raises(TimeStampError, match="no certificate"):
        time_stamps.roots_in(tmp_path / "one" / "tsa.key")


def test_an_authority_that_is_away_is_unreachable(tmp_path: Path) -> None:
    make_authority(tmp_path / "tsa")
    choice = Choice(tsa_url="http://127.0.0.1:9/", tsa_ca_file=str(tmp_path / "tsa" / "ca.pem"))
    with pytest.raises(AnchorError) as error:
        chosen(choice)[0][0].keep(HEAD, 0)
    assert error.value.outcome == UNREACHABLE


def test_certificates_that_stand_in_another_order_hold_and_no_byte_is_lost(tmp_path: Path) -> None:
    reply = make_authority(tmp_path / "tsa")
    question = Question(b"bytes")
    answer = reply(question.encode())
    told = with_sorted_certificates(answer)
    assert (told != answer, with_sorted_certificates(told)) == (True, told)
    assert sorted(told) == sorted(answer)
    for each in (answer, told):
        assert question.check(each, time_stamps.roots_in(tmp_path / "tsa" / "ca.pem"))


@given(st.binary(max_size=60))
def test_bytes_of_another_form_stay_as_they_are(data: bytes) -> None:
    assert len(with_sorted_certificates(data)) == len(data)
