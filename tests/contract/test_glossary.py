"""The glossary knows every name that a reader meets in tables, entries, topics, roles and states."""

import re
from typing import Final

import pytest

from reviewsvc import config
from reviewsvc.domain import facts, permissions
from reviewsvc.domain.decisions import STATUSES
from reviewsvc.domain.review import SlotState, Status
from reviewsvc.domain.verdict import Verdict
from tests.contract.source import ROOT

pytestmark = pytest.mark.unit

PAGE: Final = (ROOT / "docs" / "glossary.md").read_text()
NAMED: Final = set(re.findall(r"`([\w.]+)`", PAGE))
SQL: Final = "".join(path.read_text() for path in sorted((ROOT / "migrations" / "sql").glob("*.sql")))
DEFAULTS: Final = dict(config.names())


def test_every_table_and_no_other_stands_in_the_glossary() -> None:
    renamed = dict(re.findall(r"^ALTER TABLE ([\w.]+) RENAME TO (\w+);", SQL, re.MULTILINE))
    tables = {renamed.get(name, name) for name in re.findall(r"^CREATE TABLE ([\w.]+) \(", SQL, re.MULTILINE)}
    section = PAGE.partition("\n## Tables\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.+?`) \| \S", section, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([\w.]+)`", row)} == tables


def test_every_kind_of_entry_and_log_stands_in_the_glossary() -> None:
    kinds = re.search(r"kind IN \(('predictions'.+?)\)", SQL)
    assert kinds
    assert set(facts.KINDS) | set(re.findall(r"\w+", kinds[1])) <= NAMED


def test_every_topic_stands_in_the_glossary() -> None:
    topics = re.findall(r"^\| `(reviewsvc\.[\w.]+)` \| (?:in|out) \|", PAGE, re.MULTILINE)
    told = [default for name, default in DEFAULTS.items() if name.endswith(("_TOPIC", "_TOPICS"))]
    names = [topic for each in told for topic in (each if isinstance(each, tuple) else (each,))]
    assert sorted(topics) == sorted(map(str, names))


def test_every_role_state_and_verdict_stands_in_the_glossary() -> None:
    states = {each.value for each in [*SlotState, *Status]}
    assert {*permissions.PERMISSIONS, *STATUSES, *states} <= NAMED
    assert [each.value for each in Verdict if each.value not in PAGE] == []
