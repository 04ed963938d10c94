"""Scripted reviewers: they log in by the form, take cases from the desk and answer what the bank decided."""

import random
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reviewsvc.demo.browser import Browser, Form, Page, PageError, desks
from reviewsvc.demo.model import CLASSES
from reviewsvc.local.log_ins import LogIn

SUBJECT = re.compile(r"application \d+")
IDLE_SECONDS = 0.25


@dataclass
class Given:
    """An answer that a reviewer gave: to which application, which, and whether it was taken back."""

    application: str
    decision_id: str
    value: str
    undone: bool = False


@dataclass
class Reviewer:
    """One reviewer; `truths` maps application numbers to the bank's decisions.

    Errs in the share `errs` of the cases, drawn from `seed`, and takes every second error back.
    """

    address: str
    log_in: LogIn
    truths: Mapping[str, str]
    seed: int
    errs: float = 0.0
    given: list[Given] = field(default_factory=list)
    failure: Exception | None = None

    def work(self, is_over: Callable[[], bool]) -> None:
        """Decide cases until it is over and nothing waits; what goes wrong is kept in `failure`."""
        try:
            desk = _Desk(self)
            while not (_nothing_waits(desk) and is_over()):
                time.sleep(IDLE_SECONDS)
        except Exception as error:  # noqa: BLE001 - kept for whoever waits for this thread
            self.failure = error

    def start(self, is_over: Callable[[], bool]) -> threading.Thread:
        """Work in a thread of its own."""
        thread = threading.Thread(target=self.work, args=(is_over,), name=self.log_in.login, daemon=True)
        thread.start()
        return thread


class _Desk:
    def __init__(self, reviewer: Reviewer) -> None:
        self._who = reviewer
        self._chance = random.Random(reviewer.seed)  # noqa: S311 - repeatable on purpose
        self._errors = 0
        self._browser = Browser(reviewer.address)
        entrance = self._browser.get("/login").form(action="/login")
        typed = {"login": reviewer.log_in.login, "password": reviewer.log_in.password}
        if self._browser.submit(entrance, typed).url.endswith("/login"):
            raise PageError(f"{reviewer.log_in.login} was not let in")

    def decide_all(self) -> int:
        """Go through the desks until each has no case; return how many were decided."""
        before = len(self._who.given)
        for path in desks(self._browser.get("/queues")):
            while (page := self._browser.get(path)) and (answer := _answer_form(page)):
                self._decide(page, answer, path)
        return len(self._who.given) - before

    def _decide(self, page: Page, answer: Form, path: str) -> None:
        application = _application(page)
        truth = self._who.truths[application]
        errs = self._chance.random() < self._who.errs
        given = self._answer(answer, application, _other(truth) if errs else truth)
        self._errors += errs
        if errs and self._errors % 2:
            self._take_back(given, path)

    def _answer(self, form: Form, application: str, value: str) -> Given:
        if value not in [each.field.get("value") for each in form.buttons]:
            raise PageError(f"the desk offers no answer {value} for {application}")
        said = self._browser.submit_for_json(form, {"value": value}, uuid.uuid4().hex)
        given = Given(application, said["decision"]["id"], value)
        self._who.given.append(given)
        return given

    def _take_back(self, given: Given, path: str) -> None:
        undo = self._browser.get(path).form(**{"data-act-form": "undo"})
        if given.decision_id not in undo.action:
            raise PageError(f"the desk offers to undo {undo.action}, not the decision just made")
        self._browser.submit(undo, {})
        given.undone = True


def _nothing_waits(desk: _Desk) -> bool:
    return desk.decide_all() == 0


def _answer_form(page: Page) -> Form | None:
    return next((each for each in page.forms if each.attributes.get("id") == "answer"), None)


def _application(page: Page) -> str:
    found = SUBJECT.search(page.text)
    if found is None:
        raise PageError(f"the case on {page.url} names no application")
    return found.group()


def _other(value: str) -> str:
    return next(each for each in CLASSES if each != value)
