"""The database over TLS: who it is is verified in full, and nothing goes without."""

import os
import subprocess
import sys

import psycopg
import pytest

from reviewsvc.db.hot.connection import connect
from reviewsvc.db.sessions import Sessions
from tests.fixtures.tls import TlsPostgres

pytestmark = [pytest.mark.real, pytest.mark.tls]


def verified(server: TlsPostgres, **changes: str) -> str:
    return server.url(**{"sslmode": "verify-full", "sslrootcert": str(server.authority), **changes})


def test_a_process_connects_to_the_server_that_it_can_verify(tls_postgres: TlsPostgres) -> None:
    with connect(verified(tls_postgres), "read") as conn:
        assert conn.pgconn.ssl_in_use
        assert conn.execute("SELECT current_user").fetchone() == ("reviewsvc_read",)


def test_sessions_of_the_pages_do_so_too(tls_postgres: TlsPostgres) -> None:
    sessions = Sessions(verified(tls_postgres), "web", size=1)
    with sessions.begin() as session:
        assert sessions.psycopg(session).pgconn.ssl_in_use
    sessions.close()


def test_a_certificate_for_another_name_is_refused(tls_postgres: TlsPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        connect(verified(tls_postgres, host="localhost", hostaddr="127.0.0.1"), "read")


def test_a_certificate_of_a_stranger_is_refused(tls_postgres: TlsPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        connect(verified(tls_postgres, sslrootcert=str(tls_postgres.stranger)), "read")


def test_a_missing_authority_is_refused(tls_postgres: TlsPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="root certificate file"):
        connect(verified(tls_postgres, sslrootcert="/nowhere/ca.pem"), "read")


def test_nobody_is_let_in_without_tls(tls_postgres: TlsPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        connect(tls_postgres.url(sslmode="disable"), "read")


def test_a_command_says_in_one_line_that_the_server_is_not_whom_it_should_be(
    tls_postgres: TlsPostgres,
) -> None:
    url = verified(tls_postgres, sslrootcert=str(tls_postgres.stranger))
    done = subprocess.run(
        [sys.executable, "-m", "reviewsvc.cli", "audit", "verify"],
        env=os.environ | {"DATABASE_URL": url, "REVIEWSVC_DATA_DIR": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "certificate verify failed" in done.stderr
    assert "Traceback" not in done.stderr
