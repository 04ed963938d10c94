"""Opens stored payloads whose keys exist, and holds them against what their entries commit to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from reviewsvc.crypto.envelope import SALT_BYTES, Cipher, EnvelopeError
from reviewsvc.crypto.kek import KekError
from reviewsvc.crypto.kek_sources import open_keks
from reviewsvc.db.hot import keys
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain.entries import Payload
from reviewsvc.domain.verdict import Verdict


@dataclass(frozen=True)
class KekSource:
    """Where the KEKs are, as the settings say it: every process opens them itself."""

    file: str = ""
    text: str = field(default="", repr=False)
    kms: str = ""


class Fault(NamedTuple):
    """What is wrong with the payload of an entry."""

    seq: int
    what: str
    verdict: Verdict = Verdict.TAMPERED


class PayloadCheck:
    """Opens payloads with the keys that the database holds, which the KEKs unwrap."""

    def __init__(self, conn: Connected, source: KekSource) -> None:
        """Open the KEKs. Raises KekError."""
        self._conn, self._kek = conn, open_keks(file=source.file, text=source.text, kms=source.kms)

    def check(self, stored: Mapping[int, tuple[bytes, Payload]]) -> Iterator[Fault]:
        """Open these ciphertexts, by seq; one whose key is gone is left out."""
        ids = sorted({bytes.fromhex(said.key) for _, said in stored.values()})
        found = {key.key_id.hex(): key for key in keys.by_id(self._conn, ids)} if ids else {}
        ciphers = {name: self._cipher(key) for name, key in found.items()}
        for seq, (ciphertext, said) in stored.items():
            cipher = ciphers.get(said.key)
            if isinstance(cipher, Fault):
                yield cipher._replace(seq=seq)
            elif cipher is not None and (what := _fault(cipher, ciphertext, said)):
                yield Fault(seq, what)

    def _cipher(self, key: keys.DataKey) -> Cipher | Fault:
        if key.kek_id not in self._kek.kek_ids():
            told = (
                f"its key is wrapped with the KEK {key.kek_id}, which was not given: its payload stays shut"
            )
            return Fault(0, told, Verdict.INCOMPLETE)
        try:
            return Cipher(self._kek.unwrap(key.wrapped))
        except (KekError, ValueError) as fault:
            return Fault(0, f"its key cannot be unwrapped: {fault}")


def _fault(cipher: Cipher, ciphertext: bytes, said: Payload) -> str | None:
    try:
        size = len(cipher.open_salted(ciphertext, bytes.fromhex(said.commit))) - SALT_BYTES
    except (EnvelopeError, ValueError) as fault:
        return str(fault)
    return None if size == said.size else f"its payload has {size} bytes, it says {said.size}"
