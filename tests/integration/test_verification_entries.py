"""Any change of what a log holds is found, at its place, whether the projections are compared or not."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from reviewsvc.domain.entries import leaf_hash
from reviewsvc.domain.verdict import Report, Verdict
from tests.fixtures.template import Template
from tests.integration import history
from tests.integration.history import LABELS, PREDICTIONS, verified

pytestmark = pytest.mark.real

LOG_ID = f"(SELECT log_id FROM log WHERE name = '{PREDICTIONS}')"
LAST = 13


@pytest.fixture(scope="module")
def owner_url(template: Template, copy_template: Callable[[], str]) -> str:
    name = copy_template()
    history.make(template.process_url(name))
    return template.owner_url(name)


@pytest.fixture(scope="module")
def bodies(owner_url: str) -> list[bytes]:
    found = history.rows(owner_url, f"SELECT body FROM entry WHERE log_id = {LOG_ID} ORDER BY seq")
    return [bytes(body) for (body,) in found]


def stored_as(seq: int, body: bytes) -> sql.Composed:
    return sql.SQL("UPDATE entry SET body = {} WHERE log_id = {} AND seq = {}").format(
        sql.Literal(body), sql.SQL(LOG_ID), sql.Literal(seq)
    )


def entries(condition: str) -> str:
    return f"DELETE FROM entry WHERE log_id = {LOG_ID} AND {condition}"


def first(report: Report) -> tuple[Verdict, str, int]:
    found = [finding for finding in report.findings if finding.log == PREDICTIONS]
    return (report.verdict, found[0].log, found[0].seq) if found else (report.verdict, "", -1)


@pytest.mark.parametrize("projections", [True, False])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_changed_byte_anywhere_is_found_at_its_entry(
    owner_url: str, bodies: list[bytes], projections: object, data: st.DataObject
) -> None:
    seq = data.draw(st.integers(0, LAST))
    at = data.draw(st.integers(0, len(bodies[seq]) - 1))
    changed = bytearray(bodies[seq])
    changed[at] ^= data.draw(st.integers(1, 255))
    report = verified(owner_url, stored_as(seq, bytes(changed)), projections=bool(projections))
    assert report.verdict == Verdict.TAMPERED
    assert (PREDICTIONS, seq) in {(finding.log, finding.seq) for finding in report.findings}


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_bytes_put_in_or_left_out_are_found_at_their_entry(
    owner_url: str, bodies: list[bytes], data: st.DataObject
) -> None:
    seq = data.draw(st.integers(0, LAST))
    at = data.draw(st.integers(0, len(bodies[seq])))
    until = data.draw(st.integers(at, min(at + 40, len(bodies[seq]))))
    put = data.draw(st.binary(max_size=40).filter(lambda new: new != bodies[seq][at:until]))
    changed = bodies[seq][:at] + put + bodies[seq][until:]
    report = verified(owner_url, stored_as(seq, changed))
    assert report.verdict == Verdict.TAMPERED
    assert (PREDICTIONS, seq) in {(finding.log, finding.seq) for finding in report.findings}


@settings(max_examples=10, deadline=None)
@given(pair=st.lists(st.integers(0, LAST), min_size=2, max_size=2, unique=True))
def test_two_entries_in_each_others_place_are_found(
    owner_url: str, bodies: list[bytes], pair: list[int]
) -> None:
    one, other = sorted(pair)
    report = verified(owner_url, stored_as(one, bodies[other]), stored_as(other, bodies[one]))
    places = {(finding.log, finding.seq) for finding in report.findings}
    assert {(PREDICTIONS, one), (PREDICTIONS, other)} <= places


@settings(max_examples=10, deadline=None)
@given(seqs=st.sets(st.integers(0, LAST), min_size=1))
def test_entries_that_are_gone_are_counted_from_the_first_on(owner_url: str, seqs: set[int]) -> None:
    gone = ", ".join(map(str, seqs))
    report = verified(owner_url, entries(f"seq IN ({gone})"), projections=False)
    assert first(report) == (Verdict.TAMPERED, PREDICTIONS, min(seqs))
    assert "missing" in report.findings[0].what


@pytest.mark.parametrize(
    ("change", "seq", "told"),
    [
        ("size = size - 1", LAST, "the head counts 13 entries, but seq 13 is stored"),
        ("size = size + 1", LAST + 1, "entry 14 is missing: the head counts 15"),
        ("last_hash = sha256('')", LAST, "the head carries e3b0c442"),
        ("last_at = last_at + 1", LAST, "the head carries"),
        ("next_offset = 3", 0, "the head goes on at offset 3, before 13"),
        ("topic_id = 'another'", 0, "the head carries topic id another"),
        ("topic_id = NULL", 0, "the head carries topic id None"),
    ],
)
def test_a_head_that_was_changed_is_found(owner_url: str, change: str, seq: int, told: str) -> None:
    report = verified(owner_url, f"UPDATE head SET {change} WHERE log_id = {LOG_ID}")
    assert report.verdict == Verdict.TAMPERED
    assert [told in finding.what for finding in report.findings if finding.seq == seq].count(True) == 1


def test_a_head_that_is_gone_is_found(owner_url: str) -> None:
    report = verified(owner_url, f"DELETE FROM head WHERE log_id = {LOG_ID}")
    assert (PREDICTIONS, 0, "its head is missing") in {
        (finding.log, finding.seq, finding.what) for finding in report.findings
    }


def test_a_log_that_was_emptied_is_found(owner_url: str) -> None:
    wiped = f"UPDATE head SET size = 0, last_hash = decode(repeat('00', 32), 'hex') WHERE log_id = {LOG_ID}"
    report = verified(owner_url, entries("true"), wiped, projections=False)
    assert first(report) == (Verdict.TAMPERED, PREDICTIONS, 0)


def test_a_tail_that_was_cut_with_its_head_leaves_its_rows_behind(
    owner_url: str, bodies: list[bytes]
) -> None:
    """The chain alone cannot know of it: for that the head must be kept elsewhere."""
    digest = leaf_hash(bodies[9]).hex()
    back = f"UPDATE head SET size = 10, last_hash = '\\x{digest}' WHERE log_id = {LOG_ID}"
    cut = (entries("seq >= 10"), back)
    told = " ".join(finding.what for finding in verified(owner_url, *cut).findings)
    assert "rows of prediction have a place (seq) where no entry asks for them" in told
    assert "rows of task" in told


@pytest.mark.parametrize("seq", [-5, 14, 5_000_000])
def test_an_entry_outside_its_log_is_found(owner_url: str, seq: int) -> None:
    more = f"INSERT INTO entry SELECT log_id, {seq}, body FROM entry WHERE log_id = {LOG_ID} AND seq = 3"
    free = "ALTER TABLE entry DROP CONSTRAINT entry_seq_check"
    report = verified(owner_url, free, more)
    assert first(report)[:2] == (Verdict.TAMPERED, PREDICTIONS)


def test_an_entry_that_is_stored_twice_is_found(owner_url: str) -> None:
    free = "ALTER TABLE entry DROP CONSTRAINT entry_pkey"
    more = f"INSERT INTO entry SELECT * FROM entry WHERE log_id = {LOG_ID} AND seq = 3"
    report = verified(owner_url, free, more)
    assert first(report) == (Verdict.TAMPERED, PREDICTIONS, 3)
    assert "stored twice" in report.findings[0].what


def test_entries_of_no_log_are_found(owner_url: str) -> None:
    report = verified(owner_url, "INSERT INTO entry SELECT 99, seq, body FROM entry WHERE log_id = 1")
    assert [(finding.log, finding.what) for finding in report.findings] == [
        ("(tables)", "entries are stored for log 99, which does not exist")
    ]


def rechained(bodies: list[bytes], seq: int, old: bytes, new: bytes) -> list[sql.Composed | str]:
    """Statements that change an entry and then everything behind it, head included."""
    changes: list[sql.Composed | str] = []
    made = bodies[seq].replace(old, new)
    assert made != bodies[seq]
    for place in range(seq, LAST + 1):
        changes.append(stored_as(place, made))
        digest = leaf_hash(made).hex().encode()
        if place < LAST:
            made = bodies[place + 1].replace(leaf_hash(bodies[place]).hex().encode(), digest)
    head = f"UPDATE head SET last_hash = '\\x{digest.decode()}' WHERE log_id = {LOG_ID}"
    return [*changes, head]


FORGED = [
    (4, b'"confidence":"0.6"', b'"confidence":"0.9"', "differs in confidence"),
    (4, b'"offset":3,', b'"offset":2,', "its offset is 2, 0 passed over, but 3 comes next"),
    (4, b'"skipped":0', b'"skipped":1', "1 passed over"),
    (4, b'"partition":0', b'"partition":1', "does not come from the partition of its log"),
    (4, b'"topic_id":"topic-id"', b'"topic_id":"other"', "a topic of another id"),
    (4, b'"kind":"prediction"', b'"kind":"opened"', "do not fit its kind opened"),
    (4, b'"kind":"prediction"', b'"kind":"guess"', "prediction holds a row"),
    (4, b'"label":"approve"', b'"label":1', "do not fit its kind"),
    (4, b'"confidence":"0.6"', b'"confidence":0.6', "floating-point"),
    (4, b'"confidence":"0.6"', b'"confidence":"much"', "its facts make no row"),
    (4, b'"task":"', b'"task":"x', "do not fit its kind"),
    (4, b'"key":"', b'"key":"0', "its bytes are"),
    (4, b'"model":"loans"', b'"model":"moans"', "its facts make no row"),
    (10, b'"violations"', b'"violating"', "do not fit its kind"),
    (4, b'"v":1,', b'"v":1, ', "do not begin as an entry"),
    (4, b'"facts":{', b'"facts":{"label":' + b"[" * 5_000 + b"]" * 5_000 + b",", "its bytes are"),
]


@pytest.mark.parametrize("forgery", FORGED, ids=[told for *_, told in FORGED])
def test_a_log_that_was_forged_to_its_end_does_not_agree_with_the_tables(
    owner_url: str, bodies: list[bytes], forgery: tuple[int, bytes, bytes, str]
) -> None:
    seq, old, new, told = forgery
    report = verified(owner_url, *rechained(bodies, seq, old, new))
    assert report.verdict == Verdict.TAMPERED
    assert told in " ".join(finding.what for finding in report.findings)


def test_a_kind_that_is_not_known_is_named_and_no_fault(owner_url: str, bodies: list[bytes]) -> None:
    change = rechained(bodies, 4, b'"kind":"prediction"', b'"kind":"guess"')
    clean = ("DELETE FROM prediction WHERE seq = 4", "DELETE FROM task WHERE prediction_seq = 4")
    report = verified(owner_url, *change, *clean, only=PREDICTIONS)
    assert (report.verdict, report.logs[0].unknown_kinds) == (Verdict.VERIFIED, ["guess"])


def test_labels_are_verified_like_any_log(owner_url: str) -> None:
    report = verified(owner_url, "UPDATE entry SET body = body || ' ' WHERE log_id = 6 AND seq = 2")
    assert (LABELS, 2) in {(finding.log, finding.seq) for finding in report.findings}
