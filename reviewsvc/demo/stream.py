"""The demo's events: what the model says of each application that it was not trained on."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from reviewsvc.demo.model import NAME, TRAINED_ROWS, VERSION, Answer, LoanModel, Row, inputs, load, truth

_GROUPS = {"white": "white", "black": "black", "hispan": "hispanic"}


@dataclass(frozen=True)
class Application:
    """One mortgage application with the model's answer, and the bank's own decision kept beside it."""

    number: str
    group: str
    input: Row
    answer: Answer
    truth: str

    def event(self, *, prediction_id: str, predicted_at: dt.datetime) -> dict[str, Any]:
        """Return the event as a producer sends it; the bank's decision is not in it."""
        return {
            "prediction_id": prediction_id,
            "model": {"name": NAME, "version": VERSION},
            "predicted_at": predicted_at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "input": self.input,
            "output": _output(self.answer),
            "subject": self.number,
            "segment": self.group,
            "explanation": _explanation(self.answer),
        }


def applications() -> list[Application]:
    """Train on the first 1,000 applications and answer the other 989, in their order; always the same."""
    rows = load()
    rest = rows[TRAINED_ROWS:]
    answers = LoanModel(rows[:TRAINED_ROWS]).answer(rest)
    numbered = enumerate(zip(rest, answers, strict=True), TRAINED_ROWS + 1)
    return [_application(number, row, answer) for number, (row, answer) in numbered]


def _application(number: int, row: Row, answer: Answer) -> Application:
    return Application(
        number=f"application {number}",
        group=next(name for column, name in _GROUPS.items() if row[column]),
        input=inputs(row),
        answer=answer,
        truth=truth(row),
    )


def _output(answer: Answer) -> dict[str, Any]:
    return {"label": answer.label, "confidence": answer.confidence, "scores": answer.scores}


def _explanation(answer: Answer) -> dict[str, Any]:
    return {
        "method": "linear",
        "unit": "log-odds",
        "towards": "approve",
        "base": answer.base,
        "attributions": [{"feature": name, "value": pull} for name, pull in answer.attributions.items()],
    }
