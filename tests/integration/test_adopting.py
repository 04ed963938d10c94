"""Restored databases: writers stay away, adoption names what is lost, readers are told."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
import sqlalchemy as sa
from msgspec.json import decode
from psycopg import sql

from reviewsvc.db import logs, seals
from reviewsvc.db import tables as t
from reviewsvc.db.hot import guards
from reviewsvc.db.hot.connection import connect
from reviewsvc.db.hot.guards import RestoredError, UnconfirmedError
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain import facts as f
from reviewsvc.domain.bundle import Question
from reviewsvc.domain.entries import Actor, leaf_hash, parse
from reviewsvc.domain.tree import root_of
from reviewsvc.domain.verdict import Report, Verdict
from reviewsvc.outside.erasure_journal import ErasureJournal
from reviewsvc.outside.folder import Folder
from reviewsvc.usecases import adopting, answers, erasure, guarding, labels, verification
from reviewsvc.usecases.adopting import Adoption, AdoptionError
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.installation import open_installation
from reviewsvc.usecases.outside_view import Outside
from reviewsvc.usecases.publishing import publish
from reviewsvc.usecases.sealing import Sealer
from reviewsvc.usecases.verifying import Told, Verifying
from tests.fixtures.bundled import bundle
from tests.fixtures.cases import CONTRACT, Bank, event
from tests.fixtures.erasing import Eraser
from tests.fixtures.installed import AT, ORIGIN
from tests.fixtures.sealed import SealedBank
from tests.fixtures.template import Template

pytestmark = pytest.mark.real
SECOND = timedelta(seconds=1)
CAPTURED = "predictions/reviewsvc.predictions.v1/0/0"
OFFICER = Actor("cli", "officer")


class SetBack(NamedTuple):
    """An older state of a bank's database, in the place of the newer one whose signer is still there."""

    held: SealedBank
    database_url: str
    sessions: Sessions
    bank: Bank

    def adoption(self, **more: Any) -> Adoption:
        return Adoption(OFFICER, "the disk broke", self.held.signer.everything())._replace(**more)

    def bodies(self, log: str) -> list[bytes]:
        with self.sessions.begin() as session:
            return [one.body for one in logs.read(session, logs.find(session, log), -1, 1_000)]

    def activities(self) -> list[bytes]:
        with self.sessions.begin() as session:
            logs_of_acts = sa.select(t.log.c.log_id).where(t.log.c.kind == "activity")
            found = session.scalars(sa.select(t.entry.c.body).where(t.entry.c.log_id.in_(logs_of_acts)))
            return [bytes(body) for body in found]

    def verify(self) -> Report:
        """Verify all, held against the signer's memory too."""
        with connect(self.database_url, "read") as conn:
            return verification.verify(conn, outside=Outside(tips=self.held.signer.tips))

    def first(self, log: str) -> f.Continuation:
        with self.sessions.begin() as session:
            body = logs.one(session, logs.find(session, log), 0)
        return decode(parse(body).facts, type=f.Continuation)


@pytest.fixture
def set_back(signed: SealedBank, template: Template, database_name: str) -> Iterator[SetBack]:
    """Two cases are decided and sealed; of what follows, two more and a model, the copy knows nothing."""
    anna = signed.bank.person("anna")
    signed.bank.decided(anna, "p-1", "p-2")
    signed.seal()
    older = f"{database_name}_older"
    for sessions in (signed.bank.house.sessions, signed.sessions):
        sessions.close()
    with psycopg.connect(template.admin_url, autocommit=True) as admin:
        names = sql.Identifier(older), sql.Identifier(database_name)
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(*names))
        signed.bank.decided(anna, "p-3", "p-4")
        signed.bank.apply({**CONTRACT, "name": "prices"})
        signed.seal(AT + SECOND)
        url = template.process_url(older)
        restored = Sessions(url, "worker", size=2)
        house = signed.bank.house._replace(sessions=Sessions(url, "web", size=2))
        bank = Bank(house, Desk(house.sessions, house.keyring), url)
        yield SetBack(signed, url, restored, bank)
        restored.close()
        house.sessions.close()
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(names[0]))


@pytest.fixture
def found(set_back: SetBack) -> SetBack:
    """The same, once the worker has looked at it."""
    with pytest.raises(
        RestoredError, match=rf"less than was signed.* {CAPTURED}: 5 .* were signed, 3 are here"
    ):
        guarding.confirm(set_back.sessions, set_back.held.signer, AT)
    return set_back


@pytest.fixture
def adopted(found: SetBack) -> SetBack:
    adopting.adopt(found.sessions, found.held.bank.house.keyring, found.adoption(), AT + SECOND, lambda: 0)
    return found


