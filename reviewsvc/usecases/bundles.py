"""Bundles: what an auditor asks, made so that an outsider can verify it offline with `verify.py`."""

import fcntl
import hashlib
import os
import shutil
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from reviewsvc.crypto import owned_files
from reviewsvc.crypto.notes import ED25519, parse_verifier, signature_lines
from reviewsvc.crypto.signing_keys import named
from reviewsvc.db import logs
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.hot.seals import SealedLog
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain import bundle as b
from reviewsvc.domain import facts as f
from reviewsvc.domain.bundle_cover import sections
from reviewsvc.domain.moments import microseconds
from reviewsvc.domain.permissions import Reach
from reviewsvc.domain.proof import Proved, proved_text, tlog_proof
from reviewsvc.domain.tree import inclusion_proof
from reviewsvc.usecases import bundle_zip, tiles
from reviewsvc.usecases.activity import Said, record, secrets
from reviewsvc.usecases.bundle_parts import BundleError, Part
from reviewsvc.usecases.bundle_pdf import written
from reviewsvc.usecases.bundle_plan import Asked, Plan, Stamped, make_plan
from reviewsvc.usecases.bundle_stage import Help, Seer, Stage
from reviewsvc.usecases.export_about import said_of
from reviewsvc.usecases.keyring import Keyring

__all__ = ["Asked", "BundleBusyError", "BundleError", "Help", "Maker", "Progress"]

Progress = Callable[[int, int], None]
_ID_BYTES: Final = 4


class BundleBusyError(RuntimeError):
    """Another process makes the same bundle now."""


class Logged(Struct, frozen=True):
    """Where the entry of a bundle's export stands."""

    log_id: int
    seq: int


class Made(NamedTuple):
    """A bundle that is whole but for the proof of its own entry, or, with that, finished."""

    entries: int
    disclosed: int
    withheld: dict[str, int]


class Maker:
    """Makes one bundle in a folder of its own; what stopped half-way goes on from there.

    The folder holds opened payloads until the bundle is packed: it is readable by its owner alone.
    """

    def __init__(
        self, sessions: Sessions, keyring: Keyring, folder: Path, reach: Reach, help_: Help | None = None
    ) -> None:
        """Take whose payloads may be disclosed, and what other processes help if there is much."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sessions, self._keyring, self._folder = sessions, keyring, folder
        self._stage = Stage(folder, sessions, Seer(keyring, reach), help_)

    def make(self, asked: Asked, at: datetime, progress: Progress = lambda _done, _all: None) -> Made:
        """Bring everything in, and log the export. Raises QuestionError, BundleError."""
        b.check_question(asked.question)
        if not asked.purpose.strip():
            raise b.QuestionError("say what the bundle is for: its purpose is part of it")
        with self._alone():
            return self._make(asked, at, progress)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep others from this folder while the block runs. Raises BundleBusyError."""
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as fault:
            raise BundleBusyError(f"{self._folder}: somebody else makes this bundle now") from fault
        finally:
            os.close(folder)

    def _make(self, asked: Asked, at: datetime, progress: Progress) -> Made:
        plan = self._plan(asked, at)
        parts = self._stage.tidy(self._parts())
        wanted = sum(piece.scope.entries for piece in plan.pieces)
        self._stage.bring(plan.pieces, parts, lambda part: self._note(parts, part, progress, wanted))
        made = _sum(parts)
        if not (self._folder / "logged.json").exists():
            self._log(plan, self._write_rest(plan, parts), made, at)
        return made

    def finish(self, target: Path) -> bool:
        """Pack the bundle once the export's entry is sealed; say whether it is."""
        place = msgspec.json.decode((self._folder / "logged.json").read_bytes(), type=Logged)
        with self._sessions.begin() as session:
            conn = Sessions.psycopg(session)
            log = stored.sealed_log(conn, logs.names(session, [place.log_id])[place.log_id])
            if log is None or log.size <= place.seq:
                return False
            proof = inclusion_proof(place.seq, log.size, tiles.node_reader(conn, log))
            entry = logs.one(session, place.log_id, place.seq)
        note = _signed_once(log, (key.vkey for key in self._read_plan().keys))
        told = proved_text([Proved(entry, tlog_proof(place.seq, proof, note))])
        (self._stage.files / b.EXPORT).write_bytes(told)
        packed = self._folder / "bundle.zip"
        bundle_zip.pack(self._stage.contents(self._parts()), packed)
        packed.replace(target)
        shutil.rmtree(self._folder)
        return True

    def _plan(self, asked: Asked, at: datetime) -> Plan:
        kept = self._folder / "plan.json"
        if not kept.exists():
            plan = make_plan(self._sessions, self._keyring, asked, self._folder, microseconds(at))
            owned_files.replace(kept, msgspec.json.encode(plan))
        plan = self._read_plan()
        if Asked(plan.question, plan.purpose, plan.exporter) != asked:
            raise BundleError(f"{self._folder} holds half of another bundle: finish that one, or remove it")
        return plan

    def _read_plan(self) -> Plan:
        return msgspec.json.decode((self._folder / "plan.json").read_bytes(), type=Plan)

    def _parts(self) -> list[Part]:
        """What was brought in before; a line that was not written to its end is of a part that was not.

        What another release brought in is brought in again.
        """
        journal = self._folder / "journal.jsonl"
        if not journal.exists():
            return []
        whole = journal.read_bytes().rpartition(b"\n")[0]
        os.truncate(journal, len(whole) + 1 if whole else 0)
        try:
            return [msgspec.json.decode(line, type=Part) for line in whole.split(b"\n") if line]
        except msgspec.ValidationError:
            journal.unlink()
            return []

    def _note(self, parts: list[Part], part: Part, progress: Progress, wanted: int) -> None:
        with (self._folder / "journal.jsonl").open("ab") as journal:
            journal.write(msgspec.json.encode(part) + b"\n")
        parts.append(part)
        progress(sum(each.entries for each in parts), wanted)

    def _write_rest(self, plan: Plan, parts: Sequence[Part]) -> bytes:
        """Write what is not of a log, the manifest last, and return that."""
        files, made = self._stage.files, _sum(parts)
        (files / b.KEYS).write_bytes(b.write_keys(plan.keys))
        _write_stamp(plan.stamp, files)
        (files / b.VERIFIER).write_bytes(resources.files("reviewsvc").joinpath("verify.py").read_bytes())
        self._stage.write_views(parts)
        blank = _manifest(plan, made, dict.fromkeys(self._stage.contents(()).names(), ""))
        (files / b.COVER).write_bytes(written(plan.origin, sections(blank), plan.made_at))
        (files / b.MANIFEST).unlink(missing_ok=True)
        told = b.write_manifest(_manifest(plan, made, dict(self._stage.contents(parts).hashes())))
        (files / b.MANIFEST).write_bytes(told)
        return told

    def _log(self, plan: Plan, manifest: bytes, made: Made, at: datetime) -> None:
        with self._sessions.begin() as session:
            facts = f.Export(
                "bundle",
                plan.question.model,
                made.entries,
                plan.root.scope.size,
                hashlib.sha256(manifest).hexdigest(),
                made.disclosed,
                said_of(session, self._keyring, plan.question),
            )
            said = Said("export", facts, secrets(purpose=plan.purpose))
            (place,) = record(session, self._keyring, [said], actor=plan.exporter, at=at)
        logged = msgspec.json.encode(Logged(place.log_id, place.seq))
        owned_files.replace(self._folder / "logged.json", logged)


