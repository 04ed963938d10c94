import math

import pytest

from reviewsvc.demo import model
from reviewsvc.demo.model import Row

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return model.load()


@pytest.fixture(scope="module")
def trained(rows: list[Row]) -> model.LoanModel:
    return model.LoanModel(rows[: model.TRAINED_ROWS])


def test_all_applications_are_read_with_missing_values_as_none(rows: list[Row]) -> None:
    assert len(rows) == 1989
    assert sum(row["min30"] is None for row in rows) == 183
    assert rows[0]["hrat"] == 17.63
    assert not any(isinstance(value, float) and math.isnan(value) for row in rows for value in row.values())


def test_every_variable_has_the_label_of_the_data_description(rows: list[Row]) -> None:
    labels = model.described()
    assert set(labels) == set(rows[0])
    assert labels["obrat"] == "other oblgs,  % total inc"


def test_neither_the_answer_nor_what_follows_it_nor_the_group_is_an_input(trained: model.LoanModel) -> None:
    answer, after = {"approve", "action", "reject"}, {"typur", "inss", "inson"}
    forbidden = answer | after | {"black", "hispan", "white", "male", "min30"}
    assert forbidden.isdisjoint(trained.names)
    assert len(trained.names) + len(forbidden) == 59


def test_the_model_is_right_in_nine_of_ten_and_unsure_often_enough(
    rows: list[Row], trained: model.LoanModel
) -> None:
    rest = rows[model.TRAINED_ROWS :]
    answers = trained.answer(rest)
    right = sum(answer.label == model.truth(row) for answer, row in zip(answers, rest, strict=True))
    unsure = sum(answer.confidence < 0.8 for answer in answers)
    refused = sum(answer.label == "refuse" for answer in answers)
    assert right / len(rest) == pytest.approx(0.907, abs=0.01)
    assert unsure == pytest.approx(141, abs=10)
    assert refused == pytest.approx(72, abs=10)


def test_attributions_add_up_to_the_probability(rows: list[Row], trained: model.LoanModel) -> None:
    for answer in trained.answer(rows[model.TRAINED_ROWS :]):
        log_odds = answer.base + math.fsum(answer.attributions.values())
        assert 1 / (1 + math.exp(-log_odds)) == pytest.approx(answer.scores["approve"], abs=1e-9)
        assert answer.confidence == max(answer.scores.values()) == answer.scores[answer.label]


def test_a_missing_input_pulls_neither_way(rows: list[Row], trained: model.LoanModel) -> None:
    missing = [row for row in rows if row["rep"] is None]
    assert missing
    assert all(answer.attributions["rep"] == pytest.approx(0) for answer in trained.answer(missing))


def test_training_again_gives_the_same_answers(rows: list[Row], trained: model.LoanModel) -> None:
    again = model.LoanModel(rows[: model.TRAINED_ROWS])
    assert again.answer(rows[-50:]) == trained.answer(rows[-50:])


def test_quantiles_are_observed_values_that_rank_where_they_say(rows: list[Row]) -> None:
    values = [row["loanamt"] or 0 for row in rows[: model.TRAINED_ROWS]]
    for percentile, value in model.quantiles(rows[: model.TRAINED_ROWS], "loanamt"):
        assert value in values
        assert sum(v <= value for v in values) >= percentile * len(values) / 100
        assert sum(v < value for v in values) < percentile * len(values) / 100


def test_calibration_counts_every_training_row_once(rows: list[Row]) -> None:
    bands = model.calibration(rows[: model.TRAINED_ROWS])
    assert sum(band.n for band in bands) == model.TRAINED_ROWS
    assert [band.to for band in bands[:-1]] == [band.from_ for band in bands[1:]]
    assert bands[-1].right > bands[0].right