def test_writers_refuse_to_start_and_to_go_on_and_readers_do_not(found: SetBack) -> None:
    keyring = found.held.bank.house.keyring
    for role in ("web", "worker", "capture", "relay"):
        with connect(found.database_url, role) as conn, pytest.raises(RestoredError, match="restore adopt"):
            guards.check(conn)
    with pytest.raises(RestoredError, match="restore adopt"):
        open_installation(found.sessions, keyring, ORIGIN, AT)
    with pytest.raises(logs.LogFrozenError, match="restore adopt"):
        found.bank.person("berta")
    reader = Sessions(found.database_url, "read", size=1)
    assert open_installation(reader, keyring, ORIGIN, AT).origin == ORIGIN
    reader.close()
    assert {each.verdict for each in found.verify().findings} == {Verdict.INCOMPLETE}


def test_every_log_goes_on_and_says_what_is_lost(adopted: SetBack) -> None:
    said = adopted.first("predictions/reviewsvc.predictions.v1/0/1")
    assert (said.log, said.size, said.signed, said.lost_from, said.lost_to) == (CAPTURED, 3, 5, 3, 5)
    assert (said.topic_id, said.next_offset) == ("topic-id", 2)
    leaves = [leaf_hash(body) for body in adopted.bodies(CAPTURED)]
    assert said.root == root_of(leaves).hex()
    tip = next(tip for tip in adopted.held.signer.everything() if tip.origin == f"{ORIGIN}/{CAPTURED}")
    assert said.signed_root == tip.root
    lost_model = adopted.first("labels/prices/1")
    assert (lost_model.log, lost_model.size, lost_model.lost_from, lost_model.lost_to) == (
        "labels/prices/0",
        0,
        0,
        1,
    )
    with adopted.sessions.begin() as session:
        names = {row.name for row in session.execute(sa.select(t.log.c.name))}
    assert {name.rpartition("/")[0] for name in names} == {
        name.removesuffix("/1") for name in names if name.endswith("/1")
    }


def test_the_verdict_is_incomplete_with_the_lost_range_and_never_tampered(adopted: SetBack) -> None:
    report = adopted.verify()
    assert report.verdict is Verdict.INCOMPLETE
    told = {(each.log, each.seq): each for each in report.findings}
    assert {each.verdict for each in report.findings} == {Verdict.INCOMPLETE}
    assert told[CAPTURED, 3].what.startswith("its signed entries 3 to 4 are lost")
    assert told["labels/loans/0", 3].what.startswith("its signed entries 3 to 4 are lost")
    assert told["labels/prices/0", 0].what.startswith("its signed entries 0 to 0 are lost")
    assert ("root/0", adopted.first("root/1").size) in told


def test_the_worker_verifies_what_is_new_after_it_and_what_is_lost_is_no_alarm(
    adopted: SetBack, tmp_path: Path
) -> None:
    keyring, signer = adopted.held.bank.house.keyring, adopted.held.signer
    told = Told(None, signer.tips, tmp_path / "verified.json")
    verifying = Verifying(adopted.sessions, keyring, adopted.database_url, told)
    sealer = Sealer(adopted.sessions, signer)
    for minute in range(1, 4):
        at = AT + minute * timedelta(minutes=1)
        adopted.bank.capture([event(f"after-{minute}")])
        sealer.step(at)
        assert verifying.step(at) == 0
    said = [parse(body) for body in adopted.activities() if b'"kind":"verification"' in body]
    facts = [decode(entry.facts, type=f.Verification) for entry in said]
    assert [(each.what, each.verdict) for each in facts] == [
        ("all", "INCOMPLETE"),
        ("new", "INCOMPLETE"),
        ("new", "INCOMPLETE"),
    ]
    assert facts[2].entries < facts[0].entries / 2, "what was verified is remembered"


def test_the_service_goes_on_after_it(adopted: SetBack) -> None:
    bank = adopted.bank
    open_installation(adopted.sessions, bank.house.keyring, ORIGIN, AT)
    berta = bank.person("berta")
    bank.decided(berta, "p-3", "p-4")
    bank.apply({**CONTRACT, "name": "prices"})
    sealer = Sealer(adopted.sessions, adopted.held.signer)
    sealer.step(AT + 2 * SECOND)
    guarding.confirm(adopted.sessions, adopted.held.signer, AT + 2 * SECOND)
    captured = [parse(body) for body in adopted.bodies("predictions/reviewsvc.predictions.v1/0/1")]
    assert [each.src.offset for each in captured[1:] if each.src] == [2, 3]
    assert {each.verdict for each in adopted.verify().findings} == {Verdict.INCOMPLETE}
    with pytest.raises(AdoptionError, match="nothing to adopt"):
        adopting.adopt(adopted.sessions, bank.house.keyring, adopted.adoption(), AT, lambda: 0)


