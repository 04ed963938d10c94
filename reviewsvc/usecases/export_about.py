"""Says in an export's entry what its bundle was about, so that a case's story can tell which ones had it."""

from reviewsvc.db.sessions import Session
from reviewsvc.domain.bundle import Question
from reviewsvc.domain.export_facts import MOST_LOGS, About
from reviewsvc.usecases.bundle_plan import case_terms
from reviewsvc.usecases.keyring import Keyring


def said_of(session: Session, keyring: Keyring, question: Question) -> About:
    """Say a question in ids of ours and keyed hashes."""
    is_case = question.kind == "case"
    found = case_terms(session, keyring, question)["ids"] if is_case else []
    return About(
        kind=question.kind,
        subject=question.subject,
        reviewer=question.reviewer,
        queue=question.queue,
        ids=[each.hex() for each in found[:MOST_LOGS]],
        logs=question.logs[:MOST_LOGS],
        parts=len(question.logs),
        since=question.since,
        until=question.until,
    )
