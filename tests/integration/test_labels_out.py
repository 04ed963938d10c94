import csv
import io
import json
from datetime import timedelta

import msgspec
import pytest
import sqlalchemy as sa

from reviewsvc.db import tables as t
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.labels import FIELDS, CursorError
from reviewsvc.usecases import answers, decisions, labels, quarantine
from reviewsvc.usecases.due import due_step
from reviewsvc.usecases.labels import ModelMissingError
from reviewsvc.usecases.sent_ids import NotCapturedError, SeveralSourcesError
from tests.fixtures.cases import QUEUE, SECOND, TOPIC, Bank, event, forget_subjects
from tests.fixtures.installed import AT

pytestmark = pytest.mark.real
DATA = Actor("token", "00000000-0000-7000-8000-00000000dada")


def page(bank: Bank, after: str | None = None, limit: int = 100) -> labels.Page:
    return labels.page(bank.desk, "loans", after, limit, actor=DATA, at=AT)


def decided(bank: Bank, count: int) -> None:
    bank.capture([event(f"p-{number}") for number in range(count)])
    anna = bank.person("anna")
    for number in range(count):
        (held,) = bank.claim(anna)
        bank.decide(anna, held, "refuse" if number % 2 else "approve")


def exports(bank: Bank) -> int:
    return len(bank.rows(sa.select(t.activity).where(t.activity.c.kind == "export")))


def test_a_cursor_gives_every_label_once_and_then_nothing_new(bank: Bank) -> None:
    decided(bank, 5)
    first = page(bank, limit=3)
    second = page(bank, first.next, 3)
    assert [one.prediction_id for one in first.items + second.items] == [f"p-{n}" for n in range(5)]
    assert (first.next, second.next) == ("0.3", "0.5")
    again = page(bank, second.next)
    assert (again.items, again.next, again.continuation) == ([], "0.5", None)
    assert exports(bank) == 2


def test_a_stream_gives_the_same_labels_as_the_pages(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "_AT_ONCE", 2)
    decided(bank, 5)
    batches = list(labels.stream(bank.desk, "loans", None, actor=DATA, at=AT))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    items = page(bank).items
    assert [one for batch in batches for one in batch] == items
    lines = b"".join(labels.as_lines(iter(batches))).splitlines()
    assert [json.loads(line) for line in lines] == msgspec.to_builtins(items)
    table = list(csv.DictReader(io.StringIO(b"".join(labels.as_csv(iter(batches))).decode())))
    assert list(table[0]) == list(FIELDS)
    assert [(row["agreed"], row["supersedes"], row["weight"]) for row in table[:2]] == [
        ("true", "", "1.0"),
        ("false", "", "1.0"),
    ]


def test_a_stream_that_begins_late_gives_what_follows(bank: Bank) -> None:
    decided(bank, 3)
    batches = labels.stream(bank.desk, "loans", "0.2", actor=DATA, at=AT)
    assert [one.label_id for batch in batches for one in batch] == ["0.3"]
    assert list(labels.stream(bank.desk, "loans", "0.3", actor=DATA, at=AT)) == []


def test_an_erased_subjects_labels_leave_as_withdrawals_and_stop_nothing(bank: Bank, owner_url: str) -> None:
    decided(bank, 2)
    before = page(bank).items
    forget_subjects(owner_url)
    after = page(bank).items
    assert [(one.op, one.label_id, one.prediction_id) for one in after] == [
        ("withdraw", "0.1", None),
        ("withdraw", "0.2", None),
    ]
    assert [one.seq for one in before] == [one.seq for one in after]


@pytest.mark.parametrize("cursor", ["0.9", "3.1", "x"])
def test_a_cursor_that_was_never_given_is_refused(bank: Bank, cursor: str) -> None:
    decided(bank, 1)
    with pytest.raises(CursorError):
        page(bank, cursor)


def test_a_model_that_does_not_exist_has_no_labels(bank: Bank) -> None:
    with pytest.raises(ModelMissingError, match="There is no model nobody"):
        labels.page(bank.desk, "nobody", None, 10, actor=DATA, at=AT)


def test_a_cursor_of_an_older_incarnation_is_told_how_the_log_went_on(bank: Bank, owner_url: str) -> None:
    decided(bank, 1)
    engine = sa.create_engine(owner_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "WITH made AS (INSERT INTO log (series, incarnation, kind, model)"
                " VALUES ('labels/loans', 1, 'labels', 'loans') RETURNING log_id), head AS ("
                " INSERT INTO head (log_id, size) SELECT log_id, 1 FROM made)"
                " INSERT INTO entry SELECT made.log_id, 0, entry.body FROM made, entry"
                " JOIN log USING (log_id) WHERE log.name = 'labels/loans/0' AND entry.seq = 0"
            )
        )
    engine.dispose()
    answer = page(bank, "0.1")
    assert (answer.items, answer.next) == ([], "1.0")
    assert answer.continuation
    assert answer.continuation["log"] == "labels/loans/1"
    assert page(bank, "1.0").continuation is None


