"""Receipts: to read, to download, and a public page that verifies one that somebody pastes."""

from typing import Any, Final

import msgspec
from flask import Blueprint, Response, render_template

from reviewsvc.console.forms import file_text, text
from reviewsvc.db.logs import LogMissingError
from reviewsvc.domain.entries import Entry, Ref, leaf_hash, parse
from reviewsvc.domain.moments import moment
from reviewsvc.usecases import names, receipt_check, receipt_views
from reviewsvc.usecases.auth import TooManyReceiptsError
from reviewsvc.usecases.receipt_check import Checked, UnreadableError
from reviewsvc.web.permissions import permission, public
from reviewsvc.web.services import services
from reviewsvc.web.strangers import count_receipt

blueprint = Blueprint("audit-receipts", __name__)

_PATH: Final = "/audit/receipts/<int:log_id>/<int:seq>"
_ENDS: Final = {"receipt": ".receipt", "page": ".html", "proof": ".tlog-proof", "entry": ".json"}
_MEDIA: Final = {"page": "text/html; charset=utf-8", "entry": "application/json"}
_LONGEST_ENTRY: Final = 70_000


@blueprint.get(_PATH)
@permission("entries.read")
def show(log_id: int, seq: int) -> str:
    """Show an entry with its proof, in words."""
    held = services()
    view = receipt_views.view(held.sessions, held.prover, log_id, seq)
    entry = parse(view.body)
    return render_template(
        "audit_receipt.html",
        place={"log_id": log_id, "log": view.log, "seq": seq},
        entry=_entry(entry) | {"leaf": leaf_hash(view.body).hex()},
        is_root=view.log.startswith("root/"),
        proved=view.proved,
        checked=receipt_check.check(held.sessions, view.receipt.text().decode()) if view.receipt else None,
    )


@blueprint.get(f"{_PATH}/<any(receipt, page, proof, entry):form>")
@permission("entries.read")
def download(log_id: int, seq: int, form: str) -> Response:
    """Give a receipt, the same as a page, its C2SP tlog-proof alone, or the entry's bytes, as a file."""
    held = services()
    view = receipt_views.view(held.sessions, held.prover, log_id, seq)
    made = receipt_views.sealed(view)
    data = view.body
    if form == "proof":
        data = made.tlog_proof.encode()
    elif form != "entry":
        data = made.page() if form == "page" else made.text()
    name = f"{view.log.replace('/', '-')}-{seq}{_ENDS[form]}"
    answer = Response(data, content_type=_MEDIA.get(form, "text/plain; charset=utf-8"))
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


@blueprint.get("/verify")
@public
def ask() -> str:
    """Ask anybody for a receipt."""
    return _verify("", "", None, None)


@blueprint.post("/verify")
@public
def verify() -> tuple[str, int]:
    """Say whether a pasted receipt holds, and what that means."""
    receipt, entry = text("receipt", longest=receipt_check.LONGEST), text("entry", longest=_LONGEST_ENTRY)
    receipt = receipt if receipt.strip() else file_text("file", longest=receipt_check.LONGEST)
    try:
        count_receipt()
        checked = receipt_check.check(services().sessions, receipt, entry)
    except TooManyReceiptsError as error:
        return _verify(receipt, entry, None, str(error)), 429
    except UnreadableError as error:
        return _verify(receipt, entry, None, str(error)), 422
    return _verify(receipt, entry, checked, None), 200


def _entry(entry: Entry) -> dict[str, Any]:
    held, actor = services(), f"{entry.actor.kind}:{entry.actor.id}" if entry.actor else "service"
    return {
        "kind": entry.kind.replace("_", " "),
        "at": moment(entry.at),
        "by": names.of_actors(held.sessions, [actor])[actor],
        "ref": _ref(entry.ref) if entry.ref else None,
        "payload": entry.payload,
        "facts": msgspec.json.format(bytes(entry.facts), indent=2).decode(),
    }


def _ref(ref: Ref) -> dict[str, Any]:
    """Where a referred entry stands; its log may be one that is not here."""
    try:
        log_id = receipt_views.log_id(services().sessions, ref.log)
    except LogMissingError:
        log_id = None
    return {"log": ref.log, "seq": ref.seq, "log_id": log_id}


def _verify(receipt: str, entry: str, checked: Checked | None, fault: str | None) -> str:
    held = services()
    return render_template(
        "verify.html",
        typed={"receipt": receipt, "entry": entry},
        checked=checked,
        fault=fault,
        origin=held.installation.origin,
        verifiers="\n".join(receipt_check.root_keys(held.sessions)),
    )
