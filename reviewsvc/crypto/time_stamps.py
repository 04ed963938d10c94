"""RFC 3161: what a time-stamp authority is asked, and whether its answer holds."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from cryptography.x509 import Certificate, InvalidVersion, load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    TimeStampTokenInfo,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from reviewsvc.crypto.der_order import with_sorted_certificates

_GRANTED = 0


class TimeStampError(ValueError):
    """An answer of an authority is none, or is not about what was asked; the text says which."""


class Question:
    """A request for a time stamp over some bytes, and the nonce by which its answer is known."""

    def __init__(self, data: bytes) -> None:
        builder = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256)
        self._asked = builder.nonce(nonce=True).cert_request(cert_request=True).build()
        self._data = data

    def encode(self) -> bytes:
        """Give the request as it is sent (DER)."""
        return self._asked.as_bytes()

    def check(self, answer: bytes, roots: Sequence[Certificate]) -> datetime:
        """Return the time in an answer to this request. Raises TimeStampError."""
        return _checked(self._data, answer, roots, self._asked.nonce)


def check(data: bytes, answer: bytes, roots: Sequence[Certificate]) -> datetime:
    """Return the time in an answer that was kept, if it is about these bytes. Raises TimeStampError."""
    return _checked(data, answer, roots, None)


def imprinted(data: bytes, answer: bytes) -> datetime:
    """Return the time in an answer that is about these bytes, whoever signed it. Raises TimeStampError."""
    told = _info(_read(answer))
    if told.message_imprint.message != sha256(data).digest():
        raise TimeStampError("it is about other bytes")
    return told.gen_time


def roots_in(path: Path) -> list[Certificate]:
    """Read the certificates of authorities that are trusted, in PEM. Raises TimeStampError."""
    try:
        return load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as fault:
        raise TimeStampError(f"{path} has no certificate in PEM: {fault}") from fault


def _checked(data: bytes, answer: bytes, roots: Sequence[Certificate], nonce: int | None) -> datetime:
    response = _read(answer)
    stamped: datetime = _info(response).gen_time
    builder = VerifierBuilder(roots=list(roots), nonce=nonce)
    try:
        # The library raises where its message says why; False is kept for what it may say one day.
        builder.build().verify_message(response, data)
    except (VerificationError, ValueError, TypeError, InvalidVersion) as fault:
        raise TimeStampError(f"the time stamp does not hold: {fault}") from fault
    return stamped


def _info(response: TimeStampResponse) -> TimeStampTokenInfo:
    """What is stamped, and when: the library reads it when it is first asked for."""
    try:
        return response.tst_info
    except ValueError as fault:
        raise TimeStampError(f"the answer is no time stamp: {fault}") from fault


def _read(answer: bytes) -> TimeStampResponse:
    try:
        response = decode_timestamp_response(with_sorted_certificates(answer))
    except ValueError as fault:
        raise TimeStampError(f"the answer is no time stamp: {fault}") from fault
    if response.status != _GRANTED:
        said = "; ".join(response.status_string) or "without a reason"
        raise TimeStampError(f"the authority refused, status {response.status}: {said[:200]}")
    return response
