"""Keeps other sites from acting in a person's name."""

from typing import Final

from flask import Flask, request
from flask_wtf.csrf import CSRFProtect

from reviewsvc.web.actors import is_api

UNSAFE: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class CrossSiteError(Exception):
    """The browser says that another site sent this."""


def protect(app: Flask) -> None:
    """Check each unsafe request that a browser's cookies come with.

    The token lives as long as the browser's own session: a desk stays open all day.
    """
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None)
    csrf = CSRFProtect(app)

    @app.before_request
    def check() -> None:
        if request.method not in UNSAFE or request.endpoint is None or is_api():
            return
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            raise CrossSiteError("Another site tried to act in your name. Nothing was done.")
        csrf.protect()
