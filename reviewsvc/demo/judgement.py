"""Judges what the check found: every difference between what was done and what was kept is a fault."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from reviewsvc.demo.reviewers import Given
from reviewsvc.demo.stream import Application

Record = Mapping[str, Any]
UNSURE_BELOW = 0.8
NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was sent and answered, and what API, Kafka and database say of it afterwards.

    `copies` counts the stored predictions of each id that was sent; `decisions_api` has an answer for each
    prediction that people decided; `queued` and `waiting` count tasks.
    """

    sent: Mapping[str, Application]
    copies: Mapping[str, int]
    queued: int
    waiting: int
    given: Sequence[Given]
    labels_api: Sequence[Record]
    labels_kafka: Sequence[Record]
    decisions_api: Mapping[str, Record]
    decisions_kafka: Sequence[Record]

    @property
    def lost(self) -> int:
        """How many that were sent are not stored."""
        return sum(not self.copies.get(each, 0) for each in self.sent)

    @property
    def doubled(self) -> int:
        """How many are stored beyond the first of each."""
        return sum(max(0, count - 1) for count in self.copies.values())

    @property
    def standing(self) -> dict[str, str]:
        """The answers that stand in the end, by prediction id."""
        ids = {application.number: each for each, application in self.sent.items()}
        return {ids[each.application]: each.value for each in self.given if not each.undone}


def faults(evidence: Evidence) -> Iterator[str]:
    """Yield everything that is off, in words."""
    yield from _capture(evidence)
    yield from _work(evidence)
    yield from _labels(evidence)
    yield from _decisions(evidence)


def current(labels: Iterable[Record]) -> dict[str, Record]:
    """Return the labels in force, by label id, as docs/how-to/pull-labels.md says to find them."""
    standing: dict[str, Record] = {}
    for each in labels:
        standing.pop(str(each["supersedes"]), None)
        if each["op"] == "add":
            standing[each["label_id"]] = each
    return standing


def _capture(found: Evidence) -> Iterator[str]:
    if found.lost:
        missing = (each for each in found.sent if not found.copies.get(each))
        yield f"{found.lost} predictions were sent and are not stored: {_some(missing)}"
    if found.doubled:
        twice = (each for each, count in found.copies.items() if count > 1)
        yield f"{found.doubled} predictions are stored more than once: {_some(twice)}"


def _work(found: Evidence) -> Iterator[str]:
    due = sum(
        each.answer.label == "refuse" or each.answer.confidence < UNSURE_BELOW for each in found.sent.values()
    )
    if found.queued < due:
        yield f"{found.queued} predictions came to people, of {due} that are refused or unsure"
    if found.waiting:
        yield f"{found.waiting} cases are still waiting"
    times = Counter(each.application for each in found.given if not each.undone)
    again = [application for application, count in times.items() if count > 1]
    if again:
        yield f"{len(again)} cases were decided twice: {_some(again)}"
    if len(times) != found.queued:
        yield f"{found.queued} cases came to people, and {len(times)} of them have an answer that stands"


def _labels(found: Evidence) -> Iterator[str]:
    yield from _different(found.labels_api, found.labels_kafka)
    ours = [each for each in found.labels_api if each["prediction_id"] in found.sent]
    standing = {each["prediction_id"]: each for each in current(ours).values()}
    undone = sum(each.undone for each in found.given)
    in_force, made = len(current(ours)), len(found.given)
    if in_force != made - undone:
        yield f"{in_force} labels are in force, of {made} decisions less {undone} undone"
    for prediction_id, value in found.standing.items():
        label = standing.get(prediction_id)
        if label is None:
            yield f"{prediction_id} was decided and has no label in force"
        else:
            yield from _untrue(label, value, found.sent[prediction_id])


def _untrue(label: Record, value: str, application: Application) -> Iterator[str]:
    pi = label["selection_probability"]
    expected = {
        "value": value,
        "model_value": application.answer.label,
        "agreed": value == application.answer.label,
        "confidence": application.answer.confidence,
        "weight": 1 / pi if pi else None,
    }
    for name, right in expected.items():
        if label[name] != right:
            yield f"label {label['label_id']} has {name} {label[name]!r}, expected {right!r}"


def _different(api: Sequence[Record], kafka: Sequence[Record]) -> Iterator[str]:
    by_api, by_kafka = ({each["label_id"]: each for each in side} for side in (api, kafka))
    for name, side, records in (("API", by_api, api), ("Kafka", by_kafka, kafka)):
        if len(side) != len(records):
            yield f"{len(records) - len(side)} labels came twice by {name}"
    for label_id in sorted(by_api.keys() ^ by_kafka.keys()):
        yield f"label {label_id} came by {'API' if label_id in by_api else 'Kafka'} alone"
    for label_id in by_api.keys() & by_kafka.keys():
        one, other = by_api[label_id], by_kafka[label_id]
        for name in sorted(one.keys() | other.keys()):
            if name not in one or name not in other or one[name] != other[name]:
                yield f"label {label_id} differs in {name}: API {one.get(name)!r}, Kafka {other.get(name)!r}"


def _decisions(found: Evidence) -> Iterator[str]:
    last = {each["prediction_id"]: each for each in found.decisions_kafka}
    for prediction_id, value in found.standing.items():
        for place, said in (
            ("API", found.decisions_api.get(prediction_id)),
            ("Kafka", last.get(prediction_id)),
        ):
            if said is None:
                yield f"{prediction_id} was decided, and {place} has no decision of it"
            elif (said["status"], said["value"]) != ("decided", value):
                told = f"{said['status']} {said['value']!r}"
                yield f"{prediction_id} was decided {value}, and {place} says {told}"


def _some(names: Iterable[str]) -> str:
    return ", ".join(islice(names, NAMED)) + " …"
