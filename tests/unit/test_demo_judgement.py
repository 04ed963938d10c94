"""The check's judgement: nothing is off in a run that went well, and what goes wrong is named."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from reviewsvc.demo.judgement import Evidence, current, faults
from reviewsvc.demo.model import Answer
from reviewsvc.demo.reviewers import Given
from reviewsvc.demo.stream import Application

pytestmark = pytest.mark.unit


def _application(number: int, label: str, confidence: float) -> Application:
    answer = Answer(label, confidence, {}, 0.0, {})
    return Application(f"application {number}", "white", {}, answer, "approve")


def _label(seq: int, prediction_id: str, value: str | None, **more: Any) -> dict[str, Any]:
    label: dict[str, Any] = {
        "label_id": f"0.{seq}",
        "op": "add",
        "prediction_id": prediction_id,
        "value": value,
    }
    label |= {"model_value": "refuse", "agreed": value == "refuse", "confidence": 0.7, "supersedes": None}
    return label | {"selection_probability": 0.5, "weight": 2.0} | more


def _decision(prediction_id: str, value: str | None, status: str = "decided") -> dict[str, Any]:
    return {"prediction_id": prediction_id, "status": status, "value": value}


def a_good_run() -> Evidence:
    """Three were sent; two came to people; the second was first answered wrongly and taken back."""
    sent = {"p1": _application(1, "refuse", 0.7), "p2": _application(2, "refuse", 0.7)}
    sent["p3"] = _application(3, "approve", 0.99)
    labels = [
        _label(1, "p1", "approve"),
        _label(2, "p2", "refuse"),
        _label(3, "p2", None, op="withdraw", supersedes="0.2"),
        _label(4, "p2", "approve"),
    ]
    return Evidence(
        sent=sent,
        copies={"p1": 1, "p2": 1, "p3": 1},
        queued=2,
        waiting=0,
        given=[
            Given("application 1", "d1", "approve"),
            Given("application 2", "d2", "refuse", undone=True),
            Given("application 2", "d3", "approve"),
        ],
        labels_api=labels,
        labels_kafka=[dict(each) for each in labels],
        decisions_api={"p1": _decision("p1", "approve"), "p2": _decision("p2", "approve")},
        decisions_kafka=[
            _decision("p2", "refuse"),
            _decision("p1", "approve"),
            _decision("p2", None, "pending"),
            _decision("p2", "approve"),
        ],
    )


def test_a_good_run_has_no_fault() -> None:
    run = a_good_run()
    assert list(faults(run)) == []
    assert (run.lost, run.doubled) == (0, 0)
    assert run.standing == {"p1": "approve", "p2": "approve"}


def test_labels_in_force_are_those_that_nothing_supersedes() -> None:
    assert sorted(current(a_good_run().labels_api)) == ["0.1", "0.4"]


def _without_one(name: str, at: int) -> Callable[[Evidence], dict[str, Any]]:
    return lambda run: {name: [each for place, each in enumerate(getattr(run, name)) if place != at]}


def _with_changed(name: str, at: int, **changed: Any) -> Callable[[Evidence], dict[str, Any]]:
    def change(run: Evidence) -> dict[str, Any]:
        records = [dict(each) for each in getattr(run, name)]
        records[at] |= changed
        return {name: records}

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda _: {"copies": {"p1": 1, "p2": 0, "p3": 1}}, "1 predictions were sent and are not stored: p2"),
        (lambda _: {"copies": {"p1": 3, "p2": 1, "p3": 1}}, "2 predictions are stored more than once: p1"),
        (lambda _: {"queued": 1}, "1 predictions came to people, of 2 that are refused or unsure"),
        (lambda _: {"queued": 3}, "3 cases came to people, and 2 of them have an answer that stands"),
        (lambda _: {"waiting": 4}, "4 cases are still waiting"),
        (lambda run: {"given": [*run.given, run.given[0]]}, "1 cases were decided twice: application 1"),
        (_without_one("labels_api", 0), "label 0.1 came by Kafka alone"),
        (_without_one("labels_api", 0), "p1 was decided and has no label in force"),
        (_without_one("labels_kafka", 3), "label 0.4 came by API alone"),
        (
            lambda run: {"labels_kafka": [*run.labels_kafka, run.labels_kafka[0]]},
            "1 labels came twice by Kafka",
        ),
        (_with_changed("labels_kafka", 0, weight=3.0), "label 0.1 differs in weight: API 2.0, Kafka 3.0"),
        (_with_changed("labels_kafka", 0, more=None), "label 0.1 differs in more: API None, Kafka None"),
        (
            _with_changed("labels_api", 2, supersedes=None),
            "3 labels are in force, of 3 decisions less 1 undone",
        ),
        (_with_changed("labels_api", 0, value="refuse"), "label 0.1 has value 'refuse', expected 'approve'"),
        (_with_changed("labels_api", 0, agreed=True), "label 0.1 has agreed True, expected False"),
        (lambda _: {"decisions_api": {}}, "p1 was decided, and API has no decision of it"),
        (_without_one("decisions_kafka", 3), "p2 was decided approve, and Kafka says pending None"),
    ],
)
def test_each_thing_that_is_off_is_named(change: Callable[[Evidence], dict[str, Any]], said: str) -> None:
    run = a_good_run()
    found = list(faults(dataclasses.replace(run, **change(run))))
    assert any(each.startswith(said) for each in found), found
