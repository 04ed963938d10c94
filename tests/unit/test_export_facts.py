"""Which bundles a case left in, as the entries of their exports say it."""

import pytest

from reviewsvc.domain.export_facts import About, Traits, reaches

pytestmark = pytest.mark.unit

CASE = Traits(
    id="ab",
    model="loans",
    subject="cd",
    reviewers={"rosa"},
    queues={"unsure"},
    places={("predictions/t/0/0", 100), ("activity/1/0", 200)},
)


@pytest.mark.parametrize(
    ("about", "model", "made_at", "reached"),
    [
        (About("range"), None, 300, True),
        (About("range", since=150), None, 300, True),
        (About("range", since=150), None, 180, False),
        (About("range", since=201), None, 300, False),
        (About("range", until=100), None, 300, False),
        (About("range", logs=["activity/1/0"], parts=1), None, 300, True),
        (About("range", logs=["activity/2/0"], parts=1), None, 300, False),
        (About("range", logs=["activity/2/0"], parts=40), None, 300, True),
        (About("model"), "loans", 300, True),
        (About("model"), "fraud", 300, False),
        (About("subject", subject="cd"), None, 300, True),
        (About("subject", subject="ef"), None, 300, False),
        (About("reviewer", reviewer="rosa"), None, 300, True),
        (About("queue", queue="leads"), None, 300, False),
        (About("case", ids=["ab"]), "loans", 300, True),
        (About("case", ids=["ef"]), "loans", 300, False),
    ],
)
def test_a_bundle_reaches_a_case_that_its_question_names(
    about: About, model: str | None, made_at: int, *, reached: bool
) -> None:
    assert reaches(about, model, made_at, CASE) is reached
