"""Says whether the web process lives, is ready, and what it counted."""

from collections.abc import Sequence

import sqlalchemy as sa
from flask import Blueprint, Response, request

from reviewsvc.health import Health, answer
from reviewsvc.web.permissions import public
from reviewsvc.web.services import services

blueprint = Blueprint("health", __name__)


def reasons() -> Sequence[str]:
    """Return why the process cannot serve now; empty if it can."""
    try:
        with services().sessions.begin() as session:
            session.execute(sa.text("SELECT 1"))
    except (sa.exc.SQLAlchemyError, OSError) as error:
        return (f"the database cannot be reached ({type(error).__name__})",)
    return ()


@blueprint.get("/healthz")
@blueprint.get("/readyz")
@blueprint.get("/metrics")
@public
def health() -> Response:
    """Answer a probe."""
    said = answer(Health(ready=reasons), request.path)
    return Response(said.body, said.status, content_type=said.media)
