"""The worker verifies what is new each minute and everything each night, and says so once."""

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from msgspec.json import decode

from reviewsvc.crypto.notes import parse_verifier
from reviewsvc.db import logs
from reviewsvc.db import tables as t
from reviewsvc.domain.entries import parse
from reviewsvc.usecases.verifying import NotVerifiedError, Told, Verifying, night_has_passed
from tests.fixtures.cases import event
from tests.fixtures.installed import AT
from tests.fixtures.sealed import SealedBank

pytestmark = pytest.mark.real
MINUTE = timedelta(minutes=1)
VERIFICATIONS = t.activity.c.kind == "verification"


def said(held: SealedBank) -> int:
    query = sa.select(sa.func.count()).where(t.activity.c.kind == "verification")
    amount: int = held.bank.rows(query)[0][0]
    return amount


def test_what_is_new_is_verified_and_said_once_and_a_fault_is_an_alarm(
    signed: SealedBank, owner_url: str, tmp_path: Path
) -> None:
    keys = [parse_verifier(vkey) for vkey in signed.vkeys()]
    told = Told(keys, signed.signer.tips, tmp_path / "verified.json")
    verifying = Verifying(signed.sessions, signed.bank.house.keyring, signed.bank.database_url, told)
    signed.bank.capture([event(f"p-{n}", subject=None) for n in range(5)])
    signed.seal()
    verifying.step(AT)
    assert said(signed) == 1
    for minute in (1, 2):
        signed.seal(AT + minute * MINUTE)
        verifying.step(AT + minute * MINUTE)
    assert said(signed) == 1
    signed.bank.capture([event("p-6", subject=None)])
    signed.seal(AT + 3 * MINUTE)
    verifying.step(AT + 3 * MINUTE)
    assert said(signed) == 2
    with psycopg.connect(owner_url) as conn:
        conn.execute("SET LOCAL session_replication_role = replica")
        conn.execute("UPDATE checkpoint SET at = at + 1 WHERE root_seq = 1")
    for night in (1, 2):
        with pytest.raises(NotVerifiedError, match="differs in at"):
            verifying.step(AT.replace(hour=2) + timedelta(days=night + 1))
    assert said(signed) == 3


def test_what_was_found_stays_an_alarm_until_it_is_verified_without_it(
    signed: SealedBank, owner_url: str, tmp_path: Path
) -> None:
    told = Told([parse_verifier(vkey) for vkey in signed.vkeys()], None, tmp_path / "verified.json")
    verifying = Verifying(signed.sessions, signed.bank.house.keyring, signed.bank.database_url, told)
    assert [verifying.step(AT), said(signed)] == [0, 0], "before the first seal there is nothing to say"
    signed.bank.capture([event("p-1", subject=None)])
    signed.seal(AT + MINUTE)
    with psycopg.connect(owner_url) as conn:
        conn.execute("SET LOCAL session_replication_role = replica")
        conn.execute("UPDATE checkpoint SET at = at + 1 WHERE root_seq = 1")
    for minute in (2, 3, 4):
        with pytest.raises(NotVerifiedError, match="differs in at"):
            verifying.step(AT + minute * MINUTE)
    assert said(signed) == 1
    with psycopg.connect(owner_url) as conn:
        conn.execute("SET LOCAL session_replication_role = replica")
        conn.execute("UPDATE checkpoint SET at = at - 1 WHERE root_seq = 1")
    assert verifying.step(AT + 13 * MINUTE) == 0
    signed.bank.capture([event("p-2", subject=None)])
    signed.seal(AT + 14 * MINUTE)
    assert [verifying.step(AT + 14 * MINUTE), said(signed)] == [0, 3]


def test_who_starts_again_the_same_day_verifies_what_is_new_alone(
    signed: SealedBank, owner_url: str, tmp_path: Path
) -> None:
    keys = [parse_verifier(vkey) for vkey in signed.vkeys()]
    told = Told(keys, signed.signer.tips, tmp_path / "verified.json")

    def start(at: datetime) -> list[str]:
        """Start a worker, let it verify, and return of what, of all that was said so far."""
        Verifying(signed.sessions, signed.bank.house.keyring, signed.bank.database_url, told).step(at)
        rows = signed.bank.rows(sa.select(t.activity.c.log_id, t.activity.c.seq).where(VERIFICATIONS))
        with signed.sessions.begin() as session:
            bodies = [logs.one(session, row.log_id, row.seq) for row in rows]
        return [decode(parse(body).facts)["what"] for body in bodies]

    signed.bank.capture([event("p-1", subject=None)])
    signed.seal()
    noon = AT.replace(hour=12)
    assert start(noon) == ["all"]
    assert start(noon + MINUTE) == ["all"]
    signed.bank.capture([event("p-2", subject=None)])
    signed.seal(noon + MINUTE)
    assert start(noon + 2 * MINUTE) == ["all", "new"]
    night = noon + timedelta(hours=13)
    assert start(night) == ["all", "new", "all"]
    told.memory.unlink()
    assert start(night + MINUTE) == ["all", "new", "all", "all"]
    flip = "UPDATE checkpoint SET at = at {} 1 WHERE root_seq = 1"
    for sign in "+-":
        with psycopg.connect(owner_url) as conn:
            conn.execute("SET LOCAL session_replication_role = replica")
            conn.execute(flip.format(sign))
        with suppress(NotVerifiedError):
            start(night + timedelta(days=1))
    assert start(night + timedelta(days=1)) == ["all", "new", *["all"] * 4]


def test_a_night_is_over_once_in_a_day_whatever_the_clock_does() -> None:
    night = AT.replace(hour=1, minute=0, second=0, microsecond=0)
    hour = timedelta(hours=1)
    assert night_has_passed(None, night)
    assert night_has_passed(night + 7 * hour, night), "the clock was set back"
    for last, at, is_due in (
        (night - 7 * hour, night - MINUTE, False),
        (night - 7 * hour, night, True),
        (night - hour, night + 9 * hour, False),
        (night + hour, night, False),
        (night - hour, night + 24 * hour, True),
        (night, night + 23 * hour, False),
        (night + 12 * hour, night + 24 * hour, True),
        (night - 72 * hour, night + 12 * hour, True),
    ):
        assert night_has_passed(last, at) == is_due, (last, at)
