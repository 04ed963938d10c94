import hashlib
import json
from pathlib import Path

import pytest

from reviewsvc.domain.contract import Contract
from reviewsvc.domain.policy import Policy
from reviewsvc.domain.queue import Queue
from reviewsvc.usecases.documents import (
    DocumentsError,
    InForce,
    canonical,
    check_together,
    read_documents,
    read_stored,
)

pytestmark = pytest.mark.unit

LOANS = """\
# what the model promises
kind: contract
name: loans
owner: credit desk
risk_tier: high
retention: {class: standard, keep_days: 365}
output:
  type: class
  classes: [no, yes]
fields:
  - name: income
    type: number
    unit: dollars a month
---
kind: policy
name: loans
rules:
  - id: sample
    share: 0.05
    queue: desk
  - id: unsure
    when:
      confidence:
        below: 0.8
    queue: desk
---
kind: queue
name: desk
"""


def faults_of(text: str) -> list[str]:
    with pytest.raises(DocumentsError) as raised:
        read_documents(text, file="loans.yaml")
    return str(raised.value).splitlines()


def misfits_of(text: str, in_force: InForce) -> list[str]:
    with pytest.raises(DocumentsError) as raised:
        check_together(read_documents(text, file="loans.yaml"), in_force)
    return list(raised.value.lines)


def test_a_file_holds_many_documents_of_three_kinds() -> None:
    contract, policy, queue = read_documents(LOANS)
    assert (contract.kind, contract.name, policy.kind, queue.kind) == ("contract", "loans", "policy", "queue")
    assert isinstance(contract.body, Contract)
    assert isinstance(policy.body, Policy)
    assert isinstance(queue.body, Queue)
    assert [choice.value for choice in contract.body.output.classes] == ["no", "yes"]
    check_together([contract, policy, queue], InForce())


@pytest.mark.parametrize(
    ("line", "old", "new", "fault"),
    [
        (24, "0.8", '"high"', 'rules[1].when.confidence.below: expected a number from 0 to 1, got "high"'),
        (
            5,
            "tier: high",
            "tier: hgih",
            'expected one of low, limited, high (did you mean "high"?), got "hgih"',
        ),
        (2, "owner: credit desk\n", "", "owner: expected a text of 1 to 200 characters"),
        (4, "owner: credit desk", "owner: 12", "owner: expected a text of 1 to 200 characters"),
        (11, "    unit: dollars a month\n", "", "fields[0].unit: expected a unit, or null"),
        (19, "share", "shrae", 'share, when (did you mean "share"?), got "shrae"'),
        (19, "0.05", "1e999", "expected a readable float, got 1e999"),
        (19, "0.05", ".nan", 'rules[0].share: expected a number from 0 to 1, got ".nan"'),
        (
            19,
            "0.05",
            "!!python/name:os.system x",
            "expected no tag, got tag:yaml.org,2002:python/name:os.system",
        ),
        (20, "0.05", "0.05\n    1: 2", "expected a text as the name of a field, got 1 (put it in quotes)"),
        (20, "0.05", "[0.05", "expected YAML, got expected ',' or ']', but got ':'"),
        (27, "kind: queue", "kind: que", 'one of contract, policy, queue (did you mean "queue"?), got "que"'),
        (
            29,
            "name: desk",
            "name: desk\nname: a",
            "expected each field once, got name again (first on line 28)",
        ),
    ],
)
def test_a_fault_names_file_line_field_and_what_was_expected(
    line: int, old: str, new: str, fault: str
) -> None:
    text = LOANS.replace(old, new)
    assert text != LOANS
    said = faults_of(text)[0]
    assert said.startswith(f"loans.yaml:{line}: ")
    assert fault in said


def test_dates_and_no_and_on_are_texts() -> None:
    body = read_documents(
        LOANS.replace("credit desk", "2026-01-01").replace("[no, yes]", "[no, on, 0x1f, 1_000, 12:30]")
    )[0].body
    assert isinstance(body, Contract)
    assert body.owner == "2026-01-01"
    assert [choice.value for choice in body.output.classes] == ["no", "on", "0x1f", "1_000", "12:30"]


def test_all_faults_of_all_documents_are_told_at_once() -> None:
    text = LOANS.replace("tier: high", "tier: x").replace("0.8", "x").replace("name: desk", "nam: x")
    places = [fault.split(": ")[0] for fault in faults_of(text)]
    assert places == ["loans.yaml:5", "loans.yaml:24", "loans.yaml:27", "loans.yaml:28"]


def test_a_document_that_comes_twice_names_both_lines() -> None:
    text = "kind: queue\nname: a\n---\nkind: queue\nname: a\n"
    assert faults_of(text) == ["loans.yaml:5: expected each queue once, got a again (first at loans.yaml:2)"]


@pytest.mark.parametrize("text", ["", "---\n---\n", "# nothing\n"])
def test_a_file_without_documents_is_a_fault(text: str) -> None:
    assert faults_of(text) == [
        "loans.yaml: expected a document of kind one of contract, policy, queue, got none"
    ]


