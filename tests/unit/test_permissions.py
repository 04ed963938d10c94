import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc.domain.permissions import (
    ALL,
    INSTALLATION_WIDE,
    PERMISSIONS,
    Grant,
    GrantError,
    check_grant,
    check_scopes,
    may,
    reach,
)

pytestmark = pytest.mark.unit

ROLES = st.sampled_from(sorted(PERMISSIONS))
SCOPES = st.sampled_from(["*", "model:loans", "model:fraud", "queue:first", "queue:second"])
GRANTS = st.lists(st.builds(Grant, ROLES, SCOPES), max_size=5)
NEED = st.sampled_from(sorted(ALL))


def test_a_reviewer_of_one_queue_decides_there_and_nowhere_else() -> None:
    grants = [Grant("reviewer", "queue:first")]
    assert may(grants, "tasks.decide", queue="first")
    assert not may(grants, "tasks.decide", queue="second")
    assert not may(grants, "tasks.decide")
    assert not may(grants, "tasks.decide", model="first")


@pytest.mark.parametrize("role", ["admin", "operator", "data", "owner", "steward"])
def test_who_reviews_nothing_opens_no_payload(role: str) -> None:
    assert not may([Grant(role)], "payloads.open")


def test_an_auditor_changes_nothing() -> None:
    changing = {
        "claim",
        "decide",
        "assign",
        "adjudicate",
        "apply",
        "set",
        "manage",
        "accept",
        "replay",
        "erase",
    }
    assert not {name for name in PERMISSIONS["auditor"] if name.partition(".")[2] in changing}


def test_an_administrator_of_one_queue_manages_no_people() -> None:
    assert not reach([Grant("admin", "queue:first")], "people.manage")
    assert may([Grant("admin")], "people.manage")


def test_nobody_may_decide_and_adjudicate_by_one_role() -> None:
    assert not any({"tasks.decide", "tasks.adjudicate"} <= held for held in PERMISSIONS.values())


@given(GRANTS, NEED)
def test_without_grants_that_carry_it_a_permission_reaches_nothing(grants: list[Grant], need: str) -> None:
    wide = need.partition(".")[0] in INSTALLATION_WIDE
    carrying = [
        grant for grant in grants if need in PERMISSIONS[grant.role] and (grant.scope == "*" or not wide)
    ]
    assert bool(reach(grants, need)) == bool(carrying)


@given(GRANTS, st.builds(Grant, ROLES, SCOPES), NEED)
def test_a_further_grant_takes_nothing_away(grants: list[Grant], more: Grant, need: str) -> None:
    for model, queue in ((None, None), ("loans", None), (None, "first"), ("fraud", "second")):
        assert may([*grants, more], need, model, queue) >= may(grants, need, model, queue)


@given(GRANTS, NEED, st.lists(st.sampled_from(["*", "tasks.*", "tasks.claim", "labels.pull"]), max_size=2))
def test_a_token_reaches_no_further_than_its_person(
    grants: list[Grant], need: str, scopes: list[str]
) -> None:
    narrowed = reach(grants, need, scopes)
    assert narrowed in {reach(grants, need), reach([], need)}
    assert bool(narrowed) <= bool({"*", need, f"{need.partition('.')[0]}.*"} & set(scopes))


@pytest.mark.parametrize("grant", [Grant("king"), Grant("reviewer", "queue:"), Grant("reviewer", "first")])
def test_a_grant_that_cannot_be_held_is_refused(grant: Grant) -> None:
    with pytest.raises(GrantError):
        check_grant(grant)


def test_scopes_that_name_no_permission_are_refused() -> None:
    check_scopes(["tasks.*", "labels.pull", "*"])
    with pytest.raises(GrantError, match=r"labels\.push"):
        check_scopes(["labels.push"])