def _write_stamp(stamp: Stamped | None, files: Path) -> None:
    """Write the root's time stamp beside the bytes that were stamped, as `openssl ts` takes them."""
    if stamp is not None:
        (files / b.STAMPS).mkdir(exist_ok=True)
        (files / b.STAMPS / f"root-{stamp.size}.checkpoint").write_text(stamp.note)
        (files / b.STAMPS / f"root-{stamp.size}.tsr").write_bytes(stamp.answer)


def _sum(parts: Iterable[Part]) -> Made:
    entries = disclosed = 0
    withheld: Counter[str] = Counter()
    for part in parts:
        entries, disclosed = entries + part.entries, disclosed + part.disclosed
        withheld.update(part.withheld)
    return Made(entries, disclosed, dict(sorted(withheld.items())))


def _manifest(plan: Plan, made: Made, files: dict[str, str]) -> b.Manifest:
    return b.Manifest(
        format=b.FORMAT,
        origin=plan.origin,
        root=plan.root.scope.name,
        question=plan.question,
        purpose=plan.purpose,
        exporter=plan.exporter,
        made_at=plan.made_at,
        logs=[piece.scope for piece in plan.pieces],
        payloads=b.Payloads(made.disclosed, made.withheld),
        not_authoritative=[view for view in b.VIEWS if view in files or view == b.COVER],
        files=files,
    )


def _signed_once(log: SealedLog, vkeys: Iterable[str]) -> str:
    """Leave one signature, of the newest key: every byte of the export's proof must be vouched for."""
    lines = {_key_id(line): line for line in signature_lines(log.note.encode())}
    own = [named(parse_verifier(vkey), log.name) for vkey in vkeys]
    kept = next(lines[key.key_id] for key in own if key.kind == ED25519 and key.key_id in lines)
    return f"{log.note.rpartition(chr(10) * 2)[0]}\n\n{kept}"


def _key_id(line: str) -> bytes:
    return b64decode(line.rsplit(maxsplit=1)[-1])[:_ID_BYTES]