@pytest.mark.parametrize(
    "text", ["- 1", "text", "kind: [queue]", "{kind: queue, name: {}}", "a: b: c", "\x01", "\t- x"]
)
def test_what_is_no_document_is_a_fault_with_a_line(text: str) -> None:
    assert all(fault.startswith("loans.yaml:1: ") for fault in faults_of(text))


def test_aliases_count_each_time_and_cannot_explode() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (fault,) = faults_of("\n".join(lines))
    assert "expected at most 100000 values" in fault


def test_an_alias_is_read_as_what_it_stands_for() -> None:
    text = LOANS.replace("owner: credit desk", "owner: &who credit desk\ntitle: *who")
    body = read_documents(text)[0].body
    assert isinstance(body, Contract)
    assert body.title == "credit desk"


@pytest.mark.parametrize("text", ["a: &x [*x]", "a: " + "[" * 40 + "]" * 40, "[" * 5000, "x" * 1_000_001])
def test_what_is_endless_deep_or_huge_is_refused(text: str) -> None:
    assert "expected at most" in faults_of(text)[0]


def test_meaning_alone_decides_the_stored_form() -> None:
    rewritten = LOANS.replace("{class: standard, keep_days: 365}", "\n  keep_days: 365\n  class: standard")
    before, after = read_documents(LOANS)[0], read_documents(rewritten)[0]
    assert before.canonical == after.canonical == canonical(before.data)
    assert before.sha256 == hashlib.sha256(before.canonical).digest()
    assert json.loads(before.canonical) == before.data
    assert before.sha256 != read_documents(LOANS.replace("365", "366"))[0].sha256


def test_the_stored_form_reads_back_the_same() -> None:
    for document in read_documents(LOANS):
        assert read_stored(document.kind, document.canonical) == document.body


def test_files_and_folders_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(LOANS)
    (tmp_path / "b.yml").write_text("kind: queue\nname: second\n")
    (tmp_path / "c.txt").write_text("not ours")
    assert len(read_documents(tmp_path)) == 4
    assert read_documents(tmp_path / "b.yml")[0].file == str(tmp_path / "b.yml")


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(DocumentsError, match="got: No such file"):
        read_documents(tmp_path / "none.yaml")
    (tmp_path / "x.yaml").write_bytes(b"\xff")
    with pytest.raises(DocumentsError, match="expected UTF-8"):
        read_documents(tmp_path / "x.yaml")


def test_policies_must_fit_contracts_and_queues_must_exist() -> None:
    unknown = 'queue: expected a queue that exists (dsek) (did you mean "dsek"?), got "desk"'
    assert misfits_of(LOANS.replace("name: desk", "name: dsek"), InForce()) == [
        f"loans.yaml:20: rules[0].{unknown}",
        f"loans.yaml:25: rules[1].{unknown}",
    ]
    alone = "kind: policy\nname: laons\nrules: [{id: a, queue: desk}]\n"
    contract = read_documents(LOANS)[0].body
    assert isinstance(contract, Contract)
    (fault,) = misfits_of(alone, InForce(contracts={"loans": contract}))
    assert fault.startswith("loans.yaml:2: name: expected the name of a model with a contract")
    assert fault.endswith('(did you mean "loans"?), got "laons"')
    right = read_documents(alone.replace("laons", "loans"))
    check_together(right, InForce({"loans": contract}, {}, ["desk"]))


@pytest.mark.parametrize(
    ("bounds", "place"),
    [
        ("{below: 0.2, above: 0.8}", "confidence"),
        ("{below: {yes: 0.2}, at_least: {yes: 0.3, no: 0.1}}", "confidence.yes"),
    ],
)
def test_bounds_that_no_number_keeps_are_a_fault(bounds: str, place: str) -> None:
    text = LOANS.replace("\n        below: 0.8", f" {bounds}")
    assert misfits_of(text, InForce()) == [
        f"loans.yaml:23: rules[1].when.{place}: expected bounds that some number keeps, got none that does"
    ]


def test_a_queue_escalates_to_one_that_exists() -> None:
    text = "kind: queue\nname: desk\nwhen_due:\n  escalate: leads\n"
    assert misfits_of(text, InForce()) == [
        'loans.yaml:4: when_due.escalate: expected a queue that exists, got "leads"'
    ]


def test_a_new_contract_must_fit_the_policy_in_force() -> None:
    text = LOANS.replace("confidence:\n        below: 0.8", "label: yes")
    contract, policy, _ = read_documents(text)
    assert isinstance(policy.body, Policy)
    changed = LOANS.split("---", maxsplit=1)[0].replace("[no, yes]", "[no, maybe]")
    (fault,) = misfits_of(changed, InForce({}, {"loans": policy.body}, ["desk"]))
    assert fault.startswith("loans.yaml:2: the policy in force no longer fits: rules[1].when.label: expected")
    assert fault.endswith('(one of no, maybe), got "yes"')
    check_together([contract], InForce({}, {"loans": policy.body}, ["desk"]))
