"""How far activity was sent to a SIEM."""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    _run("0009_siem")


def downgrade() -> None:
    _run("0009_down")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql(
        (_SQL / f"{name}.sql").read_text(), execution_options={"no_parameters": True}
    )
