"""Every edit of a row is found, with its log, its seq and the columns."""

from collections.abc import Callable

import pytest

from reviewsvc.domain.verdict import Report, Verdict
from tests.fixtures.template import Template
from tests.integration import history
from tests.integration.history import LABELS, PREDICTIONS, verified

pytestmark = pytest.mark.real

# What no entry says; docs/audit-format.md lists it.
STATE = {("task", "overdue"), ("task", "closed_at"), ("decision", "slot_id"), ("prediction", "segment")}
OF_ENTRIES = ("prediction", "quarantine", "task", "decision", "label", "activity", "document")
# One row of each table in which every column is filled that ever is.
ROW = {
    "prediction": "log_id = 7 AND seq = 3",
    "quarantine": "seq = 8",
    "task": "task_id = (SELECT task_id FROM task WHERE status = 'decided' ORDER BY task_id LIMIT 1)",
    "decision": "at = (SELECT min(at) FROM decision WHERE retracted_seq > 0) AND retracted_seq > 0",
    "label": "seq = 3",
    "activity": "kind = 'retraction' AND at = (SELECT min(at) FROM activity WHERE kind = 'retraction')",
    "document": "kind = 'contract' AND version = 1",
}
REOPEN = "UPDATE task SET answer_log_id = NULL, answer_seq = NULL, answer_label = NULL, status = 'pending'"
RETRACT = "UPDATE decision SET retracted_log_id ="
SEAL = "UPDATE payload SET ciphertext ="
COPY_PAYLOAD = "INSERT INTO payload SELECT retention_class, at, log_id, 0, ciphertext FROM payload"
OTHER = {
    "boolean": "NOT {0}",
    "bytea": "set_byte({0}, 0, get_byte({0}, 0) # 1)",
    "double precision": "coalesce({0}, 0) + 0.5",
    "text": "coalesce({0}, '') || 'x'",
    "ARRAY": "{0} || ARRAY['x']",
    "timestamp with time zone": "coalesce({0}, now()) + interval '1 microsecond'",
    "uuid": "'00000000-0000-7000-8000-000000000000'",
}


@pytest.fixture(scope="module")
def owner_url(template: Template, copy_template: Callable[[], str]) -> str:
    """The superuser's address of a database with a history; tests take back what they change."""
    name = copy_template()
    history.make(template.process_url(name))
    return template.owner_url(name)


def columns(owner_url: str) -> list[tuple[str, str, str]]:
    query = (
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        f"WHERE table_schema = 'public' AND table_name = ANY(ARRAY{list(OF_ENTRIES)}) "
        "ORDER BY table_name, ordinal_position"
    )
    found = [tuple(row) for row in history.rows(owner_url, query)]
    return [row for row in found if row[:2] not in STATE]


def words(report: Report, log: str, seq: int) -> str:
    return "; ".join(finding.what for finding in report.findings if (finding.log, finding.seq) == (log, seq))


def expected(owner_url: str, table: str, column: str) -> tuple[tuple[str, int], tuple[str, ...]]:
    """Where a change of a column is to be found, and words of which one is to be said."""
    if column == "escalated" or (table, column) == ("decision", "prediction_at"):
        return ("(tables)", 0), ("another time of its prediction", "marked as escalated")
    if column.startswith("retracted_"):
        return standing(owner_url, table, "retracted_"), ("not marked as taken back",)
    if column == "status" or column.startswith("answer_"):
        return standing(owner_url, table, "answer_"), ("another answer", "carry the answer", "gives none")
    return standing(owner_url, table), (column, "missing")


def standing(owner_url: str, table: str, prefix: str | None = None) -> tuple[str, int]:
    """The place of the entry that the chosen row, or what happened to it, is from."""
    prefix = ("prediction_" if table == "task" else "") if prefix is None else prefix
    rows = f"(SELECT * FROM {table} WHERE {ROW[table]}) t"
    query = f"SELECT l.name, t.{prefix}seq FROM {rows} JOIN log l ON l.log_id = t.{prefix}log_id"
    ((name, seq),) = history.rows(owner_url, query)
    return str(name), int(seq)


def without_checks(table: str) -> str:
    return (
        "DO $$ DECLARE c text; BEGIN FOR c IN SELECT conname FROM pg_constraint "
        f"WHERE conrelid = '{table}'::regclass AND contype = 'c' LOOP "
        f"EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', c); END LOOP; END $$"
    )


def test_what_was_not_touched_is_verified_and_said_to_be_unsigned(owner_url: str) -> None:
    report = verified(owner_url)
    assert (report.verdict, report.findings, report.remarks) == (Verdict.VERIFIED, [], ["unsigned"])
    assert report.entries == history.rows(owner_url, "SELECT count(*) FROM entry")[0][0]
    assert {log.log for log in report.logs} >= {PREDICTIONS, LABELS, "activity/3/0", "root/0"}


def test_one_log_can_be_verified_alone(owner_url: str) -> None:
    report = verified(owner_url, only=LABELS)
    assert ([log.log for log in report.logs], report.verdict) == ([LABELS], Verdict.VERIFIED)


