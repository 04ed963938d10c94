"""Statements that run at every act, given to the driver as they stand.

SQLAlchemy's expressions cost four times as much processor time per call; its transactions, pool and errors
stay. Placeholders are psycopg's: `%(name)s`.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session


def run(session: Session, query: str, values: Mapping[str, Any]) -> sa.CursorResult[Any]:
    """Run a statement inside the session's transaction and return its result."""
    return session.connection().exec_driver_sql(query, dict(values))