def test_an_answer_given_before_is_taken_back_after(adopted: SetBack) -> None:
    bank = adopted.bank
    (row,) = bank.rows(sa.select(t.decision).order_by(t.decision.c.seq).limit(1))
    anna = Actor("person", str(row.reviewer_id))
    answers.undo(bank.desk, row.decision_id, actor=anna, at=AT + SECOND)
    Sealer(adopted.sessions, adopted.held.signer).step(AT + 2 * SECOND)
    last = labels.page(bank.desk, "loans", "1.0", 10, actor=OFFICER, at=AT).items
    assert [(one.op, one.label_id) for one in last] == [("withdraw", "1.1")]
    assert last[0].supersedes in {"0.1", "0.2"}
    assert {each.verdict for each in adopted.verify().findings} == {Verdict.INCOMPLETE}


def test_who_reads_labels_is_told_that_the_log_went_on(adopted: SetBack) -> None:
    bank = adopted.bank
    Sealer(adopted.sessions, adopted.held.signer).step(AT + 2 * SECOND)
    for cursor, items in (("0.4", []), ("0.1", ["0.2"])):
        page = labels.page(bank.desk, "loans", cursor, 10, actor=OFFICER, at=AT)
        assert [one.label_id for one in page.items] == items
        assert page.continuation
        assert page.continuation["log"] == "labels/loans/1"
        assert page.continuation["lost"] == {"from": "0.3", "to": "0.4"}
        assert (page.next, page.continuation["next"]) == (items[-1] if items else "1.0", "1.0")


def test_a_promoted_standby_goes_on_without_new_logs(signed: SealedBank, owner_url: str) -> None:
    signed.seal()
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE installation SET timeline = timeline + 1")
    with pytest.raises(RestoredError, match=r"a standby took over.* restore adopt"):
        guarding.confirm(signed.sessions, signed.signer, AT)
    asked = Adoption(OFFICER, "the first machine broke", signed.signer.everything())
    done = adopting.adopt(signed.sessions, signed.bank.house.keyring, asked, AT, lambda: 0)
    assert (done.logs, done.lost) == ([], [])
    guarding.confirm(signed.sessions, signed.signer, AT)
    open_installation(signed.sessions, signed.bank.house.keyring, ORIGIN, AT)
    with connect(signed.bank.database_url, "read") as conn:
        assert verification.verify(conn).verdict is Verdict.SELF_CONSISTENT


def test_who_cannot_ask_the_signer_waits_until_somebody_has_looked(
    signed: SealedBank, owner_url: str
) -> None:
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE restore_guard SET server_start = server_start - interval '1 day'")
    house = signed.bank.house
    with pytest.raises(UnconfirmedError, match="start the worker"):
        open_installation(house.sessions, house.keyring, ORIGIN, AT)
    guarding.confirm(signed.sessions, signed.signer, AT)
    open_installation(house.sessions, house.keyring, ORIGIN, AT)


def test_a_restored_database_that_was_written_to_before_anybody_looked_is_found(set_back: SetBack) -> None:
    anna = set_back.bank.person("berta")
    set_back.bank.decided(anna, *(f"q-{number}" for number in range(9)))
    with pytest.raises(RestoredError, match="from 3 on others than were signed"):
        guarding.confirm(set_back.sessions, set_back.held.signer, AT)
    done = adopting.adopt(set_back.sessions, set_back.bank.house.keyring, set_back.adoption(), AT, lambda: 0)
    lost = {each.name: (each.lost_from, each.lost_to) for each in done.lost}
    assert lost[CAPTURED] == (3, 5)
    with set_back.sessions.begin() as session:
        old = logs.find(session, "labels/loans/0")
        assert seals.leaving_size(session, old) == 3
    # What stands behind the last checkpoint leaves once the continuation, which commits to it, is signed.
    Sealer(set_back.sessions, set_back.held.signer).step(AT + SECOND)
    with set_back.sessions.begin() as session:
        assert seals.leaving_size(session, old) == 12
    assert set_back.verify().verdict is Verdict.INCOMPLETE


def test_nothing_is_adopted_without_knowing_what_was_signed(found: SetBack) -> None:
    with pytest.raises(AdoptionError, match="REVIEWSVC_SIGNER_SOCKET"):
        adopting.adopt(found.sessions, found.bank.house.keyring, found.adoption(signed=[]), AT, lambda: 0)


