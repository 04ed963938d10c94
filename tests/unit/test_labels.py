import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc.domain import facts as f
from reviewsvc.domain import labels
from reviewsvc.domain.case_secrets import CaseSecrets
from reviewsvc.domain.decisions import decision_record, read_ending
from reviewsvc.domain.entries import Entry, encode, encode_facts, parse
from reviewsvc.domain.labels import Cursor, LabelEntry

pytestmark = pytest.mark.unit

SECRETS = CaseSecrets(version="1.0", source="loans", prediction_id="p-1", note="not for others")
SAID = f.Label(
    op="add",
    id="ab" * 16,
    model="loan",
    kind="review",
    predicted_at=1_000_000,
    prediction_log="predictions/t/0/0",
    prediction_seq=4,
    prediction_at=1_500_000,
    agreed=False,
    contract=2,
    policy=3,
    label="refuse",
    model_label="approve",
    confidence="0.61",
    reviewer="00000000-0000-7000-8000-000000000001",
    rule="unsure",
    designs=[("unsure", "1.0"), ("sample", "0.05")],
    pi="0.25",
    supersedes=7,
)
DESIGNED = (
    "label_id seq op model version source prediction_id predicted_at labelled_at value model_value "
    "confidence agreed kind reviewer contract_version policy_version rule selection_probability weight "
    "supersedes entry_log entry_seq"
)


def entry(kind: str, said: f.Facts) -> Entry:
    facts = msgspec.Raw(encode_facts(said))
    made = Entry(1, "review.example/labels/loan/0", 9, "00" * 32, 2_000_001, kind, facts=facts)
    return parse(encode(made))


def label(said: f.Label) -> LabelEntry:
    body = encode(entry("label", said))
    assert labels.is_label(body)
    return labels.read_label_entry(body)


def test_a_label_leaves_with_the_fields_of_labels_v1_in_their_order() -> None:
    record = labels.label_record("labels/loan/0", label(SAID), SECRETS)
    assert msgspec.to_builtins(record) == {
        "label_id": "0.9",
        "seq": 9,
        "op": "add",
        "model": "loan",
        "version": "1.0",
        "source": "loans",
        "prediction_id": "p-1",
        "predicted_at": "1970-01-01T00:00:01.000000Z",
        "labelled_at": "1970-01-01T00:00:02.000001Z",
        "value": "refuse",
        "model_value": "approve",
        "confidence": 0.61,
        "agreed": False,
        "kind": "review",
        "reviewer": "00000000-0000-7000-8000-000000000001",
        "contract_version": 2,
        "policy_version": 3,
        "rule": "unsure",
        "selection_probability": 0.25,
        "weight": 4.0,
        "supersedes": "0.7",
        "entry_log": "labels/loan/0",
        "entry_seq": 9,
    }
    assert list(labels.FIELDS) == DESIGNED.split()


def test_a_label_whose_key_is_gone_leaves_as_a_withdrawal_without_its_secrets() -> None:
    record = labels.label_record("labels/loan/0", label(SAID), None)
    assert (record.op, record.label_id, record.seq) == ("withdraw", "0.9", 9)
    assert (record.version, record.source, record.prediction_id) == (None, None, None)


@pytest.mark.parametrize("pi", [None, "0.0"])
def test_a_label_without_a_selection_probability_has_no_weight(pi: str | None) -> None:
    said = msgspec.structs.replace(SAID, pi=pi)
    assert labels.label_record("labels/loan/0", label(said), SECRETS).weight is None


def test_a_withdrawal_restates_no_value_and_says_what_it_takes_back() -> None:
    said = labels.withdrawal(SAID, 9, None)
    record = labels.label_record("labels/loan/0", label(said), SECRETS)
    assert (record.op, record.value, record.supersedes, record.prediction_id) == (
        "withdraw",
        None,
        "0.9",
        "p-1",
    )


@given(st.integers(0, 10**6), st.integers(0, 10**17))
def test_a_cursor_reads_back(incarnation: int, seq: int) -> None:
    cursor = Cursor(incarnation, seq)
    assert labels.read_cursor(str(cursor)) == cursor


@pytest.mark.parametrize("text", [None, "", "0"])
def test_no_cursor_is_the_start(text: str | None) -> None:
    assert labels.read_cursor(text) is None


@pytest.mark.parametrize("text", ["7", "-1.2", "0.x", "0.1.2", "0.٣", "0.1" + "0" * 30])
def test_a_foreign_cursor_is_refused(text: str) -> None:
    with pytest.raises(labels.CursorError, match="expected 0 or the last answer's next"):
        labels.read_cursor(text)


def test_an_outcome_outranks_an_adjudication_outranks_a_review() -> None:
    assert labels.outranks("outcome", "adjudication")
    assert labels.outranks("adjudication", "review")
    assert labels.outranks("review", "review")
    assert not labels.outranks("review", "outcome")


FINAL = f.Final(status="decided", label="refuse", model_label="approve")
DECISION = f.Decision("d", "t", "ab", "loan", "review", False, "anna", 1, label="refuse", final=FINAL)  # noqa: FBT003 - a fact


def test_only_an_entry_with_a_final_answer_goes_back() -> None:
    assert read_ending(entry("decision", msgspec.structs.replace(DECISION, final=None))) is None
    assert read_ending(entry("access", f.Access(why="claim"))) is None
    assert read_ending(entry("decision", DECISION)) == DECISION


def test_the_answer_goes_back_in_the_order_of_decisions_v1() -> None:
    record = decision_record("activity/1/0", entry("decision", DECISION), DECISION, SECRETS)
    assert msgspec.to_builtins(record) == {
        "model": "loan",
        "version": "1.0",
        "source": "loans",
        "prediction_id": "p-1",
        "status": "decided",
        "value": "refuse",
        "model_value": "approve",
        "decided_at": "1970-01-01T00:00:02.000001Z",
        "reviewer": "anna",
        "decision_id": "d",
        "entry_log": "activity/1/0",
        "entry_seq": 9,
    }


def test_a_default_goes_back_without_a_reviewer() -> None:
    said = f.TaskMoved("t", "ab", "loan", "defaulted", 1, final=f.Final(status="defaulted", label="refuse"))
    record = decision_record("activity/1/0", entry("task_moved", said), said, SECRETS)
    assert (record.status, record.reviewer, record.decision_id) == ("defaulted", None, None)


def test_an_answer_whose_key_is_gone_goes_back_as_withdrawn() -> None:
    record = decision_record("activity/1/0", entry("decision", DECISION), DECISION, None)
    assert (record.status, record.prediction_id) == ("withdrawn", None)
