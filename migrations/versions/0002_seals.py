"""Seals: signed checkpoints, the tiles of the trees, and the history of the signing keys."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    _run("0006_seals")


def downgrade() -> None:
    _run("0006_down")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql(
        (_SQL / f"{name}.sql").read_text(), execution_options={"no_parameters": True}
    )
