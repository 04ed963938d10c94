"""People, tokens and sessions by program."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from reviewsvc.db import tables as t
from reviewsvc.domain.permissions import Grant
from reviewsvc.usecases import auth, tokens
from tests.fixtures.installed import AT, PASSWORD, SYSTEM
from tests.fixtures.service import Site

pytestmark = pytest.mark.real

NOBODY = "00000000-0000-7000-8000-000000000000"


class Program:
    """Calls the API with a token of a person who holds these roles."""

    def __init__(self, site: Site, login: str, *grants: Grant) -> None:
        house = site.house
        self.person_id = house.add_person(login, *grants)
        made = tokens.create(
            house.sessions,
            house.keyring,
            self.person_id,
            "test",
            scopes=("*",),
            expires_at=AT + timedelta(days=1),
            actor=SYSTEM,
            at=AT,
        )
        self._client = site.app.test_client()
        self._headers = {"Authorization": f"Bearer {made.text}"}

    def call(self, what: str, *, key: str | None = None, **more: Any) -> tuple[int, Any]:
        method, _, path = what.partition(" ")
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        answer = self._client.open(f"/api/v1{path}", method=method, headers=headers, **more)
        return answer.status_code, answer.json if answer.data else None


@pytest.fixture
def admin(site: Site) -> Program:
    return Program(site, "root", Grant("admin"))


def test_an_added_person_logs_in_with_the_password_that_the_answer_shows(site: Site, admin: Program) -> None:
    status, added = admin.call("POST /people", json={"login": "Ada@example.org"})
    assert (status, added["login"], added["grants"], added["disabled_at"]) == (
        201,
        "ada@example.org",
        [],
        None,
    )
    house = site.house
    assert auth.log_in(
        house.sessions, house.keyring, "ada@example.org", added["password"], at=AT, rules=auth.Rules()
    )
    status, seen = admin.call(f"GET /people/{added['person_id']}")
    assert (status, seen) == (200, {key: value for key, value in added.items() if key != "password"})


def test_a_given_password_is_not_said_again(admin: Program) -> None:
    status, added = admin.call("POST /people", json={"login": "ada", "password": PASSWORD})
    assert (status, added["password"]) == (201, None)


@pytest.mark.parametrize(
    ("path", "sent", "secret"),
    [
        ("/people", {"login": "ada"}, "password"),
        ("/people/{}/tokens", {"name": "x", "scopes": ["*"]}, "token"),
    ],
)
def test_a_repeated_request_gets_the_same_secret_which_is_kept_only_sealed(
    site: Site, admin: Program, path: str, sent: dict[str, Any], secret: str
) -> None:
    what = f"POST {path.format(admin.person_id)}"
    first, again = [admin.call(what, json=sent, key="the-same-key") for _ in range(2)]
    assert first == again
    assert first[0] == 201
    with site.house.sessions.begin() as session:
        kept = bytes(session.scalars(sa.select(t.idempotency.c.body)).one())
    assert first[1][secret].encode() not in kept


def test_people_are_listed_in_pages_by_login(site: Site, admin: Program) -> None:
    for login in ("eve", "ada", "bob"):
        site.house.add_person(login)
    _, first = admin.call("GET /people?limit=2")
    _, rest = admin.call(f"GET /people?limit=9&after={first['next']}")
    logins = [one["login"] for one in [*first["items"], *rest["items"]]]
    assert (logins, rest["next"]) == (["ada", "bob", "eve", "root"], None)


def test_roles_are_given_and_taken(site: Site, admin: Program) -> None:
    person_id = site.house.add_person("ada")
    held = {"role": "reviewer", "scope": "queue:first"}
    assert admin.call(f"POST /people/{person_id}/grants", json=held)[1]["grants"] == [held]
    status, left = admin.call(f"DELETE /people/{person_id}/grants", query_string=held)
    assert (status, left["grants"]) == (200, [])


@pytest.mark.parametrize(
    ("call", "sent", "status", "code"),
    [
        ("POST /people", {"login": "root"}, 409, "login_taken"),
        ("POST /people", {"login": "a b"}, 422, "unfit_person"),
        ("POST /people", {"login": "ada", "password": "short"}, 422, "unfit_person"),
        (f"POST /people/{NOBODY}/grants", {"role": "data", "scope": "*"}, 404, "person_missing"),
        (f"POST /people/{NOBODY}/disable", None, 404, "person_missing"),
        (f"GET /people/{NOBODY}/tokens", None, 404, "person_missing"),
        (f"GET /people/{NOBODY}/sessions", None, 404, "person_missing"),
    ],
)
def test_what_cannot_be_is_told_as_a_problem(
    admin: Program, call: str, sent: dict[str, str] | None, status: int, code: str
) -> None:
    answered, told = admin.call(call, json=sent)
    assert (answered, told["code"], bool(told["detail"])) == (status, code, True)


def test_a_role_that_does_not_exist_is_told_with_those_that_do(site: Site, admin: Program) -> None:
    person_id = site.house.add_person("ada")
    status, told = admin.call(f"POST /people/{person_id}/grants", json={"role": "king", "scope": "*"})
    assert (status, told["code"], "reviewer" in told["detail"]) == (422, "unfit_grant", True)


def test_a_token_is_made_shown_once_listed_and_ended(site: Site, admin: Program) -> None:
    person_id = site.house.add_person("ada", Grant("data"))
    wanted = {"name": "nightly", "scopes": ["labels.pull"], "days": 7}
    status, made = admin.call(f"POST /people/{person_id}/tokens", json=wanted)
    assert status == 201
    assert tokens.current(site.house.sessions, made["token"], at=AT) is not None
    (listed,) = admin.call(f"GET /people/{person_id}/tokens")[1]["items"]
    assert listed == {key: value for key, value in made.items() if key != "token"}
    assert admin.call(f"DELETE /tokens/{made['token_id']}") == (204, None)
    assert tokens.current(site.house.sessions, made["token"], at=AT) is None


def test_sessions_are_listed_and_ended(site: Site, admin: Program) -> None:
    visitor = site.visitor("ada")
    ada = next(one for one in admin.call("GET /people")[1]["items"] if one["login"] == "ada")
    (listed,) = admin.call(f"GET /people/{ada['person_id']}/sessions")[1]["items"]
    assert visitor.get("/account").status_code == 200
    assert admin.call(f"DELETE /sessions/{listed['session']}") == (204, None)
    assert visitor.get("/account").status_code == 303
    assert admin.call(f"DELETE /sessions/{'z' * 64}")[0] == 404


def test_a_disabled_person_is_out(site: Site, admin: Program) -> None:
    other = Program(site, "ada", Grant("admin"))
    status, told = admin.call(f"POST /people/{other.person_id}/disable")
    assert (status, told["disabled_at"]) == (200, "2026-11-21T09:00:30+00:00")
    assert other.call("GET /people")[0] == 401


@pytest.mark.parametrize("role", ["reviewer", "lead", "data", "owner", "operator", "steward"])
def test_who_is_no_administrator_manages_nobody(site: Site, role: str) -> None:
    program = Program(site, "ada", Grant(role), Grant("admin", "queue:first"))
    for what in (
        "GET /people",
        "POST /people",
        f"POST /people/{program.person_id}/grants",
        f"POST /people/{program.person_id}/tokens",
        f"GET /people/{program.person_id}/sessions",
    ):
        status, told = program.call(what, json={})
        assert (status, told["code"]) == (403, "not_granted")
