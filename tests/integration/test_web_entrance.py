"""Who is let in by cookie or token, and what is refused to whom."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from reviewsvc.db import tables as t
from reviewsvc.domain.permissions import Grant
from reviewsvc.usecases import tokens
from reviewsvc.web.permissions import declared
from tests.fixtures.installed import AT, SYSTEM
from tests.fixtures.service import Site

pytestmark = pytest.mark.real

ADMIN = Grant("admin")
AUDITOR = Grant("auditor")


def bearer(site: Site, login: str, *grants: Grant, scopes: tuple[str, ...] = ("*",)) -> dict[str, str]:
    house = site.house
    person_id = house.add_person(login, *grants)
    made = tokens.create(
        house.sessions,
        house.keyring,
        person_id,
        "test",
        scopes=scopes,
        expires_at=AT + timedelta(days=1),
        actor=SYSTEM,
        at=AT,
    )
    return {"Authorization": f"Bearer {made.text}"}


def test_every_route_says_whom_it_serves(site: Site) -> None:
    silent = [
        f"{method} {rule.rule}"
        for rule in site.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if declared(site.app.view_functions[rule.endpoint], method) is None
    ]
    assert len(list(site.app.url_map.iter_rules())) > 10
    assert silent == []


def test_a_route_that_says_nothing_serves_nobody(site: Site) -> None:
    site.app.add_url_rule("/silent", "silent", lambda: "secret")
    assert site.visitor("anna", ADMIN).get("/silent").status_code == 403


def test_a_stranger_is_asked_to_sign_in_and_then_goes_where_they_wanted(site: Site) -> None:
    visitor = site.visitor()
    answer = visitor.get("/account")
    assert (answer.status_code, answer.location) == (303, "/login?next=/account")
    site.house.add_person("anna", ADMIN)
    assert visitor.log_in("anna", next="/account").location == "/account"
    assert "Anna" in visitor.get("/account").text


def test_an_address_that_would_break_a_header_is_only_an_address(site: Site) -> None:
    answer = site.visitor().get("/queues/a%0d%0aSet-Cookie:%20x=1&next=b/desk")
    assert (answer.status_code, "x" in str(answer.headers.getlist("Set-Cookie"))) == (303, False)
    assert answer.location == "/login?next=/queues/a%0D%0ASet-Cookie%3A%20x%3D1%26next%3Db/desk"


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil"])
def test_nobody_is_sent_to_another_site_after_signing_in(site: Site, elsewhere: str) -> None:
    site.house.add_person("anna", ADMIN)
    assert site.visitor().log_in("anna", next=elsewhere).location == "/"


def test_the_session_cookie_is_for_this_host_and_no_script(make_site: Callable[..., Site]) -> None:
    site = make_site(is_secure=True)
    site.house.add_person("anna", ADMIN)
    visitor = site.visitor()
    secure = {"base_url": "https://localhost", "headers": {"Referer": "https://localhost/login"}}
    visitor.get("/login", base_url="https://localhost")
    fields = {"csrf_token": visitor.csrf, "login": "anna", "password": "correct-horse-battery"}
    answer = visitor.client.post("/login", data=fields, **secure)
    (cookie,) = [one for one in answer.headers.getlist("Set-Cookie") if one.startswith("__Host-reviewsvc=")]
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert answer.headers["Strict-Transport-Security"]


def test_a_wrong_password_and_an_unknown_login_are_answered_alike(site: Site) -> None:
    site.house.add_person("anna", ADMIN)
    answers = [site.visitor().log_in(login, "wrong wrong wrong") for login in ("anna", "nobody")]
    assert [answer.status_code for answer in answers] == [401, 401]
    texts = [re.sub(r'content="[^"]+"|value="[^"]+"', "", answer.text) for answer in answers]
    assert texts[0] == texts[1]


def test_the_eleventh_try_is_refused_even_with_the_right_password(site: Site) -> None:
    site.house.add_person("anna", ADMIN)
    visitor = site.visitor()
    tries = [visitor.log_in("anna", "wrong wrong wrong").status_code for _ in range(10)]
    assert tries == [401] * 10
    assert visitor.log_in("anna").status_code == 429
    site.clock.at += timedelta(minutes=16)
    assert visitor.log_in("anna").status_code == 303


def test_a_session_ends_when_idle_when_old_and_by_signing_out(site: Site) -> None:
    idle, gone = site.visitor("anna", ADMIN), site.visitor("berta", ADMIN)
    assert gone.post("/logout").location == "/login"
    assert gone.get("/account").status_code == 303
    site.clock.at += timedelta(minutes=31)
    assert idle.get("/account").status_code == 303
    old = site.visitor("carla", ADMIN)
    for _ in range(25):
        site.clock.at += timedelta(minutes=29)
        answer = old.get("/account")
    assert answer.status_code == 303


def test_a_form_without_its_token_is_refused_and_counted(site: Site) -> None:
    visitor = site.visitor("anna", ADMIN)
    answer = visitor.client.post("/preferences/theme", data={"theme": "dark", "next": "/"})
    assert answer.status_code == 400
    assert "The page was open too long" in answer.text
    with site.house.sessions.begin() as session:
        assert session.scalars(sa.select(t.refusal_count.c.reason)).all() == ["csrf"]


def test_another_site_cannot_act_even_with_a_good_token(site: Site) -> None:
    visitor = site.visitor("anna", ADMIN)
    answer = visitor.post("/logout", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert visitor.get("/account").status_code == 200


def test_the_api_takes_tokens_and_no_cookies(site: Site) -> None:
    visitor = site.visitor("anna", ADMIN)
    refused = visitor.get("/api/v1/me")
    assert (refused.status_code, refused.mimetype) == (401, "application/problem+json")
    assert refused.json is not None
    assert refused.json["code"] == "not_signed_in"
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    told = visitor.get("/api/v1/me", headers=bearer(site, "berta", AUDITOR, scopes=("entries.*",)))
    assert told.json is not None
    assert (told.json["login"], told.json["scopes"]) == ("berta", ["entries.*"])
    assert told.json["permissions"] == ["entries.export", "entries.read", "entries.verify"]


def test_pages_take_no_tokens(site: Site) -> None:
    assert site.visitor().get("/account", headers=bearer(site, "anna", ADMIN)).status_code == 303


def test_a_token_that_is_not_good_is_counted(site: Site) -> None:
    wrong = {"Authorization": "Bearer rsv_" + "x" * 43}
    assert site.visitor().get("/api/v1/me", headers=wrong).status_code == 401
    with site.house.sessions.begin() as session:
        assert session.scalars(sa.select(t.refusal_count.c.reason)).all() == ["wrong_token"]
