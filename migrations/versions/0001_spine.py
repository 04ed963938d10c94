"""The spine: log, review, people, and who may do what."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    for name in ("0002_log", "0003_review", "0004_people", "0005_guard"):
        _run(name)


def downgrade() -> None:
    _run("0001_down")


def _run(name: str) -> None:
    # Percent signs of format() are no placeholders here.
    op.get_bind().exec_driver_sql(
        (_SQL / f"{name}.sql").read_text(), execution_options={"no_parameters": True}
    )
