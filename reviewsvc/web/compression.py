"""Compresses pages and JSON on their way out."""

import gzip
import io
import secrets
from typing import Final

from flask import Flask, Response, request

SMALLEST: Final = 600
LEVEL: Final = 6
_MEDIA: Final = ("text/", "application/json", "application/problem+json")
_LONGEST_NAME: Final = 60


def compress(app: Flask) -> None:
    """Send bodies that are worth it as gzip, to whom accepts that."""
    app.after_request(_compressed)


def _compressed(answer: Response) -> Response:
    if answer.is_streamed or answer.direct_passthrough or "Content-Encoding" in answer.headers:
        return answer
    if not (answer.mimetype or "").startswith(_MEDIA):
        return answer
    answer.vary.add("Accept-Encoding")
    body = answer.get_data()
    if len(body) >= SMALLEST and request.accept_encodings["gzip"] > 0:
        answer.set_data(_gzip(body))
        answer.headers["Content-Encoding"] = "gzip"
    return answer


def _gzip(body: bytes) -> bytes:
    # A name of random length in the header hides how well the body compressed, and so what secret is in it.
    packed = io.BytesIO()
    name = "r" * secrets.randbelow(_LONGEST_NAME)
    with gzip.GzipFile(name, "wb", LEVEL, packed, mtime=0) as file:
        file.write(body)
    return packed.getvalue()
