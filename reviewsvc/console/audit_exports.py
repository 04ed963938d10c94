"""Exports: bundles that are asked for, how far they are, and taken by who asked for them."""

from typing import Any, Final
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, render_template, request, send_file
from flask.typing import ResponseReturnValue

from reviewsvc.console.audit_search import moment_of
from reviewsvc.console.forms import go, text
from reviewsvc.console.lists import ROWS, asked, pager
from reviewsvc.domain.bundle import QuestionError
from reviewsvc.usecases import export_questions, exports, log_lists, task_lists
from reviewsvc.usecases.searches import SearchError
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("audit-exports", __name__)

_PATH: Final = "/audit/exports"
_TERMS: Final = ("model", "prediction_id", "source", "subject", "reviewer", "queue")
_LONGEST: Final = 512


@blueprint.get(_PATH)
@permission("entries.export")
def show() -> str:
    """List exports, the newest first, with the form that asks for one."""
    return _page({}, None)


@blueprint.post(f"{_PATH}/ask")
@permission("entries.export")
def prefill() -> str:
    """Show the form with what another page knows already."""
    return _page(_typed(), None)


@blueprint.get(f"{_PATH}/rows")
@permission("entries.export", is_passive=True)
def rows() -> ResponseReturnValue:
    """Give the list alone, for the page that watches it."""
    answer = make_response(render_template("parts/audit_exports.html", exports=_listed()[0]))
    answer.add_etag()
    return answer.make_conditional(request)


@blueprint.post(_PATH)
@permission("entries.export")
def ask() -> ResponseReturnValue:
    """Ask for a bundle, which is made in the background."""
    held, found, typed = services(), signed_in(), _typed()
    try:
        question = export_questions.make_question(
            held.desk,
            typed["kind"],
            {name: typed[name] for name in _TERMS},
            logs=tuple(request.form.getlist("logs")),
            since=moment_of(typed["since"]),
            until=moment_of(typed["until"]),
        )
        exports.ask(held.desk, question, typed["purpose"], who=found, at=held.clock())
    except (QuestionError, SearchError) as error:
        return _page(typed, f"{str(error)[0].upper()}{str(error)[1:]}."), 422
    flash("Asked for: the bundle is made in the background, and stands in the list below")
    return go(_PATH)


@blueprint.post(f"{_PATH}/<uuid:job_id>/cancel")
@permission("entries.export")
def cancel(job_id: UUID) -> ResponseReturnValue:
    """Cancel a bundle that is not made yet; that it was cancelled is logged."""
    held = services()
    try:
        exports.cancel(held.desk, job_id, actor=signed_in().actor, at=held.clock())
    except exports.ExportEndedError as error:
        flash(str(error), "error")
    else:
        flash("Cancelled: what was brought in is removed")
    return go(_PATH)


@blueprint.get(f"{_PATH}/<uuid:job_id>/bundle")
@permission("entries.export")
def take(job_id: UUID) -> Response:
    """Give a bundle to who asked for it; that it was taken is logged."""
    held = services()
    path = exports.take(held.desk, held.exports, job_id, who=signed_in(), at=held.clock())
    return send_file(
        path.absolute(), mimetype="application/zip", as_attachment=True, download_name=f"bundle-{job_id}.zip"
    )


def _page(typed: dict[str, str], fault: str | None) -> str:
    desk = services().desk
    queues, models = task_lists.names(desk)
    listed, following = _listed()
    return render_template(
        "audit_exports.html",
        exports=listed,
        typed=typed,
        fault=fault,
        kinds=list(export_questions.KINDS.items()),
        models=[("", "Choose one"), *((name, name) for name in models)],
        queues=[("", "Choose one"), *((name, name) for name in queues)],
        logs=log_lists.names(desk),
        chosen=request.form.getlist("logs"),
        pager=pager(_PATH, following),
    )


def _typed() -> dict[str, str]:
    names = ("kind", *_TERMS, "since", "until")
    typed = {name: text(name, longest=_LONGEST).strip() for name in names}
    return typed | {"purpose": text("purpose", longest=4_000).strip()}


def _listed() -> tuple[list[dict[str, Any]], str | None]:
    found = exports.page(services().desk, exports.read_cursor(asked("after")), ROWS, reader=signed_in().actor)
    following = exports.cursor(found[-1]) if len(found) == ROWS else None
    return [each._asdict() for each in found], following
