from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from reviewsvc.crypto.envelope import EnvelopeError
from reviewsvc.crypto.kek import Kek, KekError
from reviewsvc.db import generation, logs
from reviewsvc.db import tables as t
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.entries import Entry, parse
from reviewsvc.domain.facts import Access
from reviewsvc.domain.moments import microseconds
from reviewsvc.usecases.installation import (
    Installation,
    NotInstalledError,
    OriginError,
    open_installation,
)
from reviewsvc.usecases.keyring import KeyGoneError, Keyring, PayloadGoneError

pytestmark = pytest.mark.real

AT = datetime(2026, 11, 21, 9, tzinfo=UTC)
ORIGIN = "audit.example.org"
KEK = Kek(bytes(range(32)))


@pytest.fixture
def sessions(database_url: str) -> Iterator[Sessions]:
    made = Sessions(database_url, "web", size=6)
    yield made
    made.close()


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(KEK)


@pytest.fixture
def installation(sessions: Sessions, keyring: Keyring) -> Installation:
    return open_installation(sessions, keyring, ORIGIN, AT)


def sealed_entry(sessions: Sessions, keyring: Keyring, log_id: int, payload: bytes) -> Entry:
    with sessions.begin() as session:
        sealed = keyring.seal_for_day(session, log_id, microseconds(AT), payload)
        heads = logs.lock_heads(session, [log_id])
        clock = microseconds(AT)
        place = logs.append(session, heads[log_id], "access", Access("test"), clock=clock, payload=sealed)
        logs.save_heads(session, heads)
        return parse(logs.one(session, log_id, place.seq))


def test_many_first_starts_make_one_installation(sessions: Sessions) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: open_installation(sessions, Keyring(KEK), ORIGIN, AT), range(6)))
    assert len(set(found)) == 1
    assert len(found[0].activity_log_ids) == 4
    with sessions.begin() as session:
        kinds = [parse(body).kind for _, body in logs.read(session, found[0].activity_log_ids[0], -1, 99)]
        assert session.scalars(sa.select(sa.func.count()).select_from(t.log)).one() == 5
    assert kinds == ["opened", *["key_made"] * 4]


def test_another_origin_is_refused(sessions: Sessions, keyring: Keyring, installation: Installation) -> None:
    assert installation.origin == ORIGIN
    with pytest.raises(OriginError, match=f"REVIEWSVC_ORIGIN={ORIGIN}"):
        open_installation(sessions, keyring, "elsewhere.example.org", AT)


def test_a_later_start_makes_the_months_that_lack(
    sessions: Sessions, keyring: Keyring, installation: Installation
) -> None:
    assert open_installation(sessions, keyring, ORIGIN, datetime(2027, 1, 31, 23, tzinfo=UTC)) == installation
    with sessions.begin() as session:
        for month in ("202611", "202612", "202701", "202702"):
            assert session.scalar(sa.select(sa.func.to_regclass(f"payload_c0_{month}"))) is not None
            assert session.scalar(sa.select(sa.func.to_regclass(f"prediction_c0_{month}"))) is not None


def test_a_payload_opens_to_what_was_sealed(
    sessions: Sessions, keyring: Keyring, installation: Installation
) -> None:
    entry = sealed_entry(sessions, keyring, installation.activity_log_ids[1], b'{"note":"x"}')
    with sessions.begin() as session:
        assert Keyring(KEK).open_payload(session, entry) == b'{"note":"x"}'
        stored = bytes(session.scalars(sa.select(t.payload.c.ciphertext)).one())
    assert entry.payload is not None
    assert entry.payload.size == 12
    assert b"note" not in stored


def test_a_destroyed_key_is_not_used_from_memory_once_the_generation_moved_on(
    sessions: Sessions, keyring: Keyring, installation: Installation, owner_url: str
) -> None:
    entry = sealed_entry(sessions, keyring, installation.activity_log_ids[1], b"{}")
    engine = sa.create_engine(owner_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sa.delete(t.data_key))
    engine.dispose()
    with sessions.begin() as session:
        generation.bump(session)
    # Its payload is still stored: it is the key that is gone, not the payload with its time.
    with sessions.begin() as session, pytest.raises(KeyGoneError):
        keyring.open_payload(session, entry)


def test_a_payload_that_is_not_stored_any_more_is_said_to_be_gone(
    sessions: Sessions, keyring: Keyring, installation: Installation, owner_url: str
) -> None:
    entry = sealed_entry(sessions, keyring, installation.activity_log_ids[1], b"{}")
    engine = sa.create_engine(owner_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sa.delete(t.payload))
    engine.dispose()
    with sessions.begin() as session, pytest.raises(PayloadGoneError):
        keyring.open_payload(session, entry)


def test_a_payload_of_another_entry_is_refused(
    sessions: Sessions, keyring: Keyring, installation: Installation, owner_url: str
) -> None:
    log_id = installation.activity_log_ids[1]
    first = sealed_entry(sessions, keyring, log_id, b'{"answer":1}')
    second = sealed_entry(sessions, keyring, log_id, b'{"answer":2}')
    engine = sa.create_engine(owner_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        other = sa.select(t.payload.c.ciphertext).where(t.payload.c.seq == first.seq).scalar_subquery()
        connection.execute(sa.update(t.payload).values(ciphertext=other).where(t.payload.c.seq == second.seq))
    engine.dispose()
    with sessions.begin() as session, pytest.raises(EnvelopeError, match="commits"):
        keyring.open_payload(session, second)


def test_another_kek_opens_nothing(sessions: Sessions, installation: Installation) -> None:
    assert installation
    with sessions.begin() as session, pytest.raises(KekError):
        Keyring(Kek(bytes(32))).hash_key(session, "login")


def test_the_relay_opens_an_installation_without_writing(
    database_url: str, keyring: Keyring, installation: Installation
) -> None:
    relay = Sessions(database_url, "relay")
    assert open_installation(relay, keyring, ORIGIN, datetime(2027, 5, 1, tzinfo=UTC)) == installation
    relay.close()


def test_a_reader_that_comes_first_says_what_to_start(database_url: str, keyring: Keyring) -> None:
    relay = Sessions(database_url, "relay")
    with pytest.raises(NotInstalledError, match="start `web`"):
        open_installation(relay, keyring, ORIGIN, AT)
    relay.close()
