"""A browser without a screen: cookies, pages, and forms sent as a person's browser sends them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, OpenerDirector, ProxyHandler, Request, build_opener

import msgspec

SECONDS = 30


class PageError(Exception):
    """The service answered with an error, or the page lacks what a person would press."""


@dataclass
class Button:
    """A button of a form: what it sends, and its attributes."""

    attributes: Mapping[str, str]

    @property
    def field(self) -> dict[str, str]:
        """What pressing it adds to the form."""
        name = self.attributes.get("name")
        return {name: self.attributes.get("value", "")} if name else {}


@dataclass
class Form:
    """A form of a page with the values that stand in it."""

    attributes: Mapping[str, str]
    values: dict[str, str] = field(default_factory=dict)
    buttons: list[Button] = field(default_factory=list)

    @property
    def action(self) -> str:
        """The path that it is sent to."""
        return self.attributes.get("action", "")


@dataclass
class Page:
    """A page as it was answered."""

    url: str
    text: str
    forms: list[Form]
    links: list[str]
    sections: list[Mapping[str, str]]

    def form(self, **wanted: str) -> Form:
        """Return the form whose attributes are these. Raises PageError."""
        for each in self.forms:
            if wanted.items() <= each.attributes.items():
                return each
        raise PageError(f"{self.url} has no form with {wanted}")


class Browser:
    """One person's browser at the service's address; it follows redirects and keeps cookies."""

    def __init__(self, address: str) -> None:
        self._address = address
        # No proxy of the environment stands between us and this machine.
        self._opener: OpenerDirector = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))

    def get(self, path: str) -> Page:
        """Open a page. Raises PageError."""
        return self._page(self._send(path, None, {}))

    def submit(self, form: Form, fields: Mapping[str, str]) -> Page:
        """Send a form with what was typed and pressed, and return the page that follows. Raises PageError."""
        return self._page(self._send(form.action, {**form.values, **fields}, {}))

    def submit_for_json(self, form: Form, fields: Mapping[str, str], key: str) -> Any:  # noqa: ANN401 - any JSON
        """Send a form as the desk's script does, under an idempotency key. Raises PageError."""
        headers = {"Accept": "application/json", "Idempotency-Key": key}
        return msgspec.json.decode(self._send(form.action, {**form.values, **fields}, headers)[1])

    def _page(self, answered: tuple[str, str]) -> Page:
        return read_page(*answered)

    def _send(
        self, path: str, fields: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> tuple[str, str]:
        url = urljoin(self._address, path)
        body = None if fields is None else urlencode(fields).encode()
        request = Request(url, data=body, headers={"Sec-Fetch-Site": "same-origin", **headers})  # noqa: S310 - the service's own address
        try:
            with self._opener.open(request, timeout=SECONDS) as answer:
                return answer.url, answer.read().decode()
        except HTTPError as error:
            with error:
                told = error.read(2000).decode(errors="replace")
            raise PageError(f"{request.get_method()} {url} answered {error.code}: {told}") from error


def read_page(url: str, text: str) -> Page:
    """Read the forms, links and sections of a page."""
    reader = _Reader()
    reader.feed(text)
    return Page(url, text, reader.forms, reader.links, reader.sections)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.sections: list[Mapping[str, str]] = []
        self._open: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        match tag:
            case "form":
                self._open = Form(told)
                self.forms.append(self._open)
            case "input" | "button":
                self._add(tag, told)
            case "a":
                self.links.append(told.get("href", ""))
            case "section":
                self.sections.append(told)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None

    def _add(self, tag: str, told: Mapping[str, str]) -> None:
        if self._open is None:
            return
        if tag == "button":
            self._open.buttons.append(Button(told))
        elif told.get("name"):
            self._open.values[told["name"]] = told.get("value", "")


def desks(page: Page) -> Iterator[str]:
    """Yield the addresses of the desks that a page of queues leads to, each once."""
    yield from dict.fromkeys(link for link in page.links if link.endswith("/desk"))
