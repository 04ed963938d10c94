"""With the KEK every payload whose key exists is opened, and held against what its entry commits to."""

import pytest
from msgspec.json import decode

from reviewsvc.crypto.kek import KEY_BYTES
from reviewsvc.domain.entries import Entry
from reviewsvc.domain.verdict import Report, Verdict
from reviewsvc.usecases.payload_check import KekSource
from reviewsvc.usecases.verification import verify
from tests.fixtures.installed import KEK_BYTES
from tests.integration.history import PREDICTIONS
from tests.tamper.forger import Forger
from tests.tamper.installation import Installation

pytestmark = pytest.mark.real

SHUT, OPEN, STRANGE = None, KekSource(text=KEK_BYTES.hex()), KekSource(text=(b"\x09" * KEY_BYTES).hex())
EXCHANGED_KEYS = (
    "UPDATE keys.data_key d SET wrapped = o.wrapped FROM keys.data_key o "
    "WHERE d.key_id = (SELECT min(key_id::text)::bytea FROM keys.data_key WHERE subject IS NOT NULL) "
    "AND o.key_id = (SELECT max(key_id::text)::bytea FROM keys.data_key WHERE subject IS NOT NULL)"
)


def judged(sealed: Installation, held: Forger, keks: KekSource | None) -> Report:
    return verify(held.conn, outside=sealed.outside()._replace(keks=keks))


def test_payloads_that_nobody_touched_open_to_what_was_said(sealed: Installation) -> None:
    with sealed.cheated() as held:
        report = judged(sealed, held, OPEN)
        assert (report.findings, report.verdict) == ([], Verdict.VERIFIED)


def test_keys_that_were_exchanged_are_seen_by_whoever_opens_the_payloads(sealed: Installation) -> None:
    with sealed.cheated() as held:
        held.run(EXCHANGED_KEYS)
        assert judged(sealed, held, SHUT).verdict == Verdict.VERIFIED
        report = judged(sealed, held, OPEN)
        assert report.verdict == Verdict.TAMPERED
        assert {one.what for one in report.findings} == {"the stored payload does not open with its key"}


def test_a_commitment_to_something_else_is_seen(sealed: Installation) -> None:
    with sealed.cheated() as held:
        last = len(held.bodies(PREDICTIONS)) - 1
        payload = decode(held.bodies(PREDICTIONS)[last], type=Entry).payload
        assert payload is not None
        held.edit(PREDICTIONS, last, payload.commit.encode(), payload.commit[::-1].encode())
        told = [(one.seq, one.what) for one in judged(sealed, held, OPEN).findings]
        assert (last, "the stored payload opens, but not to what its entry commits to") in told


def test_with_another_kek_it_is_incomplete_and_says_which_is_needed(sealed: Installation) -> None:
    with sealed.cheated() as held:
        report = judged(sealed, held, STRANGE)
        assert report.verdict == Verdict.INCOMPLETE
        assert "which was not given" in report.findings[0].what
