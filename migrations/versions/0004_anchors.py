"""Anchors: what those who keep our checkpoints elsewhere answered, and how far each of them is."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    _run("0008_anchors")


def downgrade() -> None:
    _run("0008_down")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql(
        (_SQL / f"{name}.sql").read_text(), execution_options={"no_parameters": True}
    )
