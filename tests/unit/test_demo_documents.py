import datetime as dt
from collections import Counter
from importlib.resources import files
from typing import Any

import msgspec
import pytest
import yaml

from reviewsvc.demo import model, stream
from reviewsvc.demo.stream import Application
from reviewsvc.domain.contract import Contract, read_contract, unit_text
from reviewsvc.domain.contract_check import Checked, CompiledContract
from reviewsvc.domain.events import Event, read_event
from reviewsvc.domain.policy import read_policy
from reviewsvc.domain.policy_compile import CompiledPolicy, compile_policy
from reviewsvc.domain.queue import Queue, WhenDue, read_queue
from reviewsvc.domain.routing import Route

pytestmark = pytest.mark.unit

AT = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)


def documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all((files("reviewsvc.demo") / "documents" / name).read_text("utf-8")))


@pytest.fixture(scope="module")
def contract() -> Contract:
    return read_contract(documents("contract.yaml")[0])


@pytest.fixture(scope="module")
def queues() -> dict[str, Queue]:
    return {queue.name: queue for queue in map(read_queue, documents("queues.yaml"))}


@pytest.fixture(scope="module")
def applications() -> list[Application]:
    return stream.applications()


@pytest.fixture(scope="module")
def checked(contract: Contract, applications: list[Application]) -> list[tuple[Event, Checked]]:
    compiled = CompiledContract(contract)
    return [(event, compiled.check(event)) for event in map(sent, applications)]


@pytest.fixture(scope="module")
def policy(contract: Contract, queues: dict[str, Queue]) -> CompiledPolicy:
    read = read_policy(documents("policy.yaml")[0])
    return compile_policy(read, CompiledContract(contract), queues)


def sent(application: Application) -> Event:
    body = application.event(prediction_id=application.number, predicted_at=AT)
    event = read_event(msgspec.json.encode(body), (), "reviewsvc.predictions.v1")
    assert isinstance(event, Event)
    return event


def routes(policy: CompiledPolicy, checked: list[tuple[Event, Checked]], drawn: float) -> list[Route]:
    return [policy.route(event, check, lambda *_: drawn) for event, check in checked]


def test_the_contract_names_exactly_the_inputs_of_the_model(
    contract: Contract, applications: list[Application]
) -> None:
    assert {field.name for field in contract.fields} == set(applications[0].input)
    assert (contract.name, contract.versions) == (model.NAME, (model.VERSION,))
    assert contract.risk_tier == "high"


def test_every_description_begins_with_the_words_of_the_data(contract: Contract) -> None:
    words = model.described()
    assert [f.name for f in contract.fields if not f.description.startswith(words[f.name])] == []


def test_units_stand_where_the_data_gives_them_and_their_lack_is_said(contract: Contract) -> None:
    said = {field.name: unit_text(field) for field in contract.fields if field.type != "category"}
    assert said["loanamt"] == said["appinc"] == said["other"] == "thousands of dollars"
    assert said["hrat"] == said["obrat"] == "% of total income"
    assert (said["term"], said["emp"], said["dep"]) == ("months", "years", "a count")
    assert {name for name, text in said.items() if text == "not given"} == {
        *("price", "apr", "atotinc", "cototinc", "liq", "netw", "hexp", "unem")
    }


def test_only_values_that_cannot_be_meant_break_the_contract(checked: list[tuple[Event, Checked]]) -> None:
    broken = {event.subject for event, check in checked if check.violations.count}
    assert broken == {f"application {number}" for number in (1229, 1356, 1361, 1545)}


def test_every_predicted_refusal_goes_to_the_queue_of_refusals(
    policy: CompiledPolicy, checked: list[tuple[Event, Checked]]
) -> None:
    found = routes(policy, checked, drawn=0.99)
    refused = [route.queue for (event, _), route in zip(checked, found, strict=True) if is_refusal(event)]
    assert len(refused) == pytest.approx(72, abs=10)
    assert set(refused) == {"refusals"}


def is_refusal(event: Event) -> bool:
    return event.output.label == "refuse"


def test_a_days_work_goes_to_people_and_the_rest_is_not_asked_about(
    policy: CompiledPolicy, checked: list[tuple[Event, Checked]]
) -> None:
    found = routes(policy, checked, drawn=0.99)
    rules = Counter(route.rule for route in found)
    reasons = Counter(reason for route in found for reason in route.reasons)
    assert reasons["low-confidence"] == pytest.approx(141, abs=10)
    assert rules["contract-violation"] >= 1
    assert rules[None] > 750


def test_the_random_share_is_one_in_twenty_and_gives_the_odds(
    policy: CompiledPolicy, checked: list[tuple[Event, Checked]]
) -> None:
    unsampled = [route for route in routes(policy, checked, drawn=0.05) if route.queue is None]
    sampled = [route for route in routes(policy, checked, drawn=0.049) if route.rule == "random-share"]
    assert len(sampled) == len(unsampled) > 750
    assert all(route.selection_probability == pytest.approx(0.05) for route in (*sampled, *unsampled))


def test_refusals_are_due_within_hours_and_then_move_to_a_queue_that_exists(queues: dict[str, Queue]) -> None:
    refusals = queues["refusals"]
    assert refusals.due_in_minutes is not None
    assert refusals.due_in_minutes <= 8 * 60
    assert refusals.when_due is WhenDue.ESCALATE
    assert refusals.escalate_to in queues
    assert queues["borderline"].when_due is WhenDue.WAIT


def test_the_contract_tells_how_the_training_values_lay(contract: Contract) -> None:
    trained = model.load()[: model.TRAINED_ROWS]
    told = {f.name: [(q.percent, q.value) for q in f.training] for f in contract.fields if f.training}
    assert len(told) == 22
    assert {name: model.quantiles(trained, name) for name in told} == told


def test_the_contract_tells_how_often_the_model_was_right(contract: Contract) -> None:
    measured = model.calibration(model.load()[: model.TRAINED_ROWS])
    assert [(band.low, band.high) for band in contract.calibration] == [(b.from_, b.to) for b in measured]
    assert [band.right for band in contract.calibration] == pytest.approx(
        [b.right for b in measured], abs=0.01
    )
    assert [band.n for band in contract.calibration] == pytest.approx([b.n for b in measured], abs=5)
