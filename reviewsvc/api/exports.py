"""Bundles that programs ask for: made in the background, taken by who asked for them."""

from typing import Any, Final
from uuid import UUID

from flask import Response, send_file
from flask_smorest import Blueprint

from reviewsvc.api import audit_schemas as s
from reviewsvc.usecases import export_questions, exports
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("exports", __name__, url_prefix="/api/v1", description="Bundles for outsiders")

_TERMS: Final = ("model", "prediction_id", "source", "subject", "reviewer", "queue")


@blueprint.post("/exports")
@blueprint.arguments(s.ExportAsked)
@blueprint.response(202, s.Export)
@permission("entries.export")
def ask(asked: dict[str, Any]) -> dict[str, Any]:
    """Ask for a bundle; the worker makes it. Ask for its state until it is done, then take it."""
    held, found = services(), signed_in()
    question = export_questions.make_question(
        held.desk,
        asked["kind"],
        {name: asked[name] for name in _TERMS},
        logs=tuple(asked["logs"]),
        since=asked["since"],
        until=asked["until"],
    )
    job_id = exports.ask(held.desk, question, asked["purpose"], who=found, at=held.clock())
    return exports.get(held.desk, job_id, reader=found.actor)._asdict()


@blueprint.get("/exports")
@blueprint.arguments(s.ExportsAsked, location="query")
@blueprint.response(200, s.ExportPage)
@permission("entries.export")
def page(asked: dict[str, Any]) -> dict[str, Any]:
    """List what was asked for, the newest first."""
    before = exports.read_cursor(asked["after"])
    found = exports.page(services().desk, before, asked["limit"], reader=signed_in().actor)
    following = exports.cursor(found[-1]) if len(found) == asked["limit"] else None
    return {"items": [each._asdict() for each in found], "next": following}


@blueprint.get("/exports/<uuid:job_id>")
@blueprint.response(200, s.Export)
@permission("entries.export")
def get(job_id: UUID) -> dict[str, Any]:
    """Say how far a bundle is."""
    return exports.get(services().desk, job_id, reader=signed_in().actor)._asdict()


@blueprint.post("/exports/<uuid:job_id>/cancel")
@blueprint.response(200, s.Export)
@permission("entries.export")
def cancel(job_id: UUID) -> dict[str, Any]:
    """Cancel a bundle that is not made yet, whoever asked for it; that you did is logged."""
    held, actor = services(), signed_in().actor
    exports.cancel(held.desk, job_id, actor=actor, at=held.clock())
    return exports.get(held.desk, job_id, reader=actor)._asdict()


@blueprint.get("/exports/<uuid:job_id>/bundle")
@blueprint.response(200, {"type": "string", "format": "binary"}, content_type="application/zip")
@permission("entries.export")
def take(job_id: UUID) -> Response:
    """Take a bundle that is done, as its asker; that it was taken is logged."""
    held = services()
    path = exports.take(held.desk, held.exports, job_id, who=signed_in(), at=held.clock())
    return send_file(path.absolute(), mimetype="application/zip", download_name=f"bundle-{job_id}.zip")
