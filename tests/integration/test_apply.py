from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from reviewsvc.db import generation, logs
from reviewsvc.db import tables as t
from reviewsvc.db.hot.connection import connect
from reviewsvc.domain.entries import parse
from reviewsvc.domain.permissions import Grant, PermissionDeniedError
from reviewsvc.domain.verdict import Verdict
from reviewsvc.usecases import apply as applying
from reviewsvc.usecases import auth, people, rules, verification
from reviewsvc.usecases.apply import Change
from reviewsvc.usecases.documents import DocumentsError, read_documents
from tests.fixtures.installed import AT, KEK, PASSWORD, SYSTEM, House

pytestmark = pytest.mark.real

CONTRACT = """\
kind: contract
name: loans
owner: credit desk
risk_tier: high
retention: {class: yearly, keep_days: 365}
output: {type: class, classes: [refuse, approve]}
fields:
  - {name: income, type: number, unit: dollars}
"""
QUEUE = """\
---
kind: queue
name: refusals
"""
POLICY = """\
---
kind: policy
name: loans
rules:
  - {id: unsure, when: {confidence: {below: 0.8}}, queue: refusals}
"""
LOANS = CONTRACT + QUEUE + POLICY


def put(house: House, text: str) -> Sequence[Change]:
    documents = read_documents(text, file="loans.yaml")
    return applying.apply(house.sessions, house.keyring, documents, actor=SYSTEM, at=AT)


def count(house: House, table: sa.Table) -> int:
    with house.sessions.begin() as session:
        return session.scalars(sa.select(sa.func.count()).select_from(table)).one()


def standing(house: House) -> int:
    with house.sessions.begin() as session:
        return generation.current(session)


def test_what_is_applied_is_what_the_plan_showed_and_capture_sees_it(house: House, database_url: str) -> None:
    planned = applying.plan(house.sessions, read_documents(LOANS, file="loans.yaml"))
    assert put(house, LOANS) == planned
    assert [(change.kind, change.version) for change in planned] == [
        ("queue", 1),
        ("contract", 1),
        ("policy", 1),
    ]
    assert '+ risk_tier: "high"' in planned[1].difference
    with connect(database_url, "capture") as connection:
        loaded = rules.load(connection, KEK)
    model = loaded.models["loans"]
    assert (model.contract_version, model.policy_version, set(loaded.queues)) == (1, 1, {"refusals"})
    assert model.policy is not None


def test_applying_again_changes_nothing_and_disturbs_no_batch(house: House) -> None:
    put(house, LOANS)
    before = standing(house), count(house, t.entry)
    assert put(house, LOANS.replace("name: loans\nowner", "name:   loans   # the same\nowner")) == []
    assert (standing(house), count(house, t.entry)) == before


def test_a_change_keeps_both_versions_and_bumps_the_generation(house: House) -> None:
    put(house, LOANS)
    before = standing(house)
    (change,) = put(house, LOANS.replace("below: 0.8", "below: 0.9"))
    assert (change.kind, change.version) == ("policy", 2)
    assert any("0.8 -> 0.9" in line for line in change.difference)
    assert standing(house) == before + 1
    newest, oldest = applying.history(house.sessions, "policy", "loans")
    assert (newest[0].version, oldest[0].version) == (2, 1)
    assert newest[1] == list(change.difference)
    assert len(applying.in_force(house.sessions)) == 3


def test_each_version_is_an_entry_whose_payload_is_the_document(house: House) -> None:
    put(house, LOANS)
    for kept in applying.in_force(house.sessions):
        with house.sessions.begin() as session:
            entry = parse(logs.one(session, kept.log_id, kept.seq))
            assert house.keyring.open_payload(session, entry, kept.log_id) == kept.body
        assert entry.kind == "document"
        assert kept.sha256.hex().encode() in bytes(entry.facts)


def test_a_new_model_gets_its_label_log_and_months_for_its_payloads(house: House) -> None:
    put(house, LOANS)
    put(house, LOANS.replace("owner: credit desk", "owner: risk"))
    with house.sessions.begin() as session:
        row = session.execute(sa.select(t.model)).one()
        opened = logs.read(session, row.label_log_id, -1, 9)
        assert logs.find(session, "labels/loans/0") == row.label_log_id
        for month in ("202611", "202612"):
            table = f"payload_c{row.retention_class}_{month}"
            assert session.scalar(sa.select(sa.func.to_regclass(table))) is not None
    assert [parse(body).kind for _, body in opened] == ["opened"]
    assert row.retention_class > 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CONTRACT + POLICY, "loans.yaml:13: rules[0].queue: expected a queue that exists"),
        (QUEUE + POLICY, "loans.yaml:6: name: expected the name of a model with a contract"),
        (
            CONTRACT.replace("yearly", "service"),
            "loans.yaml:5: retention.keep_days: expected 3650, as long as the class service keeps",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_file_and_line_and_changes_nothing(
    house: House, text: str, told: str
) -> None:
    before = standing(house)
    with pytest.raises(DocumentsError) as refused:
        put(house, text)
    assert told in str(refused.value)
    assert (count(house, t.document), standing(house)) == (0, before)


def test_queues_in_the_database_do_for_a_policy_applied_later(house: House) -> None:
    put(house, CONTRACT + QUEUE)
    assert [change.kind for change in put(house, POLICY)] == ["policy"]


def test_people_who_apply_at_once_make_one_version(house: House) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: put(house, LOANS), range(4)))
    assert sorted(map(len, made)) == [0, 0, 0, 3]
    assert count(house, t.document) == 3


def test_the_owner_of_a_model_may_apply_its_documents_and_no_others(house: House) -> None:
    person_id = house.add_person("ada", Grant("owner", "model:loans"))
    session_id = auth.log_in(house.sessions, house.keyring, "ada", PASSWORD, at=AT, rules=auth.Rules())
    who = auth.current(house.sessions, session_id, at=AT + timedelta(seconds=1), rules=auth.Rules())
    assert who is not None
    applying.require_may(who, read_documents(CONTRACT))
    with pytest.raises(PermissionDeniedError, match=r"queues\.apply for refusals"):
        applying.require_may(who, read_documents(LOANS))
    everywhere = Grant("owner")
    people.grant(house.sessions, house.keyring, person_id, everywhere, actor=SYSTEM, at=AT)
    applying.require_may(who._replace(grants=(everywhere,)), read_documents(LOANS))


def test_all_that_was_done_verifies(house: House, database_url: str) -> None:
    put(house, LOANS)
    put(house, LOANS.replace("below: 0.8", "below: 0.9"))
    person_id = house.add_person("ada", Grant("reviewer", "queue:refusals"))
    people.disable(house.sessions, house.keyring, person_id, actor=SYSTEM, at=AT)
    with connect(database_url, "read") as connection:
        report = verification.verify(connection)
    assert (report.verdict, report.findings) == (Verdict.VERIFIED, [])
    assert sum(log.size for log in report.logs) == count(house, t.entry)
