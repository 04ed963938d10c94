"""What data teams import: labels, answers and tasks by HTTP. Standard library only.

>>> client = Client("https://review.example.org", token)
>>> for label in client.labels("loan-approval", after="0.417"):
...     train(label["prediction_id"], label["value"], label["weight"])
"""

import json
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPResponse
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

START = "0"
_AT_HOME = ("127.0.0.1", "::1", "localhost")
_LINES = "application/x-ndjson"
_JSON = "application/json"

Record = dict[str, Any]
Told = Callable[[Record], None]


class _Stays(HTTPRedirectHandler):
    """Follows no redirect: the token is for the one who was named."""

    def redirect_request(self, *_args: object, **_named: object) -> None:
        return None


_open_at = build_opener(_Stays).open


class ClientError(Exception):
    """The service refused, or could not be reached; `status` is 0 and `code` empty if it was not."""

    def __init__(self, text: str, status: int = 0, code: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.code = code


class Client:
    """Asks a service at an address, with a token; each call is one request."""

    def __init__(self, url: str, token: str, *, timeout_seconds: float = 60.0) -> None:
        """Take the service's address; http serves on this machine alone, since the token would show."""
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _AT_HOME):
            raise ClientError(f"The address must begin with https://, not {url!r}.")
        self._url = url.rstrip("/") + "/api/v1"
        self._token = token.strip()
        self._timeout_seconds = timeout_seconds

    def labels(self, model: str, after: str = START, *, restored: Told | None = None) -> Iterator[Record]:
        """Yield a model's labels after a cursor, oldest first; a label's `label_id` is the cursor behind it.

        Everything that stands now is streamed in one request. If the service was restored since the cursor
        was given, `restored` is called first, with `next`, the cursor to go on from if no label follows, and
        `lost`, the label ids (`from`, `to`) that are void. Raises ClientError, also in the middle.
        """
        for line in self.label_lines(model, after, restored=restored):
            yield json.loads(line)

    def label_lines(self, model: str, after: str = START, *, restored: Told | None = None) -> Iterator[bytes]:
        """Yield the same as JSON, one line each without its end."""
        asked = urlencode({"model": model, "after": after})
        with self._open(f"/labels?{asked}", accept=_LINES) as answer:
            continuation = answer.headers.get("Reviewsvc-Continuation")
            if continuation and restored is not None:
                restored(json.loads(continuation))
            try:
                for line in answer:
                    yield line.rstrip(b"\n")
            except OSError as error:
                raise ClientError(f"The stream of labels broke: {error}") from error

    def label_page(self, model: str, after: str = START, limit: int = 500) -> Record:
        """Return up to `limit` (at most 500) labels: `items`, `next`, and `continuation` after a restore."""
        return self._get("/labels", {"model": model, "after": after, "limit": str(limit)})

    def decision(self, model: str, prediction_id: str, source: str | None = None) -> Record:
        """Say what became of a prediction; ClientError 404 if not captured, 409 if `source` is needed."""
        asked = {"model": model, "prediction_id": prediction_id}
        return self._get("/decisions", asked if source is None else {**asked, "source": source})

    def queues(self) -> list[Record]:
        """Return the queues that may be seen, with their figures."""
        items: list[Record] = self._get("/queues", {})["items"]
        return items

    def claim(self, queue: str, count: int = 1) -> list[Record]:
        """Take up to `count` (at most 10) tasks: `task`, `token` and `lease_until` of each."""
        items: list[Record] = self._post(f"/queues/{quote(queue)}/claims", {"count": count})["items"]
        return items

    def task(self, task: str) -> Record:
        """Show a task with everything needed to decide it."""
        return self._get(f"/tasks/{quote(task)}", {})

    def decide(self, held: Record, value: str | float, note: str | None = None) -> Record:
        """Answer a task that was claimed; the same answer may be sent again."""
        sent = {"token": held["token"], "value": value, "note": note}
        return self._post(f"/tasks/{quote(held['task'])}/decisions", sent)

    def release(self, held: Record) -> None:
        """Give a task back."""
        self._post(f"/tasks/{quote(held['task'])}/release", {"token": held["token"]})

    def undo(self, decision_id: str) -> Record:
        """Take one's own answer back."""
        return self._post(f"/decisions/{quote(decision_id)}/undo", {})

    def _get(self, path: str, asked: Mapping[str, str]) -> Record:
        return self._read(f"{path}?{urlencode(asked)}" if asked else path, None)

    def _post(self, path: str, sent: Record) -> Record:
        return self._read(path, json.dumps(sent).encode())

    def _read(self, path: str, sent: bytes | None) -> Record:
        with self._open(path, accept=_JSON, sent=sent) as answer:
            body = answer.read()
        found: Record = json.loads(body) if body else {}
        return found

    def _open(self, path: str, *, accept: str, sent: bytes | None = None) -> HTTPResponse:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": accept, "Content-Type": _JSON}
        request = Request(self._url + path, data=sent, headers=headers)  # noqa: S310 - checked when made
        try:
            answer: HTTPResponse = _open_at(request, timeout=self._timeout_seconds)
        except HTTPError as error:
            raise _refused(error) from error
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise ClientError(f"{self._url} cannot be reached: {reason}") from error
        return answer


def _refused(error: HTTPError) -> ClientError:
    with error:
        try:
            problem = json.loads(error.read())
            text = f"{problem['title']}: {problem['detail']}"
            return ClientError(text, error.code, str(problem["code"]))
        except (ValueError, KeyError, TypeError):
            return ClientError(f"The service answered {error.code} {error.reason}.", error.code)
