import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg
import pytest
import sqlalchemy as sa

from reviewsvc.db import installations, logs
from reviewsvc.db import tables as t
from reviewsvc.db.sessions import RoleError, Sessions
from reviewsvc.domain.entries import ZERO_HASH, Actor, leaf_hash, parse
from reviewsvc.domain.facts import Person

pytestmark = pytest.mark.real

AT = datetime(2026, 11, 21, 9, tzinfo=UTC)
CLOCK = 1_000_000
NOT_OURS = re.compile(r"_c?\d+(_\d{6})?$|^alembic_version$")
DIALECT = sa.make_url("postgresql+psycopg://").get_dialect()()
ACTOR = Actor("person", "01")


@pytest.fixture
def sessions(database_url: str) -> Iterator[Sessions]:
    made = Sessions(database_url, "web", size=8)
    with made.begin() as session:
        installations.add(session, origin="audit.example.org", opened_at=AT, activity_logs=1)
    yield made
    made.close()


@pytest.fixture
def log_id(sessions: Sessions) -> int:
    with sessions.begin() as session:
        return logs.create(session, "activity", 0, clock=CLOCK, why="first start")


def write(sessions: Sessions, log_id: int, clock: int) -> None:
    with sessions.begin() as session:
        heads = logs.lock_heads(session, [log_id])
        logs.append(session, heads[log_id], "granted", Person(f"{clock:032x}"), clock=clock, actor=ACTOR)
        logs.save_heads(session, heads)


def test_tables_are_as_the_database_has_them(owner_url: str) -> None:
    engine = sa.create_engine(owner_url.replace("postgresql://", "postgresql+psycopg://"))
    found = sa.MetaData()
    for schema in (None, "keys"):
        found.reflect(engine, schema=schema, views=False)
    engine.dispose()
    ours = {table.key: shape(table) for table in t.metadata.tables.values()}
    theirs = {table.key: shape(table) for table in found.tables.values() if not NOT_OURS.search(table.key)}
    assert ours == theirs


def shape(table: sa.Table) -> dict[str, tuple[str, bool, bool]]:
    return {
        column.name: (column.type.compile(DIALECT), bool(column.nullable), column.primary_key)
        for column in table.c
    }


def test_entries_of_many_writers_form_one_chain(sessions: Sessions, log_id: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: write(sessions, log_id, CLOCK + n % 7), range(40)))
    with sessions.begin() as session:
        stored = logs.read(session, log_id, after_seq=-1, limit=100)
        heads = logs.lock_heads(session, [log_id])
        rows = session.scalar(sa.select(sa.func.count()).select_from(t.activity))
    previous, at = ZERO_HASH, 0
    for place, (seq, body) in enumerate(stored):
        entry = parse(body)
        assert (seq, entry.seq, entry.prev) == (place, place, previous.hex())
        assert entry.at >= at
        previous, at = leaf_hash(body), entry.at
    assert len(stored) == rows == 41
    assert (heads[log_id].size, heads[log_id].last_hash, heads[log_id].last_at) == (41, previous, at)


def test_an_entry_names_its_log_its_actor_and_the_facts(sessions: Sessions, log_id: int) -> None:
    write(sessions, log_id, CLOCK)
    with sessions.begin() as session:
        entry = parse(logs.one(session, log_id, 1))
        row = session.execute(sa.select(t.activity).where(t.activity.c.seq == 1)).one()
    assert (entry.log, entry.kind, entry.actor) == ("audit.example.org/activity/0/0", "granted", ACTOR)
    assert (row.actor, row.object, row.kind) == ("person:01", f"person:{CLOCK:032x}", "granted")


def test_a_head_that_somebody_moved_is_refused(sessions: Sessions, log_id: int) -> None:
    with sessions.begin() as session:
        heads = logs.lock_heads(session, [log_id])
        session.execute(sa.update(t.head).values(last_hash=bytes(31) + b"1"))
        logs.append(session, heads[log_id], "granted", Person("01"), clock=CLOCK)
        with pytest.raises(logs.HeadMovedError):
            logs.save_heads(session, heads)
        session.rollback()
    with sessions.begin() as session:
        assert len(logs.read(session, log_id, after_seq=-1, limit=9)) == 1


def test_a_frozen_log_takes_no_entries(sessions: Sessions, log_id: int) -> None:
    with sessions.begin() as session:
        session.execute(sa.update(t.head).values(frozen=True))
    with pytest.raises(logs.LogFrozenError), sessions.begin() as session:
        logs.lock_heads(session, [log_id])


@pytest.mark.parametrize("role", ["capture", "relay", "web", "worker", "read"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET body = ''",
        "DELETE FROM entry",
        "TRUNCATE entry",
        "DELETE FROM entry_0",
        "TRUNCATE entry_1",
        "ALTER TABLE entry DISABLE TRIGGER ALL",
    ],
)
def test_no_process_can_change_an_entry(database_url: str, role: str, statement: str) -> None:
    sessions = Sessions(database_url, role)
    with pytest.raises(sa.exc.ProgrammingError) as refused, sessions.begin() as session:
        session.execute(sa.text(statement))
    sessions.close()
    assert isinstance(refused.value.orig, psycopg.errors.InsufficientPrivilege)


def test_even_the_owner_meets_a_trigger(owner_url: str, sessions: Sessions, log_id: int) -> None:
    assert sessions
    with psycopg.connect(owner_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("UPDATE entry SET body = 'x' WHERE log_id = %s", [log_id])


def test_a_superuser_is_refused(owner_url: str) -> None:
    sessions = Sessions(owner_url, "web")
    with pytest.raises(RoleError, match="owner or superuser"), sessions.begin() as session:
        session.execute(sa.text("SELECT 1"))
    sessions.close()


def test_a_transaction_acts_as_its_group_and_says_so(database_url: str) -> None:
    sessions = Sessions(database_url, "worker")
    with sessions.begin() as session:
        asked = sa.text(
            "SELECT current_user, current_setting('application_name'), current_setting('timezone')"
        )
        assert tuple(session.execute(asked).one()) == ("reviewsvc_worker", "reviewsvc worker", "UTC")
        assert Sessions.psycopg(session).execute("SELECT current_user").fetchone() == ("reviewsvc_worker",)
    sessions.close()
