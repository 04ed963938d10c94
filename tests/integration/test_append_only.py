"""Entries, tiles and checkpoints: no process can change them, nor could it with the privilege."""

import psycopg
import pytest

from reviewsvc.db.hot.connection import connect
from tests.fixtures.cases import event
from tests.fixtures.sealed import SealedBank

pytestmark = pytest.mark.real
ROLES = ("capture", "relay", "web", "worker", "read")
TABLES = ("entry", "entry_0", "entry_1", "entry_2", "entry_3", "tile", "checkpoint", "signing_key")
# No rows of these stand in a bank that has no anchors.
ANCHORS = ("anchor", "cosignature", "time_stamp")
STATEMENTS = ("UPDATE {0} SET log_id = log_id", "DELETE FROM {0}", "TRUNCATE {0}")


@pytest.fixture
def url(signed: SealedBank) -> str:
    signed.bank.capture([event(f"p-{number}", subject=None) for number in range(300)])
    signed.seal()
    return signed.bank.database_url


def test_no_role_has_the_privilege(url: str) -> None:
    for role in ROLES:
        with connect(url, role) as connection:
            asked = [statement.format(table) for table in TABLES for statement in STATEMENTS]
            asked += [statement.format(table) for table in ANCHORS for statement in STATEMENTS[1:]]
            for statement in asked:
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
                    connection.execute(statement)


@pytest.mark.usefixtures("url")
def test_with_the_privilege_every_role_meets_a_trigger(owner_url: str) -> None:
    with psycopg.connect(owner_url) as owner:
        (held,) = (
            owner.execute("SELECT array_agg(DISTINCT tableoid::regclass::text) FROM entry").fetchone() or ()
        )
        for role in ROLES:
            for table in TABLES:
                owner.execute(f"GRANT SELECT, UPDATE, DELETE, TRUNCATE ON {table} TO reviewsvc_{role}")
                owner.execute(f"SET LOCAL ROLE reviewsvc_{role}")
                for statement in STATEMENTS:
                    if "TRUNCATE" not in statement and table.startswith("entry_") and table not in held:
                        continue
                    refused = pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only")
                    with refused, owner.transaction():
                        owner.execute(statement.format(table))
                owner.execute("RESET ROLE")
        owner.rollback()
