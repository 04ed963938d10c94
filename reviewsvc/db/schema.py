"""Makes and upgrades the tables and the database roles."""

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

GROUPS = ("owner", "maint", "capture", "relay", "web", "worker", "read")
_UPGRADE_LOCK = 7203_000
_MAY_GIVE = (
    "SELECT has_schema_privilege('reviewsvc_owner', 'public', 'CREATE WITH GRANT OPTION') "
    "AND has_schema_privilege('reviewsvc_owner', 'public', 'USAGE WITH GRANT OPTION')"
)
_PACKAGED = Path(__file__).parent.parent / "_migrations"


def migrations() -> Path:
    """The folder of the migration files: inside the wheel, else beside the source."""
    return _PACKAGED if _PACKAGED.exists() else Path(__file__).parents[2] / "migrations"


def upgrade(owner_url: str) -> None:
    """Create the cluster's roles and bring the database's tables to the newest revision.

    One upgrade runs at a time; the others wait for it and then find nothing to do.
    """
    _run(owner_url, lambda config: command.upgrade(config, "head"))


def downgrade(owner_url: str, revision: str) -> None:
    """Take the tables back to a revision; `base` is none at all."""
    _run(owner_url, lambda config: command.downgrade(config, revision))


def prepare(owner_url: str) -> None:
    """Create the cluster's roles, and let the owner make tables here, as `upgrade` does; make none yet."""
    _run(owner_url, lambda _config: None)


def _run(owner_url: str, act: Callable[[Config], None]) -> None:
    engine = sa.create_engine(_psycopg(owner_url), poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("SET statement_timeout = '10min'; SET lock_timeout = '30s'")
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _UPGRADE_LOCK})
        connection.exec_driver_sql(
            (migrations() / "sql" / "0001_roles.sql").read_text(), execution_options={"no_parameters": True}
        )
        _become_owner(connection)
        config = Config()
        config.set_main_option("script_location", str(migrations()))
        config.attributes["connection"] = connection
        act(config)
        connection.commit()


def _become_owner(connection: sa.Connection) -> None:
    # Who is no superuser would give back, the second time, what that role has the right to give.
    may_give = connection.exec_driver_sql(_MAY_GIVE).scalar()
    database = connection.dialect.identifier_preparer.quote(connection.engine.url.database or "postgres")
    for statement in (
        "GRANT reviewsvc_owner TO CURRENT_USER",
        "GRANT reviewsvc_maint TO reviewsvc_owner",
        *(() if may_give else ("GRANT CREATE, USAGE ON SCHEMA public TO reviewsvc_owner WITH GRANT OPTION",)),
        f"GRANT CREATE ON DATABASE {database} TO reviewsvc_owner",
        "SET ROLE reviewsvc_owner",
    ):
        connection.exec_driver_sql(statement)
    connection.commit()


def _psycopg(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
