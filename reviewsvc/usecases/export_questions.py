"""An auditor's question, as a form, a program or a command asks it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from reviewsvc.domain.bundle import Question, QuestionError, check_question
from reviewsvc.domain.moments import microseconds, moment
from reviewsvc.usecases.bundle_plan import subject_pseudonym
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.people import PersonMissingError, get_by_login

KINDS: Final[Mapping[str, str]] = {
    "range": "A range of time, whole logs",
    "model": "All about a model",
    "subject": "All cases of a subject",
    "reviewer": "What a reviewer did",
    "queue": "All cases of a queue",
    "case": "One case",
}
_TERMS: Final[Mapping[str, tuple[str, ...]]] = {
    "range": (),
    "model": ("model",),
    "subject": ("subject",),
    "reviewer": ("reviewer",),
    "queue": ("queue",),
    "case": ("model", "prediction_id"),
}
_NAMES: Final = {"prediction_id": "prediction id", "reviewer": "reviewer's login"}


def make_question(
    desk: Desk,
    kind: str,
    terms: Mapping[str, str],
    *,
    logs: tuple[str, ...] = (),
    since: datetime | None = None,
    until: datetime | None = None,
) -> Question:
    """Make the question of a kind from what was typed; terms of other kinds are left out.

    Raises QuestionError, which says what is missing.
    """
    if kind not in KINDS:
        raise QuestionError(f"a bundle is about one of {', '.join(KINDS)}")
    missing = [_NAMES.get(name, name) for name in _TERMS[kind] if not terms.get(name)]
    if missing:
        raise QuestionError(f"a bundle about a {kind} needs the {' and the '.join(missing)}")
    said: dict[str, Any] = {name: terms[name] for name in _TERMS[kind]}
    if "subject" in said:
        said["subject"] = subject_pseudonym(desk.sessions, desk.keyring, said["subject"])
    if "reviewer" in said:
        said["reviewer"] = _person(desk, said["reviewer"])
    if kind == "case" and terms.get("source"):
        said["source"] = terms["source"]
    times: dict[str, Any] = {
        name: microseconds(at) for name, at in (("since", since), ("until", until)) if at
    }
    known: Any = kind
    return check_question(Question(known, logs=list(logs) if kind == "range" else [], **said, **times))


def question_words(question: Question) -> str:
    """Say in a line what is asked."""
    names = {
        "range": ", ".join(question.logs) or "all logs",
        "model": f"model {question.model}",
        "subject": f"subject {(question.subject or '')[:8]}…",
        "reviewer": "one reviewer",
        "queue": f"queue {question.queue}",
        "case": f"case {question.prediction_id} of {question.model}",
    }
    said = names[question.kind]
    for word, at in (("from", question.since), ("until", question.until)):
        if at is not None:
            said += f", {word} {moment(at):%Y-%m-%d %H:%M} UTC"
    return said


def _person(desk: Desk, login: str) -> str:
    try:
        return str(get_by_login(desk.sessions, login).person.person_id)
    except PersonMissingError as error:
        raise QuestionError(f"nobody has the login {login}") from error
