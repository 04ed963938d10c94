"""Clocks that went back: nothing stops until they have caught up, and no key seems to be used too late."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from reviewsvc.crypto import signing_keys as files
from reviewsvc.crypto.notes import parse_verifier
from reviewsvc.db.hot.connection import connect
from reviewsvc.domain import facts as f
from reviewsvc.domain.moments import microseconds
from reviewsvc.domain.verdict import Verdict
from reviewsvc.usecases import siem, signing_keys
from reviewsvc.usecases.activity import Said, record, secrets
from reviewsvc.usecases.anchor_choice import Choice, chosen
from reviewsvc.usecases.anchoring import Anchorer
from reviewsvc.usecases.outside_view import Outside
from reviewsvc.usecases.steps import Step, months_step
from reviewsvc.usecases.turns import Turns
from reviewsvc.usecases.verification import verify
from tests.fixtures.cases import event
from tests.fixtures.installed import AT, SYSTEM
from tests.fixtures.sealed import SealedBank
from tests.fixtures.service import Clock

pytestmark = pytest.mark.real
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def test_the_workers_steps_go_on_at_once_when_the_clock_went_back(signed: SealedBank) -> None:
    clock, done = Clock(AT), list[datetime]()

    def run(at: datetime) -> int:
        done.append(at)
        return 0

    worker = Turns(signed.sessions, [Step("test", 99, MINUTE, run)], clock)
    for clock.at in (AT, AT - HOUR, AT - HOUR + SECOND, AT - HOUR + MINUTE):
        worker.turn()
    assert done == [AT, AT - HOUR, AT - HOUR + MINUTE]


def test_anchors_and_receivers_are_not_left_alone_until_the_clock_has_caught_up(
    signed: SealedBank, tmp_path: Path
) -> None:
    made = Anchorer(signed.sessions, signed.bank.house.keyring, *chosen(Choice(folder=str(tmp_path))))
    signed.seal()
    assert made.step(AT) == 1
    signed.bank.person("anna")
    signed.seal(AT - HOUR)
    assert made.step(AT - HOUR) == 1
    tried = list[datetime]()

    class Away:
        name = "away"

        def send(self, _events: object) -> None:
            tried.append(clock.at)
            raise OSError("no route")

    clock, stream = Clock(AT), siem.Stream(signed.sessions, [Away()])
    for clock.at in (AT, AT + SECOND / 2, AT - HOUR, AT - HOUR + SECOND):
        stream.step(clock.at)
    assert tried == [AT, AT - HOUR]


def test_a_key_that_was_changed_before_the_clock_went_back_signs_and_verifies(signed: SealedBank) -> None:
    signed.seal(AT)
    files.add(signed.key_file)
    new = signed.vkeys()[1]
    announced = AT + HOUR
    signed.announce(new, at=announced)
    signed.seal(announced + MINUTE)
    signed.bank.capture([event("p-1")])
    signed.seal(AT - MINUTE)
    assert signed.opened("root/0", signed.logs()["root/0"].note, key=1)
    files.add(signed.key_file)
    signed.announce(signed.vkeys()[2], at=AT - MINUTE)
    signed.bank.capture([event("p-2")])
    signed.seal(AT - MINUTE + SECOND)
    keys = [parse_verifier(vkey) for vkey in signed.vkeys()]
    with connect(signed.bank.database_url, "read") as conn:
        report = verify(conn, outside=Outside(keys))
    assert (report.verdict, report.findings) == (Verdict.VERIFIED, [])
    keyring, last = signed.bank.house.keyring, signed.vkeys()[2]
    ended = signing_keys.end(signed.sessions, keyring, last, until=AT, actor=SYSTEM, at=AT)
    with connect(signed.bank.database_url, "read") as conn:
        assert verify(conn, outside=Outside(keys)).findings == []
    assert ended.valid_until is not None
    assert ended.valid_until > microseconds(announced)


def test_what_a_clock_that_ran_ahead_wrote_keeps_nobody_from_writing_when_it_is_right_again(
    signed: SealedBank,
) -> None:
    keyring, far = signed.bank.house.keyring, AT + timedelta(days=100)

    def say(at: datetime, **secret: str) -> None:
        with signed.sessions.begin() as session:
            facts = f.Verification("new", "VERIFIED", 1, 0, None, None)
            one = Said("verification", facts, secrets(**secret) if secret else None, about=f.VERIFICATIONS)
            record(session, keyring, [one], actor=None, at=at)

    say(far)
    months_step(signed.sessions, at=AT)
    say(AT, note="as the file says")
    signed.bank.capture([event("p-1")])
    signed.seal(AT)
    with connect(signed.bank.database_url, "read") as conn:
        assert verify(conn).findings == []