def test_the_answer_to_a_system_that_asks_follows_the_task(bank: Bank) -> None:
    sure = {"label": "approve", "confidence": 0.99}
    bank.apply({**QUEUE, "due_in_minutes": 30, "when_due": "defaulted"})
    bank.capture([event("p-1"), event("p-2")])
    anna = bank.person("anna")

    def ask(prediction_id: str, at: timedelta = SECOND) -> tuple[str, object, object]:
        said = decisions.answer(bank.desk, "loans", prediction_id, None, actor=DATA, at=AT + at)
        assert (said.version, said.source, said.prediction_id) == ("1.0", TOPIC, prediction_id)
        return said.status, said.value, said.model_value

    assert ask("p-1") == ("pending", None, "approve")
    assert ask("p-1", timedelta(minutes=31)) == ("overdue", None, "approve")
    (held,) = bank.claim(anna)
    made = bank.decide(anna, held, "refuse")
    assert ask("p-1") == ("decided", "refuse", "approve")
    answers.undo(bank.desk, made.decision_id, actor=anna, at=AT)
    assert ask("p-1") == ("pending", None, "approve")
    due_step(bank.desk, at=AT + timedelta(minutes=30))
    assert ask("p-2") == ("defaulted", "approve", "approve")
    number = next(n for n in range(99) if _is_auto(bank, f"auto-{n}", sure))
    assert ask(f"auto-{number}") == ("auto", "approve", "approve")


def _is_auto(bank: Bank, prediction_id: str, sure: dict[str, object]) -> bool:
    before = len(bank.rows(sa.select(t.task)))
    bank.capture([event(prediction_id, output=sure)])
    return len(bank.rows(sa.select(t.task))) == before


def test_several_sources_with_one_id_must_be_told_apart(bank: Bank) -> None:
    one = {"specversion": "1.0", "type": "t", "id": "1", "source": "branch", "data": event("p-1")}
    bank.capture([event("p-1")])
    structured = {"content-type": b"application/cloudevents+json"}
    bank.capture([json.dumps(one).encode()], headers=tuple(structured.items()))
    with pytest.raises(SeveralSourcesError, match="name one"):
        decisions.answer(bank.desk, "loans", "p-1", None, actor=DATA, at=AT)
    said = decisions.answer(bank.desk, "loans", "p-1", "branch", actor=DATA, at=AT)
    assert (said.source, said.entry_seq) == ("branch", 2)


def test_a_source_that_is_no_topic_is_read_from_the_payload_and_logged(bank: Bank) -> None:
    one = {"specversion": "1.0", "type": "t", "id": "1", "source": "branch", "data": event("p-1")}
    bank.capture([json.dumps(one).encode()], headers=(("content-type", b"application/cloudevents+json"),))
    said = decisions.answer(bank.desk, "loans", "p-1", None, actor=DATA, at=AT)
    assert said.source == "branch"
    assert len(bank.rows(sa.select(t.activity).where(t.activity.c.kind == "access"))) == 1


def test_what_was_never_captured_is_said_to_be_so(bank: Bank) -> None:
    with pytest.raises(NotCapturedError, match="No prediction p-9 of loans"):
        decisions.answer(bank.desk, "loans", "p-9", None, actor=DATA, at=AT)


def test_quarantine_is_listed_without_bytes_and_opened_with_an_access_entry(bank: Bank) -> None:
    bank.capture([b'{"broken":', event("p-1"), b"\xff\xfe"])
    newest, oldest = quarantine.page(bank.desk, None, 10)
    assert (newest.offset, newest.reason, newest.size) == (2, "not_utf8", 2)
    assert (oldest.offset, oldest.size, oldest.topic) == (0, 10, TOPIC)
    assert quarantine.page(bank.desk, newest.place, 10) == [oldest]
    anna = bank.person("anna")
    record = quarantine.open_raw(bank.desk, newest.log, newest.seq, actor=anna, at=AT)
    assert record.value == b"\xff\xfe"
    assert len(bank.rows(sa.select(t.activity).where(t.activity.c.kind == "access"))) == 1
    with pytest.raises(quarantine.QuarantineMissingError):
        quarantine.open_raw(bank.desk, newest.log, 2, actor=anna, at=AT)
