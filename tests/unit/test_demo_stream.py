import datetime as dt
from collections import Counter

import msgspec
import pytest

from reviewsvc.demo import stream
from reviewsvc.demo.stream import Application
from reviewsvc.domain.events import Event, read_event
from reviewsvc.domain.explanation import read_explanation

pytestmark = pytest.mark.unit

AT = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def applications() -> list[Application]:
    return stream.applications()


def test_every_application_the_model_has_not_seen_comes_once(applications: list[Application]) -> None:
    assert len(applications) == 989
    assert len({application.number for application in applications}) == 989


def test_each_event_has_the_format_that_capture_reads(applications: list[Application]) -> None:
    for application in applications:
        sent = msgspec.json.encode(application.event(prediction_id=application.number, predicted_at=AT))
        event = read_event(sent, (), "reviewsvc.predictions.v1")
        assert isinstance(event, Event)
        assert event.predicted_at == AT
        assert event.output.label == application.answer.label
        assert event.output.confidence == application.answer.confidence
        explanation = read_explanation(event.explanation)
        assert explanation is not None
        assert explanation.base == application.answer.base
        assert {one.feature: one.value for one in explanation.attributions} == application.answer.attributions
        assert (event.subject, event.segment) == (application.number, application.group)


def test_the_event_tells_neither_the_answer_nor_the_group_among_its_inputs(
    applications: list[Application],
) -> None:
    event = applications[0].event(prediction_id="1", predicted_at=AT)
    assert {"approve", "reject", "black", "hispan", "white", "male"}.isdisjoint(event["input"])
    explained = {attribution["feature"] for attribution in event["explanation"]["attributions"]}
    assert explained == set(event["input"])
    assert "truth" not in msgspec.json.encode(event).decode()


def test_missing_inputs_travel_as_null(applications: list[Application]) -> None:
    assert sum(application.input["rep"] is None for application in applications) == 5


def test_every_applicant_belongs_to_one_of_three_groups(applications: list[Application]) -> None:
    groups = Counter(application.group for application in applications)
    assert set(groups) == {"white", "black", "hispanic"}
    assert min(groups.values()) >= 30


def test_the_bank_refused_about_one_in_nine(applications: list[Application]) -> None:
    refused = sum(application.truth == "refuse" for application in applications)
    assert refused == 116
