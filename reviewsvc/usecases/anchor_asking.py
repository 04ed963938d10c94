"""Asks anchors, each in a thread of its own: one that never ends its answer delays no other."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from reviewsvc.domain.anchoring import BROKEN, KEPT, UNREACHABLE, Anchor, AnchorError, Head, Kept

PATIENCE_S: Final = 30.0
# At a start nobody waits longer for what an anchor shows.
SHORTLY_S: Final = 10.0


class Answer(NamedTuple):
    """What an anchor answered; `known` is the size that it says it has, `notes` what it shows for that."""

    outcome: str
    why: str = ""
    kept: Kept = Kept()
    known: int | None = None
    notes: tuple[bytes, ...] = ()


class Question(NamedTuple):
    """What an anchor is asked, by its name."""

    name: str
    ask: Callable[[], Kept]


def giving(anchor: Anchor, head: Head, old: int) -> Question:
    """Give an anchor a checkpoint; `old` is the size of the last one that it kept."""
    return Question(anchor.name, lambda: anchor.keep(head, old))


def showing(anchor: Anchor, log: str, old: int) -> Question:
    """Ask an anchor for the newest checkpoint that it has beyond `old` entries of a root log."""
    return Question(anchor.name, lambda: Kept(shown=anchor.newest(log, old)))


class Asker:
    """Asks anchors at once; whoever has not answered in time is not asked again before he has."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._running: dict[str, threading.Thread] = {}

    def is_busy(self, name: str) -> bool:
        """Say whether an anchor's last answer is still awaited."""
        running = self._running.get(name)
        return running is not None and running.is_alive()

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Return the answers, in the order of the questions, after `patience_s` seconds at the latest."""
        late = Answer(UNREACHABLE, f"it has not come to an end within {self._patience_s:.0f} s")
        answers = {each.name: late for each in questions}
        until = time.monotonic() + self._patience_s
        for each in questions:
            thread = threading.Thread(target=_run, args=(each, answers), name="anchor", daemon=True)
            self._running[each.name] = thread
            thread.start()
        for each in questions:
            self._running[each.name].join(max(0.0, until - time.monotonic()))
        return [answers[each.name] for each in questions]


def _run(question: Question, answers: dict[str, Answer]) -> None:
    try:
        answer = Answer(KEPT, kept=question.ask())
    except AnchorError as error:
        answer = Answer(error.outcome, str(error), known=error.known, notes=error.notes)
    except Exception as error:  # noqa: BLE001 - somebody else's server must not end the worker
        answer = Answer(BROKEN, f"{type(error).__name__}: {error}")
    answers[question.name] = answer