def test_of_two_people_one_asks_and_another_agrees(found: SetBack) -> None:
    first, second = found.adoption(), found.adoption(actor=Actor("cli", "berta"))
    assert [adopting.ask(found.sessions, each, AT) for each in (first, first, second)] == [False, False, True]
    keyring = found.bank.house.keyring
    adopting.adopt(found.sessions, keyring, second, AT, lambda: 0)
    (body,) = [body for body in found.activities() if parse(body).kind == "restore_adopted"]
    entry = parse(body)
    said = decode(entry.facts, type=f.RestoreAdopted)
    assert (entry.actor, said.asked_by) == (Actor("cli", "berta"), "cli:officer")
    assert b"the disk broke" not in body
    with found.sessions.begin() as session:
        assert keyring.open_payload(session, entry) == b'{"reason":"the disk broke"}'


def test_a_checkpoint_that_left_stands_in_for_a_signer_that_forgot(found: SetBack) -> None:
    note = found.held.logs()[CAPTURED].note.encode()
    tip = adopting.tip_of_note(found.sessions, note)
    assert (tip.origin, tip.size) == (f"{ORIGIN}/{CAPTURED}", 5)
    planned = adopting.plan(found.sessions, found.adoption(signed=[tip]))
    assert [(each.name, each.lost_from, each.lost_to) for each in planned.lost] == [(CAPTURED, 3, 5)]
    with pytest.raises(AdoptionError, match="no checkpoint of this installation"):
        adopting.tip_of_note(found.sessions, note.replace(b"\n5\n", b"\n6\n"))


def test_what_was_published_before_is_left_as_it_is(found: SetBack, tmp_path: Path) -> None:
    with connect(found.held.bank.database_url, "read") as conn:
        publish(conn, Folder(tmp_path))
    before = (tmp_path / "logs" / CAPTURED / "checkpoint").read_bytes()
    adopting.adopt(found.sessions, found.bank.house.keyring, found.adoption(), AT, lambda: 0)
    Sealer(found.sessions, found.held.signer).step(AT + SECOND)
    with connect(found.database_url, "read") as conn:
        publish(conn, Folder(tmp_path))
    assert (tmp_path / "logs" / CAPTURED / "checkpoint").read_bytes() == before
    assert (tmp_path / "logs" / "root" / "1" / "checkpoint").exists()


def test_what_lies_before_the_restore_is_bundled_under_the_root_of_then(
    adopted: SetBack, tmp_path: Path
) -> None:
    sealer = Sealer(adopted.sessions, adopted.held.signer)
    sealer.step(AT + 2 * SECOND)
    held = adopted.held._replace(bank=adopted.bank, sessions=adopted.sessions, sealer=sealer)
    made = bundle(held, Question("range", logs=[CAPTURED]), tmp_path)
    assert made.verify()["verdict"] == "VERIFIED"
    assert {scope["name"] for scope in made.manifest()["logs"]} == {"root/0", CAPTURED}


def test_erasures_of_the_journal_are_done_again_before_anybody_writes(
    set_back: SetBack, tmp_path: Path
) -> None:
    held, keyring = set_back.held, set_back.bank.house.keyring
    journal = ErasureJournal(tmp_path / "erasures.jsonl")
    assert Eraser(held.bank, Desk(held.sessions, keyring), journal).erase("p-1").predictions == 1
    held.seal(AT + 2 * SECOND)
    desk = Desk(set_back.sessions, keyring)
    restored = Eraser(set_back.bank, desk, journal)
    assert restored.key_of("p-1") is not None

    def again() -> int:
        with connect(set_back.database_url, "web") as conn, pytest.raises(RestoredError):
            guards.check(conn)
        return len(erasure.replay(desk, journal.read(), actor=OFFICER, at=AT + 2 * SECOND))

    done = adopting.adopt(set_back.sessions, keyring, set_back.adoption(), AT + 2 * SECOND, again)
    assert (done.erasures, restored.key_of("p-1")) == (1, None)
    Sealer(set_back.sessions, held.signer).step(AT + 3 * SECOND)
    items = labels.page(set_back.bank.desk, "loans", None, 10, actor=OFFICER, at=AT).items
    assert [(one.op, one.label_id, one.supersedes) for one in items] == [
        ("withdraw", "0.1", None),
        ("add", "0.2", None),
        ("withdraw", "1.1", "0.1"),
    ]
    assert {each.verdict for each in set_back.verify().findings} == {Verdict.INCOMPLETE}
