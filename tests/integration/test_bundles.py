"""Bundles, from the question to an outsider's verdict."""

import csv
import json
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import psycopg
import pytest

from reviewsvc import verify
from reviewsvc.crypto.kek import Kek
from reviewsvc.domain.bundle import Question, QuestionError
from reviewsvc.domain.permissions import Reach
from reviewsvc.usecases import bundle_stage
from reviewsvc.usecases.bundle_parts import Part, PartMaker
from reviewsvc.usecases.bundle_plan import subject_pseudonym
from reviewsvc.usecases.bundles import Asked, BundleError, Help, Maker
from reviewsvc.usecases.crews import Crew
from reviewsvc.usecases.payload_check import KekSource
from tests.fixtures.bundled import EVERYTHING, Bundled, alone, bundle, verifier_keys
from tests.fixtures.cases import QUEUE, event, forget_subjects
from tests.fixtures.installed import AT, KEK, SYSTEM
from tests.fixtures.sealed import SealedBank

pytestmark = pytest.mark.real
CAPTURED = "predictions/reviewsvc.predictions.v1/0/0"
SURE = {"output": {"label": "approve", "confidence": 0.97, "scores": {"approve": 0.97, "refuse": 0.03}}}


def capture(held: SealedBank, count: int, name: str = "p") -> None:
    held.bank.capture([event(f"{name}-{number}") for number in range(count)])
    held.seal()


def story(held: SealedBank, cases: int = 4) -> UUID:
    """Have cases captured, and the first ones decided by one of two reviewers; return that one."""
    held.bank.capture([event(f"p-{number}", subject=f"s-{number % 3}") for number in range(cases)])
    anna, ben = held.bank.person("anna"), held.bank.person("ben")
    for each in held.bank.claim(anna, 2):
        held.bank.decide(anna, each)
    held.bank.decide(ben, held.bank.claim(ben)[0], "refuse")
    held.seal()
    return UUID(anna.id)


def entries(made: Bundled) -> list[dict[str, Any]]:
    """Every entry of a bundle but the root's, as its lines and its bundles of entries have them."""
    found = []
    for path in sorted(made.folder.glob("logs/*/**/*")):
        if path.parent.name == "entries" and path.suffix == ".jsonl":
            found += path.read_bytes().splitlines()
        elif "/tile/entries/" in path.as_posix() and path.is_file():
            width = int(path.name) if path.parent.suffix == ".p" else 256
            found += verify.parse_entries(path.read_bytes(), width)
    parsed = [json.loads(body) for body in found]
    return [entry for entry in parsed if "/root/" not in entry["log"]]


def kinds(made: Bundled) -> list[str]:
    return sorted(entry["kind"] for entry in entries(made))