def test_each_column_of_each_projection_is_compared_with_its_entry(owner_url: str) -> None:
    """The finding stands at the entry that the column is from."""
    partition = "SELECT ensure_partitions(3::smallint, date '2026-11-01')"
    unseen = []
    for table, column, kind in columns(owner_url):
        value = "3" if column == "retention_class" else OTHER.get(kind, "coalesce({0}, 0) + 100")
        change = f"UPDATE {table} SET {column} = {value.format(column)} WHERE {ROW[table]}"
        report = verified(owner_url, without_checks(table), partition, change)
        place, words = expected(owner_url, table, column)
        told = [finding.what for finding in report.findings if (finding.log, finding.seq) == place]
        if not any(word in what for what in told for word in words):
            unseen.append((table, column, place, report.findings))
    assert unseen == []


@pytest.mark.parametrize("table", OF_ENTRIES)
def test_a_row_that_is_missing_is_named(owner_url: str, table: str) -> None:
    report = verified(owner_url, f"DELETE FROM {table} WHERE {ROW[table]}")
    assert report.verdict == Verdict.TAMPERED
    assert "missing" in words(report, *standing(owner_url, table))


@pytest.mark.parametrize(("table", "seq"), [(table, seq) for table in OF_ENTRIES for seq in (-1, 10_000)])
def test_a_row_that_no_entry_asks_for_is_found(owner_url: str, table: str, seq: int) -> None:
    at = "prediction_seq" if table == "task" else "seq"
    names = [name for one, name, _ in columns(owner_url) if one == table]
    extra = {"task": ["id_hash", "task_id"], "decision": ["decision_id"], "document": ["version"]}.get(
        table, []
    )
    new = {
        "id_hash": "decode(repeat('ab', 16), 'hex')",
        "task_id": "gen_random_uuid()",
        "decision_id": "gen_random_uuid()",
        "version": "version + 70",
        at: str(seq),
    }
    made = [new[name] if name == at or name in extra else name for name in names]
    insert = (
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(made)} FROM {table} WHERE {ROW[table]}"
    )
    report = verified(owner_url, insert)
    assert report.verdict == Verdict.TAMPERED
    told = " ".join(finding.what for finding in report.findings)
    assert table in told or "task" in told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE task SET escalated = false WHERE escalated", "not in the queue leads"),
        ("UPDATE task SET escalated = true WHERE status = 'decided'", "no entry says so"),
        ("UPDATE task SET queue_id = 3 WHERE escalated", "not in the queue leads"),
        ("UPDATE task SET priority = 1 WHERE NOT escalated", "priority"),
        (f"{REOPEN} WHERE status = 'decided'", "does not carry the answer"),
        ("UPDATE task SET status = 'decided' WHERE status = 'pending'", "closed without one"),
        ("DELETE FROM label_current", "label_current"),
        ("UPDATE label_current SET seq = 5 WHERE seq = 7", "label_current"),
        ("INSERT INTO label_current VALUES (1, decode(repeat('ab', 16), 'hex'), 6, 4)", "label_current"),
        (f"{RETRACT} 3, retracted_seq = 5 WHERE retracted_seq IS NULL", "rows of decision"),
        (f"{RETRACT} NULL, retracted_seq = NULL", "taken back"),
        (f"{SEAL} set_byte(ciphertext, 40, get_byte(ciphertext, 40) # 1) WHERE seq = 3", "stored payload"),
        (f"{SEAL} ciphertext || '\\x00' WHERE seq = 3", "stored payload"),
        ("UPDATE payload SET at = at + 1 WHERE seq = 3", "stored payload"),
        ("DELETE FROM payload WHERE log_id = 7 AND seq = 3", "payload is missing"),
        (f"{COPY_PAYLOAD} WHERE log_id = 7 AND seq = 3", "payload holds a row"),
        ("DELETE FROM keys.data_key WHERE subject IS NOT NULL", "differs in subject"),
        ("UPDATE document SET body = '{}' WHERE kind = 'contract' AND version = 1", "differs in body"),
        ("DELETE FROM log WHERE name = 'activity/2/0'", "the log activity/2 is missing"),
        ("DELETE FROM log WHERE name = 'labels/loans/0'", "which does not exist"),
    ],
)
def test_what_no_single_row_tells_is_found(owner_url: str, change: str, told: str) -> None:
    report = verified(owner_url, change)
    assert report.verdict == Verdict.TAMPERED
    assert told in " ".join(finding.what for finding in report.findings)


def test_a_segment_must_be_gone_with_its_key(owner_url: str) -> None:
    forgotten = ("DELETE FROM keys.data_key", "UPDATE prediction SET subject = NULL")
    report = verified(owner_url, *forgotten)
    unexplained = "its key is gone, and no erasure says so"
    assert {finding.what for finding in report.findings} == {
        "its key is gone, and its row in prediction still has a segment",
        unexplained,
    }
    report = verified(owner_url, *forgotten, "UPDATE prediction SET segment = NULL")
    assert {finding.what for finding in report.findings} == {unexplained}
