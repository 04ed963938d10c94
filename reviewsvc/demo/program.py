"""A program that reads labels and decisions back by its token, as a data team's would."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import ProxyHandler, Request, build_opener

import msgspec

from reviewsvc.demo.model import NAME
from reviewsvc.local.log_ins import system_user
from reviewsvc.local.up import Service
from reviewsvc.usecases import people, tokens

SECONDS = 30
SCOPES = ("labels.pull", "decisions.see")


class AnswerError(Exception):
    """The API answered with an error."""


class Program:
    """Calls the API with a token."""

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        self._token = token
        # No proxy of the environment stands between us and this machine.
        self._opener = build_opener(ProxyHandler({}))

    def get(self, path: str, **query: str | int) -> Any:  # noqa: ANN401 - any JSON
        """Return what the API answers. Raises AnswerError."""
        url = f"{urljoin(self._address, path)}?{urlencode(query)}"
        request = Request(url, headers={"Authorization": f"Bearer {self._token}"})  # noqa: S310 - the service's own address
        try:
            with self._opener.open(request, timeout=SECONDS) as answer:
                return msgspec.json.decode(answer.read())
        except HTTPError as error:
            with error:
                raise AnswerError(f"{url} answered {error.code}: {error.read(1000)!r}") from error

    def labels(self) -> Iterator[Mapping[str, Any]]:
        """Yield every label of the demo's model, page by page."""
        after = "0"
        while True:
            page = self.get("/api/v1/labels", model=NAME, after=after, limit=500)
            yield from page["items"]
            if not page["items"]:
                return
            after = page["next"]

    def decision(self, prediction_id: str) -> Mapping[str, Any]:
        """Return what became of a prediction."""
        found: Mapping[str, Any] = self.get("/api/v1/decisions", model=NAME, prediction_id=prediction_id)
        return found


def with_token(service: Service, login: str) -> Program:
    """Make a token of this person, for an hour, and return a program that has it."""
    at = datetime.now(UTC)
    made = tokens.create(
        service.sessions,
        service.keyring,
        people.get_by_login(service.sessions, login).person.person_id,
        "demo check",
        scopes=SCOPES,
        expires_at=at + timedelta(hours=1),
        actor=system_user(),
        at=at,
    )
    return Program(service.settings.public_url, made.text)
