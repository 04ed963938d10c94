"""The periodic steps: what is done, how often, by one process at a time."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from reviewsvc.db import installations, locks
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.signing import SignsCheckpoints
from reviewsvc.outside.erasure_journal import ErasureJournal
from reviewsvc.usecases import auth, due, erasure, guarding, key_sweep, retention, watching
from reviewsvc.usecases.anchoring import Anchorer
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.export_making import Exporter
from reviewsvc.usecases.sealing import Sealer
from reviewsvc.usecases.siem import Sink, Stream
from reviewsvc.usecases.verifying import Verifying


class Step(NamedTuple):
    """A step: its name, its lock's number, its period, and what it does, which says how much it found.

    One that may take minutes holds its lock in no transaction, since an idle one is ended.
    """

    name: str
    number: int
    every: timedelta
    run: Callable[[datetime], int]
    is_long: bool = False


def all_steps(desk: Desk) -> tuple[Step, ...]:
    """List the steps in the order in which they are done."""
    sessions, keyring = desk.sessions, desk.keyring
    second, minute = timedelta(seconds=1), timedelta(minutes=1)
    return (
        Step("leases", 1, second, lambda at: due.lease_step(desk, at=at)),
        Step("due_times", 2, second, lambda at: due.due_step(desk, at=at)),
        Step("refusals", 3, 10 * second, lambda at: auth.refusals_step(sessions, keyring, at=at)),
        Step("sweep", 4, 10 * minute, lambda at: auth.sweep_step(sessions, at=at)),
        Step("months", 5, 10 * minute, lambda at: months_step(sessions, at=at)),
        Step("figures", 8, 15 * second, lambda at: watching.step(sessions, at)),
    )


def subject_steps(desk: Desk, journal: ErasureJournal) -> tuple[Step, ...]:
    """List the steps that carry out erasures, and free files of what they destroyed."""
    second, minute = timedelta(seconds=1), timedelta(minutes=1)
    return (
        Step("erasures", 20, second, lambda at: erasure.step(desk, journal, at=at), is_long=True),
        Step("retention", 22, 60 * minute, lambda at: retention.step(desk, at=at), is_long=True),
        Step("key_sweep", 21, minute, lambda at: key_sweep.step(desk.sessions, at=at), is_long=True),
    )


def seal_step(sealer: Sealer) -> Step:
    """The step that seals each second what has grown."""
    return Step("seal", 6, timedelta(seconds=1), sealer.step)


def signing_steps(sessions: Sessions, signer: SignsCheckpoints) -> tuple[Step, ...]:
    """List the steps of whoever has the signer: to seal, and to look whether the database was set back."""
    guard = Step("guard", 17, timedelta(minutes=1), lambda at: guarding.guard_step(sessions, signer, at))
    return (seal_step(Sealer(sessions, signer)), guard)


def anchor_step(anchorer: Anchorer) -> Step:
    """The step that looks each second which anchors are due; each has a period of its own."""
    return Step("anchor", 7, timedelta(seconds=1), anchorer.step)


def siem_steps(sessions: Sessions, sinks: Sequence[Sink]) -> tuple[Step, ...]:
    """The step that sends activity to a SIEM, if there is one; it may wait long for an answer."""
    return (Step("siem", 30, timedelta(seconds=1), Stream(sessions, sinks).step),) if sinks else ()


def verify_step(verifying: Verifying) -> Step:
    """The step that verifies what is new each minute, and everything each night."""
    return Step("verify", 41, timedelta(minutes=1), verifying.step, is_long=True)


def export_step(exporter: Exporter) -> Step:
    """The step that makes the bundles that were asked for."""
    return Step("exports", 9, timedelta(seconds=1), exporter.step, is_long=True)


def months_step(sessions: Sessions, *, at: datetime) -> int:
    """Make the partitions of payloads and predictions for this month and the next; return how many lacked."""
    with sessions.begin() as session:
        return installations.ensure_months(session, at)


def run_alone(sessions: Sessions, step: Step, at: datetime) -> int | None:
    """Do a step unless another process is doing it; return how much it found, None if another has it."""
    if step.is_long:
        with locks.hold_step(sessions, step.number) as held:
            return step.run(at) if held else None
    with sessions.begin() as session:
        return step.run(at) if locks.try_step(session, step.number) else None
