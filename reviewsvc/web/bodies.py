"""Refuses JSON that no reader takes to its end: nested too deeply, or with a number that is too long."""

import json

from flask import Flask, request


class UnfitBodyError(ValueError):
    """The body is JSON that nobody here can read."""


def check(app: Flask) -> None:
    """Look at each JSON body of the application before it is read; what is no JSON its reader tells."""
    app.before_request(_check)


def _check() -> None:
    if not request.is_json:
        return
    try:
        json.loads(request.get_data())
    except (json.JSONDecodeError, UnicodeDecodeError):
        return
    except (RecursionError, ValueError) as error:
        raise UnfitBodyError("The JSON is nested too deeply, or a number in it is too long.") from error
