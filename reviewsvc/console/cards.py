"""Cards: cases in a reviewer's hands, as the desk shows them."""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress

import msgspec
from flask import render_template

from reviewsvc.usecases import cases, queues
from reviewsvc.usecases.auth import Current
from reviewsvc.usecases.cases import Case
from reviewsvc.usecases.claims import Held
from reviewsvc.usecases.dossiers import ErasedError, TaskMissingError
from reviewsvc.usecases.hands import Place
from reviewsvc.usecases.queues import QueueFigures
from reviewsvc.web.services import services


class Card(Case, frozen=True, kw_only=True):
    """A case with the key under which its answer is sent: fresh for each card."""

    key: str


def card(found: Current, held: Held, queue: str) -> Card:
    """Open a case that a reviewer holds. Raises TaskMissingError, ErasedError."""
    has = services()
    roles = Place(queue, "").roles(found.grants)
    case = cases.show(has.desk, held.task_id, actor=found.actor, roles=roles, at=has.clock())
    return Card(**msgspec.structs.asdict(case), key=str(uuid.uuid4()))


def cards(found: Current, in_hand: Iterable[Held], queue: str) -> Iterator[Card]:
    """Open the cases that a reviewer holds, leaving out those answered, given back or erased meanwhile."""
    for one in in_hand:
        with suppress(ErasedError, TaskMissingError):
            opened = card(found, one, queue)
            if opened.token is not None:
                yield opened


def html(opened: Iterable[Card], queue: QueueFigures) -> str:
    """Return cards as the desk's scripts take them: one after the other."""
    named = heading(queue)
    return "".join(
        render_template("parts/case.html", queue=named, case=one, last=None, refused=None) for one in opened
    )


def figures(found: Current, queue: str) -> QueueFigures:
    """Return a queue with its figures. Raises QueueMissingError."""
    held = services()
    person = found.person.person_id
    return queues.get_queue(held.desk, held.depths, queue, reviewer=person, at=held.clock())


def heading(shown: QueueFigures) -> dict[str, str]:
    """Return what the desk says of its queue."""
    queue = shown.queue
    return {"name": queue.name, "title": queue.title, "instructions": queue.instructions.strip()}


def day(shown: QueueFigures) -> dict[str, int]:
    """Return the two figures of the desk's header."""
    return {"decided": shown.mine.decided, "pending": shown.depth.pending}
