"""How the web process answers: headers, files, compression, problems, health, its own description."""

import gzip
import json
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
import sqlalchemy as sa
from flask import request
from openapi_spec_validator import validate

from reviewsvc.app import LARGEST_BODY
from reviewsvc.domain.permissions import Grant
from reviewsvc.web.permissions import public
from tests.fixtures.service import Site

pytestmark = pytest.mark.real

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def asset(site: Site, path: str) -> str:
    return str(site.app.jinja_env.globals["asset"](path))  # type: ignore[operator] # a function of ours


@pytest.mark.parametrize("path", ["/login", "/no-such-page", "/healthz", "/api/docs/openapi.json"])
def test_every_answer_has_the_strict_policy_and_is_kept_by_nobody(site: Site, path: str) -> None:
    answer = site.visitor().get(path)
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["X-Request-ID"]


def test_files_are_kept_for_ever_under_an_address_that_changes_with_them(site: Site) -> None:
    visitor = site.visitor()
    path = asset(site, "css/layout.css")
    answer = visitor.get(path, headers={"Accept-Encoding": "gzip"})
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["Content-Encoding"] == "gzip"
    assert b"@layer" in gzip.decompress(answer.data)
    assert path.removesuffix("css/layout.css") == asset(site, "desk/").removesuffix("desk/")
    assert visitor.get("/static/old/css/layout.css").status_code == 404
    assert visitor.get("/static/../app.py").status_code == 404


def test_a_page_is_compressed_for_who_accepts_it(site: Site) -> None:
    visitor = site.visitor()
    packed = visitor.get("/login", headers={"Accept-Encoding": "gzip"})
    plain = visitor.get("/login")
    assert (packed.headers["Content-Encoding"], plain.headers.get("Content-Encoding")) == ("gzip", None)
    assert b"Sign in" in gzip.decompress(packed.data)
    assert len(packed.data) * 2 < len(plain.data)
    assert "Accept-Encoding" in packed.headers["Vary"]


def test_a_missing_page_is_told_to_people_in_html_and_to_programs_in_json(site: Site) -> None:
    visitor = site.visitor()
    page = visitor.get("/nowhere", headers={"Accept": "text/html"})
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "Nothing is here" in page.text
    problem = visitor.get("/api/v1/nowhere")
    assert problem.mimetype == "application/problem+json"
    assert problem.json is not None
    assert {name: problem.json[name] for name in ("status", "code", "title")} == {
        "status": 404,
        "code": "not_found",
        "title": "Nothing is here",
    }
    assert visitor.post("/healthz").status_code in {400, 405}


def test_what_breaks_is_our_fault_and_tells_nothing_of_itself(site: Site) -> None:
    @public
    def broken() -> str:
        raise RuntimeError("the password is hunter2")

    site.app.add_url_rule("/broken", "broken", broken)
    answer = site.visitor().get("/broken", headers={"X-Request-ID": "my-own-number"})
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert "my-own-number" in answer.text


def test_too_much_at_once_is_refused(site: Site) -> None:
    visitor = site.visitor()
    visitor.get("/login")
    assert visitor.post("/login", login="x" * (LARGEST_BODY + 1)).status_code == 413


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "😀" * 300, "x" * 30_000, "' OR 1=1 --", "{{7*7}}"])
def test_odd_text_in_a_form_is_refused_or_taken_but_breaks_nothing(site: Site, text: str) -> None:
    visitor = site.visitor("anna", Grant("admin"))
    sent = text.encode("utf-8", "surrogatepass")
    answer = visitor.post("/people", name=sent, login=sent, password=sent)
    assert answer.status_code in {400, 422}, answer.text
    assert visitor.get("/people", query_string={"after": sent}).status_code in {200, 400}


def test_health_readiness_and_measures_are_told(site: Site) -> None:
    visitor = site.visitor()
    assert visitor.get("/healthz").json == {"alive": True, "reasons": []}
    assert visitor.get("/readyz").json == {"ready": True, "reasons": []}
    visitor.get("/login")
    assert (
        'reviewsvc_http_request_seconds_count{method="GET",route="/login",status="200"}'
        in visitor.get("/metrics").text
    )


def test_without_a_database_the_process_lives_and_is_not_ready(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.held.sessions, "_make", _unreachable)
    visitor = site.visitor()
    assert visitor.get("/healthz").status_code == 200
    assert visitor.get("/readyz").status_code == 503
    visitor.client.set_cookie("reviewsvc", "ses_" + "x" * 43)
    page = visitor.get("/account")
    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")


class _unreachable:  # noqa: N801 - stands for a session maker
    @staticmethod
    def begin() -> Any:
        raise sa.exc.OperationalError("connect", {}, Exception("refused"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        ("10.0.0.1", "203.0.113.9", ("203.0.113.9", "https", "review.example")),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9, 10.0.0.2", ("203.0.113.9", "https", "review.example")),
        ("192.0.2.7", "203.0.113.9", ("192.0.2.7", "http", "localhost")),
    ],
)
def test_only_trusted_proxies_are_believed(
    make_site: Callable[..., Site], peer: str, forwarded: str, seen: tuple[str, str, str]
) -> None:
    site = make_site(trusted_proxies=(ip_network("10.0.0.0/8"),))

    @public
    def told() -> list[str | None]:
        return [request.remote_addr, request.scheme, request.host]

    site.app.add_url_rule("/told", "told", told)
    headers = {
        "X-Forwarded-For": forwarded,
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "review.example",
    }
    answer = site.app.test_client().get("/told", headers=headers, environ_overrides={"REMOTE_ADDR": peer})
    assert tuple(answer.json or ()) == seen


def test_the_description_of_the_api_is_openapi_and_shown_as_a_page(site: Site) -> None:
    visitor = site.visitor()
    spec = json.loads(visitor.get("/api/docs/openapi.json").text)
    assert spec["openapi"].startswith("3.1")
    validate(spec)
    page = visitor.get("/api/docs").text
    missing = [path for path in spec["paths"] if path not in page]
    assert len(spec["paths"]) > 5
    assert missing == []
