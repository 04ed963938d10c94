"""Numbers each request, times it, and says in one line how it was answered."""

import re
import secrets
import time
from typing import Final

import structlog
from flask import Flask, Response, g, request
from prometheus_client import Histogram

from reviewsvc import telemetry

HEADER: Final = "X-Request-ID"
_GIVEN: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_SECONDS: Final = Histogram(
    "reviewsvc_http_request_seconds",
    "How long requests took to answer",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_log = telemetry.logger("web")


def measure(app: Flask) -> None:
    """Number, time and log every request of the application."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)


def _begin() -> None:
    given = request.headers.get(HEADER, "")
    g.request_id = given if _GIVEN.fullmatch(given) else secrets.token_hex(8)
    g.began = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _end(answer: Response) -> Response:
    answer.headers[HEADER] = g.request_id
    route = request.url_rule.rule if request.url_rule else "none"
    method = request.method if request.method in _METHODS else "other"
    seconds = time.perf_counter() - g.began
    _SECONDS.labels(method, route, str(answer.status_code)).observe(seconds)
    if route not in _QUIET:
        _log.info(
            "answered", method=method, route=route, status=answer.status_code, seconds=round(seconds, 4)
        )
    return answer


def _forget(_error: BaseException | None) -> None:
    structlog.contextvars.clear_contextvars()
