import re
from pathlib import Path

import pytest

from reviewsvc.domain.contract import Contract
from reviewsvc.domain.contract_faults import FieldCode
from reviewsvc.domain.event_faults import FaultCode
from reviewsvc.domain.events import Event, read_event
from reviewsvc.domain.explanation import read_explanation
from reviewsvc.domain.policy_conditions import BOUNDS
from reviewsvc.domain.queue import Queue
from reviewsvc.usecases.documents import Document, InForce, check_together, read_documents

pytestmark = pytest.mark.unit

DOCS = Path(__file__).parents[2] / "docs"
POLICIES_PAGE = (DOCS / "contracts-and-policies.md").read_text()
EVENTS_PAGE = (DOCS / "events.md").read_text()
BLOCK = re.compile(r"^```(yaml|json)( cloudevent)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EVENTS = [(bool(mode), text) for kind, mode, text in BLOCK.findall(EVENTS_PAGE) if kind == "json"]
EXAMPLES = sorted((DOCS / "examples").glob("*.yaml"))


def written() -> list[Document]:
    return [document for kind, _, text in BLOCK.findall(POLICIES_PAGE) for document in read_documents(text)]


def in_force() -> InForce:
    bodies = [one.body for one in [*written(), *read_documents(DOCS / "examples")]]
    contracts = {body.name: body for body in bodies if isinstance(body, Contract)}
    return InForce(contracts, {}, {"desk", *(body.name for body in bodies if isinstance(body, Queue))})


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_file_can_be_applied(path: Path) -> None:
    check_together(read_documents(path), InForce())


def test_every_document_of_the_page_can_be_applied() -> None:
    documents = written()
    assert {document.kind for document in documents} == {"contract", "policy", "queue"}
    check_together(documents, in_force())


def test_the_page_shows_every_condition_every_bound_and_every_fault() -> None:
    conditions = ("confidence", "margin", "entropy", "value", "label", "segment", "version")
    for word in (*conditions, "violation", "failed", "risk_tier", "input", *BOUNDS, *FieldCode):
        assert f"`{word}`" in POLICIES_PAGE, word
        assert re.search(rf"\b{word}\b", POLICIES_PAGE)


def test_there_are_examples_of_files_and_events() -> None:
    assert len(EXAMPLES) >= 2
    assert [mode for mode, _ in EVENTS] == [False, False, False, True]


@pytest.mark.parametrize(("structured", "text"), EVENTS)
def test_every_event_of_the_page_is_read(structured: bool, text: str) -> None:  # noqa: FBT001 - a table
    headers = [("content-type", b"application/cloudevents+json")] if structured else []
    event = read_event(text.encode(), headers, "reviewsvc.predictions.v1")
    assert isinstance(event, Event), event
    assert not event.explanation or read_explanation(event.explanation)


def test_the_page_names_every_reason_for_quarantine() -> None:
    assert [code for code in FaultCode if f"| `{code.value}` |" not in EVENTS_PAGE] == []
