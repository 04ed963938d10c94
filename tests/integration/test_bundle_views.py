"""A bundle's views: tables, events and cover agree with the entries, and are the same each time."""

import csv
import json
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from pyarrow import parquet
from pypdf import PdfReader

from reviewsvc.domain.bundle import Question
from reviewsvc.domain.permissions import Reach
from reviewsvc.usecases.bundles import Asked, Maker
from tests.fixtures.bundled import EVERYTHING, bundle
from tests.fixtures.cases import event
from tests.fixtures.installed import AT, SYSTEM
from tests.fixtures.sealed import SealedBank

pytestmark = pytest.mark.real
NOBODY = Reach(everywhere=False, models=frozenset(), queues=frozenset())


def decided(held: SealedBank) -> None:
    held.bank.capture([event(f"p-{number}") for number in range(20)])
    anna = held.bank.person("anna")
    held.bank.decide(anna, held.bank.claim(anna)[0])
    held.seal()


def test_tables_events_and_cover_say_what_the_entries_say(signed: SealedBank, tmp_path: Path) -> None:
    decided(signed)
    made = bundle(signed, Question("range"), tmp_path, reach=NOBODY)
    manifest = made.manifest()
    views = ["cover.pdf", "views/entries.csv", "views/entries.parquet", "views/activity.ocsf.jsonl"]
    assert manifest["not_authoritative"] == views
    as_csv = list(csv.DictReader((made.folder / views[1]).read_text().splitlines()))
    as_parquet = parquet.read_table(made.folder / views[2]).to_pylist()
    counts = {log["name"]: log["entries"] for log in manifest["logs"]}
    assert len(as_csv) == len(as_parquet) == sum(counts.values())
    for one, other in zip(as_csv, as_parquet, strict=True):
        assert (one["log"], int(one["seq"]), one["kind"]) == (other["log"], other["seq"], other["kind"])
        assert json.loads(one["facts"]) == json.loads(other["facts"])
    (decision,) = [row for row in as_parquet if row["kind"] == "decision"]
    assert (decision["model"], decision["agreed"], decision["at"]) == ("loans", True, AT)
    events = [json.loads(line) for line in (made.folder / views[3]).read_bytes().splitlines()]
    activity = sorted((name, count) for name, count in counts.items() if name.startswith("activity/"))
    assert len(events) == sum(count for _, count in activity)
    assert {"logged_in", "decision", "person_added"} & {each["metadata"]["event_code"] for each in events}
    cover = PdfReader(BytesIO((made.folder / views[0]).read_bytes()))
    told = " ".join(" ".join(page.extract_text() for page in cover.pages).split())
    for words in (
        "the yearly audit",
        "everything in a time",
        f"{sum(counts.values()):,}",
        "not the exporter's to see",
    ):
        assert words in told
    assert "What it does not prove" in told


def test_the_same_question_at_the_same_heads_gives_the_same_bytes(signed: SealedBank, tmp_path: Path) -> None:
    decided(signed)
    house, asked = signed.bank.house, Asked(Question("range"), "why", SYSTEM)
    manifests = []
    for name in ("a", "b"):
        Maker(house.sessions, house.keyring, tmp_path / name, EVERYTHING).make(asked, AT)
        manifests.append((tmp_path / name / "files" / "manifest.json").read_bytes())
    assert manifests[0] == manifests[1]
    assert b"views/entries.parquet" in manifests[0]


def test_a_time_in_which_nothing_happened_is_proved_to_be_empty(signed: SealedBank, tmp_path: Path) -> None:
    decided(signed)
    signed.bank.capture([event("later")], at=AT + timedelta(days=2))
    signed.seal(AT + timedelta(days=2))
    since, until = (int((AT + timedelta(days=days)).timestamp()) * 1_000_000 for days in (0.5, 1))
    log = "predictions/reviewsvc.predictions.v1/0/0"
    made = bundle(signed, Question("range", logs=[log], since=since, until=until), tmp_path)
    assert (made.verify()["verdict"], made.verify()["findings"]) == ("VERIFIED", [])
    (scope,) = [each for each in made.manifest()["logs"] if each["name"] == log]
    assert (scope["first"], scope["entries"]) == (20, 2)
