"""The auditor's pages: bundles that were asked for, and indexes for searches, stories and access reports."""

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    _run("0012_audit_pages")


def downgrade() -> None:
    _run("0012_down")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql(
        (_SQL / f"{name}.sql").read_text(), execution_options={"no_parameters": True}
    )
