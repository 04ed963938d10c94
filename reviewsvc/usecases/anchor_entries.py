"""Enters what an anchor answered: an entry, its rows, and the notes by which it is asked again."""

import hashlib
from datetime import datetime
from typing import Final, NamedTuple

from prometheus_client import Counter

from reviewsvc import telemetry
from reviewsvc.db import anchors as rows
from reviewsvc.db.anchors import Anchoring
from reviewsvc.db.hot.seals import SealedLog
from reviewsvc.db.sessions import Session
from reviewsvc.domain import facts as f
from reviewsvc.domain.anchoring import KEPT, Anchor
from reviewsvc.domain.entries import Ref
from reviewsvc.domain.moments import microseconds
from reviewsvc.domain.projections import anchor_row, cosignature_row
from reviewsvc.usecases.activity import Said, record
from reviewsvc.usecases.anchor_asking import Answer
from reviewsvc.usecases.keyring import Keyring

_ABOUT: Final = "anchors"
_TELL_AGAIN_US: Final = 3_600_000_000
_ANSWERS = Counter("reviewsvc_anchor_answers", "What anchors answered.", ["anchor", "outcome"])
_log = telemetry.logger("anchoring")


class Tried(NamedTuple):
    """An anchor, what was known of it, the checkpoint that it was given, and its answer."""

    anchor: Anchor
    row: Anchoring
    root: SealedLog
    answer: Answer

    @property
    def is_kept(self) -> bool:
        """Whether it kept the checkpoint."""
        return self.answer.outcome == KEPT


def enter(session: Session, keyring: Keyring, tried: Tried, at: datetime) -> None:
    """Note an answer, and enter it if it is kept, fails in another way than before, or for an hour."""
    now, row, answer = microseconds(at), tried.row, tried.answer
    _ANSWERS.labels(tried.anchor.name, answer.outcome).inc()
    values: dict[str, object] = {"tried_at": now, "outcome": answer.outcome, "why": answer.why or None}
    values["failures"] = 0 if tried.is_kept else row.failures + 1
    if tried.is_kept:
        values |= {"log_id": tried.root.log_id, "size": tried.root.size, "kept_at": now}
    if tried.is_kept or answer.outcome != row.outcome or now - (row.told_at or 0) >= _TELL_AGAIN_US:
        values["told_at"] = now
        _say(session, keyring, tried, at)
        _tell(tried)
    rows.note(session, tried.anchor.name, **values)


def _say(session: Session, keyring: Keyring, tried: Tried, at: datetime) -> None:
    anchor, root, kept = tried.anchor, tried.root, tried.answer.kept
    said = f.Anchor(
        anchor=anchor.name,
        how=anchor.kind,
        log=root.name,
        size=root.size,
        root=root.root.hex(),
        outcome=tried.answer.outcome,
        vkey=anchor.vkey if kept.cosignature else None,
        cosignature=kept.cosignature,
        evidence=None if kept.evidence is None else hashlib.sha256(kept.evidence).hexdigest(),
    )
    acts = [Said("anchor", said, about=_ABOUT, ref=Ref(root.name, root.size - 1))]
    (place,) = record(session, keyring, acts, actor=None, at=at)
    cosigned = cosignature_row(place, said, root.log_id)
    rows.add(session, anchor_row(place, said, root.log_id), cosigned, kept.evidence)


def _tell(tried: Tried) -> None:
    named = {"anchor": tried.anchor.name, "log": tried.root.name, "entries": tried.root.size}
    if tried.is_kept:
        _log.info("anchored", **named)
    else:
        _log.error("not anchored", **named, outcome=tried.answer.outcome, reason=tried.answer.why)
