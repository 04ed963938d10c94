"""An installation with a history in which every kind of row occurs, and edits to it that are taken back."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg

from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.verdict import Report
from reviewsvc.usecases import answers, claims
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.due import due_step
from reviewsvc.usecases.installation import open_installation
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.verification import verify
from tests.fixtures.cases import CONTRACT, LEADS, POLICY, QUEUE, SECOND, Bank, event
from tests.fixtures.installed import AT, KEK, ORIGIN, House

PREDICTIONS = "predictions/reviewsvc.predictions.v1/0/0"
LABELS = "labels/loans/0"
LATER = AT + timedelta(minutes=5)
DUE = AT + timedelta(minutes=45)


def make(process_url: str) -> None:
    """Let things happen in a migrated database: captured, decided, taken back, escalated, defaulted."""
    sessions, worker = Sessions(process_url, "web", size=2), Sessions(process_url, "worker", size=2)
    keyring = Keyring(KEK)
    house = House(sessions, keyring, open_installation(sessions, keyring, ORIGIN, AT))
    bank = Bank(house, Desk(sessions, keyring), process_url)
    _capture(bank)
    _review(bank)
    due_step(Desk(worker, keyring), at=DUE)
    sessions.close()
    worker.close()


def _capture(bank: Bank) -> None:
    queue = {**QUEUE, "due_in_minutes": 40, "when_due": {"escalate": "leads"}}
    bank.apply(CONTRACT, POLICY, LEADS, queue)
    bank.capture(
        [
            *(event(f"p-{number}", segment="a") for number in range(6)),
            event("p-0"),
            b"{no event",
            event("p-6", model={"name": "nobody", "version": "1"}),
            event("p-7", subject=None, input={"income": "much", "job": 7}),
            event("p-8", output={"label": "refuse", "confidence": 0.99}),
        ]
    )
    # Rows written from here on stand in another retention class; those before do not.
    bank.apply({**CONTRACT, "retention": {"class": "short", "keep_days": 30}})
    bank.apply({**queue, "name": "soon", "due_in_minutes": 5, "when_due": "defaulted"})
    bank.apply({**POLICY, "rules": [{**POLICY["rules"][0], "queue": "soon"}]})
    bank.capture([event("p-9"), event("p-10")], at=AT + SECOND)


def _review(bank: Bank) -> None:
    anna, bert = bank.person("anna"), bank.person("bert")
    agreed, corrected, undone, moved = bank.claim(anna, 4, at=LATER)
    bank.decide(anna, agreed, at=LATER)
    bank.decide(anna, corrected, "refuse", at=LATER)
    taken_back = bank.decide(anna, undone, at=LATER)
    answers.undo(bank.desk, taken_back.decision_id, actor=anna, at=LATER + SECOND, hold=False)
    claims.escalate(bank.desk, moved.task_id, moved.token, "not for me", actor=anna, at=LATER + 2 * SECOND)
    (again,) = bank.claim(bert, at=LATER + 3 * SECOND)
    said = bank.decide(bert, again, "refuse", at=LATER + 3 * SECOND)
    answers.undo(bank.desk, said.decision_id, actor=bert, at=LATER + 4 * SECOND)
    bank.decide(bert, again._replace(token=again.token + 1), "approve", at=LATER + 5 * SECOND, number=1)


@contextmanager
def edited(owner_url: str, *statements: Any) -> Iterator[Connected]:
    """Change the database as its owner can, with no trigger or key to stop it; taken back at the end."""
    with psycopg.connect(owner_url) as conn:
        conn.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            conn.execute(statement)
        yield conn
        conn.rollback()


def verified(owner_url: str, *statements: Any, **options: Any) -> Report:
    """The report of a verification after these changes."""
    with edited(owner_url, *statements) as conn:
        return verify(conn, **options)


def rows(owner_url: str, query: Any) -> list[tuple[Any, ...]]:
    """What the owner reads."""
    with psycopg.connect(owner_url) as conn:
        return conn.execute(query).fetchall()
