"""Contracts, policies and queues: what is in force, every version, what changed, and a new version."""

import json
from collections.abc import Iterable
from typing import Any, Final

import yaml
from flask import Blueprint, flash, render_template
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from reviewsvc.console.document_words import TITLES, about, told
from reviewsvc.console.forms import go, text
from reviewsvc.console.lists import asked
from reviewsvc.db.documents import Kept
from reviewsvc.usecases import apply, documents, names
from reviewsvc.usecases.auth import Current
from reviewsvc.usecases.differences import difference
from reviewsvc.usecases.documents import DocumentsError, read_documents
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("documents", __name__)

_PATH: Final = "/documents"
_LONGEST: Final = 900_000
_KIND: Final = "<any(contract, policy, queue):kind>"
_APPLYING: Final = ("contracts.apply", "policies.apply", "queues.apply")


@blueprint.get(_PATH)
@permission("documents.see")
def show() -> str:
    """List the documents in force that this person may see."""
    found = signed_in()
    kept = [each for each in apply.in_force(services().sessions) if _may_see(found, each.kind, each.name)]
    authors = _authors(kept)
    kinds = [
        {
            "title": title,
            "about": words,
            "documents": [_row(each, authors) for each in kept if each.kind == kind],
        }
        for kind, (title, words) in TITLES.items()
    ]
    return render_template("documents.html", kinds=kinds, may_apply=_may_apply(found))


@blueprint.get(f"{_PATH}/{_KIND}/<name>")
@permission("documents.see")
def show_one(kind: str, name: str) -> str:
    """Show a version of a document, or what it changed against another one."""
    history = _history(kind, name)
    shown = _version(history, asked("version")) or history[0]
    against = _version(history, asked("against"))
    authors = _authors(history)
    logs = names.of_logs(services().sessions, [shown.log_id])
    return render_template(
        "document.html",
        document={
            "kind": kind,
            "name": name,
            "version": shown.version,
            "body": _yaml(shown),
            "sha256": shown.sha256.hex(),
            "applied_at": shown.applied_at,
            "by": authors[shown.log_id, shown.seq],
            "is_current": shown is history[0],
            "log": logs[shown.log_id],
            "seq": shown.seq,
        },
        versions=[
            {
                "version": each.version,
                "applied_at": each.applied_at,
                "by": authors[each.log_id, each.seq],
                "is_shown": each is shown,
            }
            for each in history
        ],
        against=against.version if against else None,
        difference=_difference(against, shown) if against else None,
        may_apply=_may_apply(signed_in()),
    )


@blueprint.get(f"{_PATH}/new")
@permission("documents.see")
def write() -> str:
    """Show the form for new documents, or for the next version of one."""
    kind, name = asked("kind"), asked("name")
    body = _yaml(_history(kind, name)[0]) if kind and name else ""
    return _form(body)


@blueprint.post(f"{_PATH}/new")
@permission("documents.see")
def put() -> ResponseReturnValue:
    """Show what documents would change, and bring them into force when that was seen."""
    held, found = services(), signed_in()
    body = text("body", longest=_LONGEST).replace("\r\n", "\n")
    _require_applying(found)
    try:
        read = read_documents(body, file="text")
        apply.require_may(found, read)
        changes = apply.plan(held.sessions, read)
        if text("step") == "apply":
            apply.apply(held.sessions, held.keyring, read, actor=found.actor, at=held.clock())
    except DocumentsError as error:
        return _form(body, faults=error.lines), 422
    if text("step") != "apply":
        return _form(body, changes=[_change(each) for each in changes])
    flash(f"In force: {', '.join(_named(each) for each in changes)}" if changes else "Nothing to change")
    return go(_PATH)


def _form(body: str, *, changes: list[dict[str, Any]] | None = None, faults: Iterable[str] = ()) -> str:
    _require_applying(signed_in())
    return render_template("document_edit.html", body=body, changes=changes, faults=list(faults))


def _change(change: apply.Change) -> dict[str, Any]:
    return {"title": _named(change), "lines": [told(line) for line in change.difference]}


def _named(change: apply.Change) -> str:
    return f"{change.kind} {change.name}, version {change.version}"


def _may_see(found: Current, kind: str, name: str) -> bool:
    if kind == "queue":
        return found.may("documents.see", queue=name) or bool(found.reach("documents.see").models)
    return found.may("documents.see", model=name)


def _may_apply(found: Current) -> bool:
    return any(found.reach(permission_name) for permission_name in _APPLYING)


def _require_applying(found: Current) -> None:
    if not _may_apply(found):
        found.require("policies.apply")


def _history(kind: str, name: str) -> list[Kept]:
    if kind not in documents.KINDS or not _may_see(signed_in(), kind, name):
        raise NotFound
    found = [kept for kept, _ in apply.history(services().sessions, kind, name)]
    if not found:
        raise NotFound
    return found


def _version(history: list[Kept], wanted: str) -> Kept | None:
    return next((each for each in history if str(each.version) == wanted), None)


def _difference(old: Kept, new: Kept) -> list[dict[str, str]]:
    return [told(line) for line in difference(json.loads(old.body), json.loads(new.body))]


def _authors(kept: Iterable[Kept]) -> dict[tuple[int, int], str]:
    return names.of_authors(services().sessions, [(each.log_id, each.seq) for each in kept])


def _row(kept: Kept, authors: dict[tuple[int, int], str]) -> dict[str, Any]:
    return {
        "kind": kept.kind,
        "name": kept.name,
        "version": kept.version,
        "words": about(documents.read_stored(kept.kind, kept.body)),
        "applied_at": kept.applied_at,
        "by": authors[kept.log_id, kept.seq],
    }


def _yaml(kept: Kept) -> str:
    data = json.loads(kept.body)
    first = {key: data.pop(key) for key in ("kind", "name") if key in data}
    return yaml.safe_dump(first | data, sort_keys=False, allow_unicode=True, width=100)
