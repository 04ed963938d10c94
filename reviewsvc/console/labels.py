"""Labels: the list of a model, and its files."""

from datetime import datetime
from typing import Any, Final

import msgspec
from flask import Blueprint, Response, render_template

from reviewsvc.console.lists import ROWS, asked, asked_numbers, pager
from reviewsvc.domain.labels import LabelRecord
from reviewsvc.usecases import label_lists, labels, task_lists
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("labels", __name__)

_PATH: Final = "/labels"
_FILES: Final = {"csv": ("text/csv", labels.as_sheet), "jsonl": ("application/x-ndjson", labels.as_lines)}


@blueprint.get(_PATH)
@permission("labels.pull")
def show() -> str:
    """List the newest labels of a model that this person may pull."""
    found, desk = signed_in(), services().desk
    reach = found.reach("labels.pull")
    models = [name for name in task_lists.names(desk)[1] if reach.covers(model=name)]
    model = asked("model") or (models[0] if models else "")
    if not model:
        return render_template("labels.html", models=[], model="", labels=[], pager=None, may_pull=False)
    found.require("labels.pull", model)
    ends = label_lists.summary(desk, model)
    after = asked_numbers("after", 1)
    items = label_lists.newest(
        desk, model, ends, after[0] if after else None, ROWS, actor=found.actor, at=services().clock()
    )
    following = items[-1].seq if items and items[-1].seq > 1 else None
    return render_template(
        "labels.html",
        models=[(name, name) for name in models],
        model=model,
        summary=ends,
        labels=[_row(each) for each in items],
        pager=pager(_PATH, following, model=model),
        may_pull=True,
    )


@blueprint.get(f"{_PATH}/<model>.<any(csv, jsonl):form>")
@permission("labels.pull", model="model")
def download(model: str, form: str) -> Response:
    """Give all labels of a model as a file, as a stream."""
    held, found = services(), signed_in()
    batches = labels.stream(held.desk, model, None, actor=found.actor, at=held.clock())
    media, write = _FILES[form]
    answer = Response(write(batches), content_type=f"{media}; charset=utf-8")
    answer.headers.set("Content-Disposition", "attachment", filename=f"labels-{model}.{form}")
    return answer


def _row(label: LabelRecord) -> dict[str, Any]:
    at = datetime.fromisoformat(label.labelled_at)
    return {**msgspec.structs.asdict(label), "labelled_at": at}
