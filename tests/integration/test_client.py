"""What data teams use: the client and `labels pull`, over a socket."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reviewsvc import cli
from reviewsvc.client import Client, ClientError
from reviewsvc.domain.labels import FIELDS
from reviewsvc.domain.permissions import Grant
from tests.fixtures.cases import Bank, event
from tests.fixtures.service import Site
from tests.integration.test_api_people import Program

pytestmark = pytest.mark.real


def token_of(site: Site, login: str, *grants: Grant) -> str:
    return Program(site, login, *grants)._headers["Authorization"].removeprefix("Bearer ")


@pytest.fixture
def address(bank: Bank, site: Site, serve: Callable[[Site], str]) -> str:
    bank.capture([event(f"p-{number}") for number in range(3)])
    return serve(site)


@pytest.fixture
def data(site: Site, address: str) -> Client:
    return Client(address, token_of(site, "dora", Grant("data")))


@pytest.fixture
def labelled(site: Site, address: str) -> Client:
    reviewer = Client(address, token_of(site, "anna", Grant("reviewer")))
    for held in reviewer.claim("unsure", 3):
        assert reviewer.task(held["task"])["token"] == held["token"]
        reviewer.decide(held, "refuse", "no")
    return reviewer


def test_labels_come_as_a_stream_and_go_on_after_a_cursor(data: Client, labelled: Client) -> None:
    found = list(data.labels("loans"))
    assert [one["prediction_id"] for one in found] == ["p-0", "p-1", "p-2"]
    assert list(data.labels("loans", found[1]["label_id"])) == found[2:]
    assert data.label_page("loans", limit=2)["items"] == found[:2]
    assert data.decision("loans", "p-1")["value"] == "refuse"
    assert labelled.queues()[0]["pending"] == 0


def test_what_is_claimed_can_be_given_back_and_what_is_decided_taken_back(site: Site, address: str) -> None:
    reviewer = Client(address, token_of(site, "anna", Grant("reviewer")))
    (held,) = reviewer.claim("unsure")
    reviewer.release(held)
    (held,) = reviewer.claim("unsure")
    decided = reviewer.decide(held, "approve")
    assert reviewer.undo(decided["decision_id"])["status"] == "pending"


def test_a_refusal_says_what_is_wrong(site: Site, address: str, data: Client) -> None:
    with pytest.raises(ClientError, match="No prediction p-9") as refused:
        data.decision("loans", "p-9")
    assert (refused.value.status, refused.value.code) == (404, "not_captured")
    with pytest.raises(ClientError) as refused:
        list(Client(address, token_of(site, "anna", Grant("reviewer"))).labels("loans"))
    assert refused.value.status == 403


def test_a_token_is_never_sent_in_the_clear_to_another_machine() -> None:
    with pytest.raises(ClientError, match="must begin with https"):
        Client("http://review.example.org", "token")


@pytest.fixture
def pull(
    site: Site, address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setenv("REVIEWSVC_URL", address)
    monkeypatch.setenv("REVIEWSVC_TOKEN", token_of(site, "dan", Grant("data")))

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["labels", "pull", *words])
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return run


def objects(out: str) -> list[dict[str, Any]]:
    # The service runs in this process too, and its log lines stand between.
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


@pytest.mark.usefixtures("labelled")
def test_labels_are_pulled_into_files_and_the_next_pull_goes_on(
    pull: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    table, lines = tmp_path / "labels.csv", tmp_path / "labels.jsonl"
    code, _, told = pull("loans", "--output", str(table))
    assert (code, told) == (0, "3 labels. The next time: --after 0.3\n")
    code, out, _ = pull("loans", "--output", str(lines), "--after", "0.1", "--json")
    assert objects(out)[0] == {"rows": 2, "next": "0.3", "file": str(lines), "continuation": None}
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert (list(rows[0]), rows[0]["agreed"], rows[0]["supersedes"]) == (list(FIELDS), "false", "")
    assert [json.loads(line)["label_id"] for line in lines.read_text().splitlines()] == ["0.2", "0.3"]
    assert sorted(tmp_path.glob("*.part")) == []


@pytest.mark.usefixtures("labelled")
def test_labels_are_pulled_to_stdout(pull: Callable[..., tuple[int, str, str]]) -> None:
    assert ",".join(FIELDS) in pull("loans")[1].splitlines()
    assert len(objects(pull("loans", "--format", "jsonl")[1])) == 3
    (told,) = objects(pull("loans", "--after", "0.2", "--json")[1])
    assert ([one["label_id"] for one in told["items"]], told["next"]) == (["0.3"], "0.3")


def test_a_pull_that_fails_says_why_in_one_line_and_leaves_no_file(
    pull: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, _, told = pull("nobody", "--output", str(tmp_path / "x.csv"))
    assert (code, told) == (1, "Error: Nothing is here: There is no model nobody.\n")
    assert list(tmp_path.iterdir()) == []
    assert FIELDS[0] not in pull("nobody")[1], "a heading would look like a table without rows"
