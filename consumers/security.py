"""TLS and SASL towards Kafka, as kafka-python's options; tokens for OAUTHBEARER by client credentials."""

import json
import ssl
import time
from base64 import b64encode
from collections.abc import Callable
from threading import Lock
from typing import Any
from urllib.error import URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from kafka.net.sasl.oauth import AbstractTokenProvider

from consumers.settings import KafkaSettings

_TIMEOUT_SECONDS = 5.0
_RENEW_AT_SHARE = 0.8
_UNSAID_LIFETIME_SECONDS = 300.0
_MOST_BYTES = 65_536
_AT_HOME = ("127.0.0.1", "::1", "localhost")


class _Stays(HTTPRedirectHandler):
    """Follows no redirect: the client's secret is for the endpoint that was named."""

    def redirect_request(self, *_args: object, **_named: object) -> None:
        return None


class TokenError(Exception):
    """The token endpoint gave no token; the text says why and what to look at."""


def options(settings: KafkaSettings) -> dict[str, Any]:
    """Give the options of kafka-python that stand for these security settings."""
    found: dict[str, Any] = {"security_protocol": settings.security_protocol}
    if settings.security_protocol in {"SSL", "SASL_SSL"}:
        found |= {
            "ssl_check_hostname": settings.ssl_check_hostname,
            "ssl_cafile": settings.ssl_cafile or None,
            "ssl_certfile": settings.ssl_certfile or None,
            "ssl_keyfile": settings.ssl_keyfile or None,
            "ssl_password": settings.ssl_password or None,
        }
    if settings.security_protocol.startswith("SASL_"):
        found["sasl_mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism == "OAUTHBEARER":
            found["sasl_oauth_token_provider"] = Tokens(settings)
        else:
            found["sasl_plain_username"] = settings.sasl_username
            found["sasl_plain_password"] = settings.sasl_password
    return found


class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # kafka-python ships no types
    """Fetches tokens by OAuth 2.0 client credentials and keeps each for four fifths of its life."""

    def __init__(self, settings: KafkaSettings, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._settings = settings
        self._clock = clock
        self._lock = Lock()
        self._token = ""
        self._renew_at = 0.0
        _check_endpoint(settings.sasl_token_endpoint)

    def token(self) -> str:
        """Give a token that is still good; raises TokenError."""
        # Clients connect from threads of their own: one of them fetches, the others wait for it.
        with self._lock:
            if not self._token or self._clock() >= self._renew_at:
                self._token, lifetime = _fetch(self._settings)
                self._renew_at = self._clock() + lifetime * _RENEW_AT_SHARE
            return self._token


def _check_endpoint(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _AT_HOME):
        return
    raise TokenError(f"KAFKA_SASL_TOKEN_ENDPOINT must be an https address, not {address!r}.")


def _fetch(settings: KafkaSettings) -> tuple[str, float]:
    """Ask for a token as RFC 6749 section 4.4 says: the token, and its lifetime in seconds."""
    user = f"{quote(settings.sasl_client_id, safe='')}:{quote(settings.sasl_client_secret, safe='')}"
    form = {"grant_type": "client_credentials"}
    if settings.sasl_scope:
        form["scope"] = settings.sasl_scope
    request = Request(  # noqa: S310 - the scheme was checked when the provider was made
        settings.sasl_token_endpoint,
        data=urlencode(form).encode(),
        headers={"Authorization": f"Basic {b64encode(user.encode()).decode()}", "Accept": "application/json"},
    )
    try:
        opener = build_opener(_Stays, HTTPSHandler(context=_trust(settings)))
        with opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
            said = json.loads(answer.read(_MOST_BYTES))
        return str(said["access_token"]), float(said.get("expires_in") or _UNSAID_LIFETIME_SECONDS)
    except (URLError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TokenError(
            f"No Kafka token from {settings.sasl_token_endpoint} ({error!r}): check "
            "KAFKA_SASL_TOKEN_ENDPOINT, KAFKA_SASL_CLIENT_ID and KAFKA_SASL_CLIENT_SECRET."
        ) from error


def _trust(settings: KafkaSettings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.ssl_cafile:
        context.load_verify_locations(settings.ssl_cafile)
    return context
