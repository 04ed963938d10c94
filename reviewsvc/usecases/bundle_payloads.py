"""Opens the payloads of a bundle's entries in bulk, those that the exporter may see."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from reviewsvc.crypto.envelope import Cipher, EnvelopeError
from reviewsvc.db.hot import exports, keys
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain.bundle import disclosed, withheld
from reviewsvc.domain.bundle_view import Told
from reviewsvc.domain.entries import Payload
from reviewsvc.domain.permissions import Reach

# So many bytes of payloads are at hand at once, whatever their number.
_AT_ONCE: Final = 8 << 20
# As many keys, at a kilobyte or so.
_KEYS_AT_HAND: Final = 20_000
# Kinds whose payload is about a case, and may be seen by whoever may see its model.
_CASES: Final = frozenset({"prediction", "decision", "retraction", "task_moved", "label"})
# Kinds whose payload says nothing of a person but of what was done, or may be anything that arrived.
_ACTS: Final = frozenset({"document", "export", "quarantine"})
_ERASED: Final = "its key was destroyed: erased"
_DROPPED: Final = "no longer kept"
_OTHERS: Final = "not the exporter's to see"
_PEOPLE: Final = "about people of the house"


class ChangedPayloadError(RuntimeError):
    """A stored payload is not what its entry commits to: the entry's seq, and why."""

    def __init__(self, seq: int, why: str) -> None:
        self.seq = seq
        super().__init__(why)


class Shown(NamedTuple):
    """A payload's line, and why it is withheld; empty if it is disclosed."""

    seq: int
    line: bytes
    why: str


class Sight:
    """What an exporter may see, and the keys of the payloads at hand."""

    def __init__(self, unwrap: Callable[[bytes], Cipher], reach: Reach) -> None:
        self._unwrap_one, self._reach = unwrap, reach
        self._generation = 0
        self._ciphers: dict[str, Cipher] = {}
        self._refusals: dict[tuple[str, str | None], str] = {}

    def show(self, conn: Connected, log_id: int, entries: Sequence[Told]) -> Iterator[Shown]:
        """Yield a line for each payload of these entries of a log, in order. Raises ChangedPayloadError."""
        for few in _portions(entries):
            yield from self._few(conn, log_id, few)

    def _few(self, conn: Connected, log_id: int, entries: Sequence[Told]) -> Iterator[Shown]:
        refusals = [self._refusal(told.line.kind, told.model) for told in entries]
        seen = [told.line for told, why in zip(entries, refusals, strict=True) if not why]
        stored: dict[int, bytes] = {}
        if seen:
            self._unwrap(conn, {line.payload.key for line in seen if line.payload})
            seqs = [line.seq for line in seen]
            stored = exports.ciphertexts(conn, log_id, seqs, seen[0].at, seen[-1].at)
        for told, why in zip(entries, refusals, strict=True):
            line = told.line
            if why:
                yield Shown(line.seq, withheld(line.seq, why), why)
            elif line.payload:
                yield self._shown(line.seq, line.payload, stored.get(line.seq))

    def _shown(self, seq: int, said: Payload, ciphertext: bytes | None) -> Shown:
        cipher = self._ciphers.get(said.key)
        if cipher is None or ciphertext is None:
            why = _DROPPED if ciphertext is None else _ERASED
            return Shown(seq, withheld(seq, why), why)
        try:
            return Shown(seq, disclosed(seq, cipher.open_salted(ciphertext, bytes.fromhex(said.commit))), "")
        except EnvelopeError as error:
            raise ChangedPayloadError(seq, str(error)) from error

    def _refusal(self, kind: str, model: str | None) -> str:
        """Why the exporter may not see such a payload; empty if he may."""
        known = self._refusals.get((kind, model))
        if known is None:
            known = self._refusals[kind, model] = self._judge(kind, model)
        return known

    def _judge(self, kind: str, model: str | None) -> str:
        if kind in _CASES:
            return "" if self._reach.covers(model) else _OTHERS
        if kind in _ACTS:
            return "" if self._reach.everywhere else _OTHERS
        return _PEOPLE

    def _unwrap(self, conn: Connected, key_ids: set[str]) -> None:
        """Have the keys of these payloads at hand.

        Those that were at hand before are not asked for again until the generation moves on: an erasure
        moves it as it ends a key.
        """
        generation = keys.generation(conn)
        if generation != self._generation:
            self._ciphers, self._generation = {}, generation
        fresh = key_ids - self._ciphers.keys()
        if len(self._ciphers) + len(fresh) > _KEYS_AT_HAND:
            self._ciphers = {key_id: self._ciphers[key_id] for key_id in key_ids - fresh}
        for key_id, wrapped in (keys.wrapped(conn, fresh) if fresh else {}).items():
            self._ciphers[key_id] = self._unwrap_one(wrapped)


def _portions(entries: Sequence[Told]) -> Iterator[list[Told]]:
    """Cut those entries that have a payload into portions of about the same size."""
    few: list[Told] = []
    size = 0
    for told in entries:
        said = told.line.payload
        if said is None:
            continue
        if few and size + said.size > _AT_ONCE:
            yield few
            few, size = [], 0
        few.append(told)
        size += said.size
    if few:
        yield few
