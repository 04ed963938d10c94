"""Contracts, policies and queues as files in YAML: read, checked, compared, brought to one stored form."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from msgspec import Struct

from reviewsvc.domain.contract import Contract, read_contract
from reviewsvc.domain.document import DocumentError, DocumentFault, Path, one_of, show, suggestion
from reviewsvc.domain.policy import Policy, read_policy
from reviewsvc.domain.policy_fit import misfits, never_held
from reviewsvc.domain.queue import Queue, read_queue
from reviewsvc.usecases.marked_yaml import Marked, MarkedError, parse

_READERS: dict[str, Callable[[object], Contract | Policy | Queue]] = {
    "contract": read_contract,
    "policy": read_policy,
    "queue": read_queue,
}
KINDS = tuple(_READERS)


class DocumentsError(ValueError):
    """Documents cannot be used; the text has one line a fault: file, line, field, what was expected."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


class Document(Struct, frozen=True):
    """One document of a file: what it says, its stored form and the SHA-256 of that."""

    kind: str
    name: str
    body: Contract | Policy | Queue
    data: dict[str, Any]
    canonical: bytes
    sha256: bytes
    file: str
    lines: dict[Path, int]

    def place(self, path: Path) -> str:
        """Name file and line of a field, or of the nearest thing around it."""
        return f"{self.file}:{line_of(self.lines, path)}"


def read_documents(source: FilePath | str, *, file: str | None = None) -> list[Document]:
    """Read a file, every YAML file of a folder, or a text; DocumentsError with every fault and its line.

    In a text's faults, `file` is the file's name. Two documents of one kind and name are a fault.
    """
    faults: list[str] = []
    found: list[Document] = []
    for name, text in _texts(source, file):
        found += _read_text(text, name, faults)
    faults += _repeated(found)
    if not found and not faults:
        faults.append(f"{file or source}: expected a document of kind {one_of(KINDS)}, got none")
    if faults:
        raise DocumentsError(faults)
    return found


def _repeated(documents: Sequence[Document]) -> Iterable[str]:
    seen: dict[tuple[str, str], Document] = {}
    for document in documents:
        first = seen.setdefault((document.kind, document.name), document)
        if first is not document:
            before = f"{document.name} again (first at {first.place(('name',))})"
            yield f"{document.place(('name',))}: expected each {document.kind} once, got {before}"


def _texts(source: FilePath | str, file: str | None) -> list[tuple[str, str]]:
    if isinstance(source, str):
        return [(file or "text", source)]
    try:
        if not source.is_dir():
            return [(str(source), source.read_text("utf-8"))]
        files = sorted(one for one in source.iterdir() if one.suffix in (".yaml", ".yml"))
        return [(str(one), one.read_text("utf-8")) for one in files]
    except UnicodeDecodeError as error:
        raise DocumentsError([f"{source}: expected UTF-8 text, got another byte at {error.start}"]) from error
    except OSError as error:
        raise DocumentsError(
            [f"{source}: expected a file that can be read, got: {error.strerror}"]
        ) from error


def _read_text(text: str, file: str, faults: list[str]) -> list[Document]:
    try:
        parsed = parse(text)
    except MarkedError as error:
        faults.append(f"{file}:{error.line}: {error}")
        return []
    found: list[Document] = []
    for marked in parsed:
        try:
            found.append(_document(marked, file))
        except DocumentError as error:
            faults += [f"{file}:{line_of(marked.lines, fault.path)}: {fault.text}" for fault in error.faults]
    return found


def _document(marked: Marked, file: str) -> Document:
    data = marked.data
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        expected = f"{one_of(KINDS)}{suggestion(kind, KINDS)}"
        raise DocumentError([DocumentFault(("kind",), expected, show(kind))])
    body = _READERS[kind](data)
    stored = canonical(data)
    return Document(kind, body.name, body, data, stored, hashlib.sha256(stored).digest(), file, marked.lines)


def read_stored(kind: str, stored: bytes) -> Contract | Policy | Queue:
    """Read a document's stored form again."""
    return _READERS[kind](json.loads(stored))


def canonical(data: Mapping[str, Any]) -> bytes:
    """Bring plain data to its one stored form: JSON, keys sorted, no spaces, UTF-8."""
    return json.dumps(
        data, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """Find the line of a field, or of the nearest thing around it."""
    while path not in lines and path:
        path = path[:-1]
    return lines.get(path, 1)


class InForce(Struct, frozen=True):
    """The documents that are in force, by name."""

    contracts: Mapping[str, Contract] = {}
    policies: Mapping[str, Policy] = {}
    queues: Collection[str] = ()


def check_together(documents: Sequence[Document], in_force: InForce) -> None:
    """Check that documents fit each other and what stays in force; DocumentsError with one line a fault.

    Policies must fit their contracts, also those in force the new ones; queues that are named must exist.
    """
    bodies = [document.body for document in documents]
    contracts = {**in_force.contracts, **{body.name: body for body in bodies if isinstance(body, Contract)}}
    queues = {*in_force.queues, *(body.name for body in bodies if isinstance(body, Queue))}
    replaced = {body.name for body in bodies if isinstance(body, Policy)}
    lines: list[str] = []
    for document in documents:
        body = document.body
        lines += [
            f"{document.place(fault.path)}: {fault.text}" for fault in _misfits(body, contracts, queues)
        ]
        if isinstance(body, Contract) and body.name in in_force.policies.keys() - replaced:
            broken = misfits(in_force.policies[body.name], body, queues)
            lines += [
                f"{document.place(())}: the policy in force no longer fits: {fault.text}" for fault in broken
            ]
    if lines:
        raise DocumentsError(lines)


def _misfits(
    body: Contract | Policy | Queue, contracts: Mapping[str, Contract], queues: Collection[str]
) -> list[DocumentFault]:
    if isinstance(body, Policy):
        if body.name in contracts:
            return misfits(body, contracts[body.name], queues) + never_held(body)
        near = suggestion(body.name, contracts)
        return [DocumentFault(("name",), f"the name of a model with a contract{near}", show(body.name))]
    if isinstance(body, Queue) and body.escalate_to is not None and body.escalate_to not in queues:
        expected = f"a queue that exists{suggestion(body.escalate_to, queues)}"
        return [DocumentFault(("when_due", "escalate"), expected, show(body.escalate_to))]
    return []