def payloads(made: Bundled) -> list[dict[str, Any]]:
    files = sorted(made.folder.glob("logs/**/payloads/*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_bytes().splitlines()]


def test_all_of_a_log_verifies_far_from_where_it_was_made(signed: SealedBank, tmp_path: Path) -> None:
    capture(signed, 600)
    made = bundle(signed, Question("range", logs=[CAPTURED]), tmp_path)
    assert (made.verify()["verdict"], made.verify()["findings"]) == ("VERIFIED", [])
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    assert alone(outside, "--keys", str(made.keys), str(made.zipped))[0] == 0
    assert alone(outside, "--keys", str(made.keys), str(made.folder))[0] == 0
    code, told = alone(outside, str(made.folder))
    assert (code, told.splitlines()[0]) == (2, "SELF-CONSISTENT")
    assert len(entries(made)) == 601
    assert len([line for line in payloads(made) if "subject of p-" in line["text"]]) == 600


def test_the_manifest_lists_every_file_but_itself_and_the_proof_of_its_entry(
    signed: SealedBank, tmp_path: Path
) -> None:
    story(signed)
    made = bundle(signed, Question("model", model="loans"), tmp_path)
    manifest = made.manifest()
    with ZipFile(made.zipped) as packed:
        inside = {name: sha256(packed.read(name)).hexdigest() for name in packed.namelist()}
        assert packed.namelist() == sorted(inside)
    proof = (made.folder / "export.tlog-proof").read_bytes()
    entry = json.loads(proof.partition(b"\n")[0])
    assert entry["facts"]["manifest"] == inside.pop("manifest.json")
    assert inside.pop("export.tlog-proof")
    assert manifest["files"] == inside
    assert (entry["kind"], entry["facts"]["what"], entry["facts"]["model"]) == ("export", "bundle", "loans")
    assert entry["facts"]["rows"] == sum(log["entries"] for log in manifest["logs"])
    assert (manifest["purpose"], manifest["exporter"]) == ("the yearly audit", {"kind": "cli", "id": "root"})
    assert proof.count("\u2014".encode()) == 1
    assert b"extra" not in proof.partition(b"\n")[2]
    assert b"yearly" not in proof


def test_a_case_brings_all_that_ever_happened_to_it_and_nothing_of_others(
    signed: SealedBank, tmp_path: Path
) -> None:
    story(signed)
    made = bundle(signed, Question("case", model="loans", prediction_id="p-0"), tmp_path)
    assert made.verify()["verdict"] == "VERIFIED"
    told = kinds(made)
    assert told.count("prediction") == 1
    assert {"access", "decision", "label"} <= set(told)
    ids = {entry["facts"]["id"] for entry in entries(made) if "id" in entry["facts"]}
    assert len(ids) == 1
    texts = "".join(line.get("text", "") for line in payloads(made))
    assert all(f'"kind":"{kind}"' in texts for kind in ("contract", "policy", "queue"))
    assert "subject of" not in (made.folder / "manifest.json").read_text()


def test_a_subject_brings_its_own_cases(signed: SealedBank, tmp_path: Path) -> None:
    story(signed)
    house = signed.bank.house
    pseudonym = subject_pseudonym(house.sessions, house.keyring, "s-0")
    made = bundle(signed, Question("subject", subject=pseudonym), tmp_path)
    assert made.verify()["verdict"] == "VERIFIED"
    predictions = [entry for entry in entries(made) if entry["kind"] == "prediction"]
    assert [entry["payload"]["key"] for entry in predictions] == [pseudonym] * 2
    with pytest.raises(QuestionError, match="Nothing is kept"):
        subject_pseudonym(house.sessions, house.keyring, "nobody")


def test_a_reviewer_brings_what_he_did_and_what_it_was_about(signed: SealedBank, tmp_path: Path) -> None:
    anna = story(signed)
    made = bundle(signed, Question("reviewer", reviewer=str(anna)), tmp_path)
    assert made.verify()["verdict"] == "VERIFIED"
    found = entries(made)
    assert [e["facts"]["reviewer"] for e in found if e["kind"] == "decision"] == [str(anna)] * 2
    assert len([e for e in found if e["kind"] == "prediction"]) == 2
    assert len([e for e in found if e["kind"] == "label"]) == 2


def test_a_queue_brings_its_cases_and_a_model_all_of_its_labels(signed: SealedBank, tmp_path: Path) -> None:
    signed.bank.apply({**QUEUE, "name": "leads"})
    signed.bank.capture([event("sure", **SURE)])
    story(signed)
    made = bundle(signed, Question("queue", queue="unsure"), tmp_path / "queue")
    assert made.verify()["verdict"] == "VERIFIED"
    assert kinds(made).count("decision") == 3
    with pytest.raises(QuestionError, match="no sealed entry"):
        bundle(signed, Question("queue", queue="leads-none"), tmp_path / "none")
    made = bundle(signed, Question("model", model="loans"), tmp_path / "model")
    assert made.verify()["verdict"] == "VERIFIED"
    assert kinds(made).count("prediction") == 5
    scopes = {log["name"]: log["scope"] for log in made.manifest()["logs"]}
    assert scopes["labels/loans/0"] == "range"
    assert scopes[CAPTURED] == "picked"
    assert any("left out" in each for each in made.verify()["not_proved"])


def test_a_time_has_the_entries_at_its_edges_that_show_nothing_was_cut(
    signed: SealedBank, tmp_path: Path
) -> None:
    times = [AT.replace(minute=minute) for minute in (1, 2, 3, 4)]
    for number, at in enumerate(times):
        signed.bank.capture([event(f"p-{number}-{each}") for each in range(300)], at=at)
    signed.seal(times[-1])
    since, until = (int(at.timestamp()) * 1_000_000 for at in times[1:3])
    made = bundle(signed, Question("range", logs=[CAPTURED], since=since, until=until), tmp_path)
    assert (made.verify()["verdict"], made.verify()["findings"]) == ("VERIFIED", [])
    (scope,) = [log for log in made.manifest()["logs"] if log["name"] == CAPTURED]
    assert (scope["first"], scope["behind"]) == (300, 602)


def test_who_may_not_see_a_payload_gets_the_entry_without_it(signed: SealedBank, tmp_path: Path) -> None:
    story(signed)
    reach = Reach(everywhere=False, models=frozenset({"others"}), queues=frozenset())
    made = bundle(signed, Question("model", model="loans"), tmp_path, reach=reach)
    assert made.verify()["verdict"] == "VERIFIED"
    assert {line["withheld"] for line in payloads(made)} == {"not the exporter's to see"}
    counts = made.manifest()["payloads"]
    assert counts["disclosed"] == 0
    assert counts["withheld"]["not the exporter's to see"] == len(payloads(made))
    everything = b"".join(path.read_bytes() for path in made.folder.rglob("*") if path.is_file())
    assert b"subject of" not in everything
    assert b"4200.5" not in everything


def test_what_was_erased_is_named_as_withheld(signed: SealedBank, owner_url: str, tmp_path: Path) -> None:
    story(signed)
    forget_subjects(owner_url)
    made = bundle(signed, Question("model", model="loans"), tmp_path)
    assert made.verify()["verdict"] == "VERIFIED"
    assert {line.get("withheld") for line in payloads(made)} == {"its key was destroyed: erased", None}
    assert b"4200.5" not in b"".join(p.read_bytes() for p in made.folder.rglob("payloads/*.jsonl"))


def test_people_of_the_house_are_not_disclosed_by_a_range_of_all_logs(
    signed: SealedBank, tmp_path: Path
) -> None:
    story(signed)
    made = bundle(signed, Question("range"), tmp_path)
    assert made.verify()["verdict"] == "VERIFIED"
    assert any(line.get("withheld") == "about people of the house" for line in payloads(made))
    everything = b"".join(path.read_bytes() for path in made.folder.rglob("*.jsonl"))
    assert b"Anna" not in everything
    assert all("left out of the logs that are picked" not in each for each in made.verify()["not_proved"])


def test_what_stopped_half_way_goes_on_and_gives_the_same_files(signed: SealedBank, tmp_path: Path) -> None:
    capture(signed, 300)
    house, asked = signed.bank.house, Asked(Question("range"), "why", SYSTEM)

    class StoppedError(Exception):
        pass

    def stop(done: int, _wanted: int) -> None:
        if done > 300:
            raise StoppedError

    half = Maker(house.sessions, house.keyring, tmp_path / "half", EVERYTHING)
    with pytest.raises(StoppedError):
        half.make(asked, AT, stop)
    capture(signed, 50, "later")
    whole = Maker(house.sessions, house.keyring, tmp_path / "half", EVERYTHING)
    made = whole.make(asked, AT)
    signed.seal()
    assert whole.finish(tmp_path / "bundle.zip")
    assert not (tmp_path / "half").exists()
    keys = [verify.parse_key(line) for line in verifier_keys(signed, tmp_path).read_text().splitlines()]
    report = verify.verify(tmp_path / "bundle.zip", keys)
    assert (report["verdict"], report["findings"]) == ("VERIFIED", [])
    with ZipFile(tmp_path / "bundle.zip") as packed:
        manifest = json.loads(packed.read("manifest.json"))
        rows = list(csv.DictReader(packed.read("views/entries.csv").decode().splitlines()))
    assert made.entries == sum(log["entries"] for log in manifest["logs"]) == len(rows)
    assert "later-1" not in json.dumps(manifest)


@pytest.mark.parametrize("kek", [KEK, Kek(bytes(32))], ids=["helped", "whose_helper_ends"])
def test_however_many_processes_make_it_the_bytes_are_the_same(
    signed: SealedBank, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kek: Kek
) -> None:
    monkeypatch.setattr(bundle_stage, "PART", 256)
    monkeypatch.setattr(bundle_stage, "_WORTH_A_PROCESS", 1)
    story(signed)
    capture(signed, 700, "many")
    house, asked = signed.bank.house, Asked(Question("range"), "why", SYSTEM)
    told: list[bytes] = []
    own: list[int] = []
    bring, results = PartMaker.bring, Crew.results

    def counted(*given: Any) -> Part:
        own.append(len(told))
        return bring(*given)

    def when_others_are_ready(self: Crew[Any, Any], does: Any) -> Any:
        self.listen(30)
        return results(self, does)

    monkeypatch.setattr(PartMaker, "bring", counted)
    monkeypatch.setattr(Crew, "results", when_others_are_ready)
    for helped in (None, Help(2, database_url, KekSource(text=kek.text()))):
        folder = tmp_path / f"made-{len(told)}"
        maker = Maker(house.sessions, house.keyring, folder, EVERYTHING, helped)
        maker.make(asked, AT)
        told.append((folder / "files/manifest.json").read_bytes())
    assert told[0] == told[1]
    assert kek is not KEK or own.count(1) < own.count(0)


def test_a_folder_with_half_of_another_bundle_is_refused(signed: SealedBank, tmp_path: Path) -> None:
    capture(signed, 3)
    house = signed.bank.house
    maker = Maker(house.sessions, house.keyring, tmp_path / "half", EVERYTHING)
    maker.make(Asked(Question("range"), "why", SYSTEM), AT)
    with pytest.raises(BundleError, match="another bundle"):
        maker.make(Asked(Question("range"), "something else", SYSTEM), AT)
    assert (tmp_path / "half").stat().st_mode & 0o77 == 0


def test_without_a_signed_log_or_a_purpose_there_is_no_bundle(unsigned: SealedBank, tmp_path: Path) -> None:
    house = unsigned.bank.house
    maker = Maker(house.sessions, house.keyring, tmp_path / "half", EVERYTHING)
    with pytest.raises(QuestionError, match="keys make"):
        maker.make(Asked(Question("range"), "why", SYSTEM), AT)
    with pytest.raises(QuestionError, match="purpose"):
        maker.make(Asked(Question("range"), " ", SYSTEM), AT)


def test_an_entry_that_is_not_what_was_signed_is_not_bundled(
    signed: SealedBank, owner_url: str, tmp_path: Path
) -> None:
    capture(signed, 3)
    with psycopg.connect(owner_url) as superuser:
        superuser.execute("ALTER TABLE entry DISABLE TRIGGER ALL")
        superuser.execute(
            "UPDATE entry SET body = replace(convert_from(body, 'UTF8'), '0.6', '0.9')::bytea "
            "WHERE seq = 2 AND log_id = (SELECT log_id FROM log WHERE name = %s)",
            (CAPTURED,),
        )
    with pytest.raises(BundleError, match=r"4 entries of predictions.* are not what was signed"):
        bundle(signed, Question("range", logs=[CAPTURED]), tmp_path)


def test_a_log_that_lost_its_tiles_is_not_bundled_and_the_error_says_what_to_do(
    signed: SealedBank, owner_url: str, tmp_path: Path
) -> None:
    capture(signed, 300)
    with psycopg.connect(owner_url) as superuser:
        superuser.execute("ALTER TABLE tile DISABLE TRIGGER ALL")
        superuser.execute("DELETE FROM tile")
    told = rf"{CAPTURED} cannot be proved: .* lacks tiles of level 0.*audit verify --log.*restore a backup"
    with pytest.raises(BundleError, match=told):
        bundle(signed, Question("range", logs=[CAPTURED]), tmp_path)
