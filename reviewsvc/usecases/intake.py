"""Turns events into entries, payloads, rows and tasks; heads, rules and keys are arguments.

Nothing is written here. Whatever brings events calls `read`, has keys made by `needs`, then builds.
"""

import datetime as dt
import os
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

from msgspec import Raw, Struct

from reviewsvc.crypto.envelope import RANDOM_BYTES, Sealed
from reviewsvc.crypto.keyed import draw, find_hash, id_hash, keyed_hash
from reviewsvc.db.hot.batches import LogRows
from reviewsvc.db.hot.heads import Head
from reviewsvc.domain import facts as f
from reviewsvc.domain import frames, moments
from reviewsvc.domain import projections as p
from reviewsvc.domain.contract_check import Checked
from reviewsvc.domain.entries import Entry, Payload, Src, encode, encode_facts, leaf_hash, number
from reviewsvc.domain.event_faults import UNKNOWN_MODEL, Fault
from reviewsvc.domain.events import Event, read_event
from reviewsvc.usecases.payload_keys import PayloadKey, PayloadKeys
from reviewsvc.usecases.rules import Model, Rules


class Arrived(NamedTuple):
    """A record as Kafka gave it, with its time there; `skipped` control and aborted offsets lie before it.

    `fault` is set where a whole batch cannot be decoded: `value` is its bytes, `offsets` how many it covers.
    """

    offset: int
    skipped: int
    at_us: int
    key: bytes | None
    headers: frames.Headers
    value: bytes | None
    fault: Fault | None = None
    offsets: int = 1


class Read(Struct, gc=False):
    """An event read, or the fault why not; `subject` is the keyed hash of the event's subject."""

    arrived: Arrived
    event: Event | Fault
    model: Model | None = None
    subject: bytes | None = None


class Needs(NamedTuple):
    """What must exist before the events can be built."""

    subjects: set[bytes]
    versions: set[tuple[int, str]]
    own_keys: int


def read(arrived: Iterable[Arrived], topic: str, rules: Rules) -> list[Read]:
    """Read each record as an event; what cannot be read keeps its fault."""
    return [_read_one(one, topic, rules) for one in arrived]


def _read_one(one: Arrived, topic: str, rules: Rules) -> Read:
    event = one.fault or read_event(one.value, one.headers, topic)
    if isinstance(event, Fault):
        return Read(one, event)
    model = rules.models.get(event.model.name)
    if model is None:
        return Read(one, UNKNOWN_MODEL)
    subject = None if event.subject is None else keyed_hash(rules.subject_key, event.subject)
    return Read(one, event, model, subject)


def needs(reads: Iterable[Read], rules: Rules) -> Needs:
    """Collect what must exist before these events can be built."""
    subjects: set[bytes] = set()
    versions: set[tuple[int, str]] = set()
    own_keys = 0
    for one in reads:
        if isinstance(one.event, Fault) or one.model is None:
            own_keys += 1
            continue
        if one.subject is not None:
            subjects.add(one.subject)
        version = (one.model.ids.model_id, one.event.model.version)
        if version not in rules.versions:
            versions.add(version)
    return Needs(subjects, versions, own_keys)


class Builder:
    """Builds the rows that events add to one log."""

    def __init__(
        self, head: Head, topic: str, partition: int, rules: Rules, *, keys: PayloadKeys, clock: int
    ) -> None:
        """Start on a head; entries carry `clock` (microseconds), or the last entry's time if later."""
        self._rules, self._keys, self._head = rules, keys, head
        self._topic, self._partition = topic, partition
        self._at = max(clock, head.last_at)
        self._day = dt.datetime.fromtimestamp(self._at / 1e6, dt.UTC).date()
        self._log = f"{rules.origin}/{head.name}"
        self._seq, self._hash = head.size, head.last_hash
        self.rows = LogRows(head, head)

    @property
    def day(self) -> tuple[int, dt.date]:
        """The day key that events without a subject need."""
        return self._head.log_id, self._day

    def build(self, reads: Sequence[Read], own: Iterable[PayloadKey], next_offset: int) -> LogRows:
        """Add the events in order and close the batch at `next_offset`."""
        random = os.urandom(RANDOM_BYTES * len(reads))
        ids = os.urandom(moments.RANDOM_BYTES * len(reads))
        own_keys = iter(own)
        for place, one in enumerate(reads):
            salt = random[place * RANDOM_BYTES : (place + 1) * RANDOM_BYTES]
            if isinstance(one.event, Fault) or one.model is None:
                self._quarantine(one, next(own_keys), salt)
            else:
                unique = ids[place * moments.RANDOM_BYTES : (place + 1) * moments.RANDOM_BYTES]
                self._prediction(one, one.event, one.model, salt, unique)
        self.rows.after = self._head._replace(
            size=self._seq, last_hash=self._hash, last_at=self._at, next_offset=next_offset
        )
        return self.rows

    def _prediction(self, one: Read, event: Event, model: Model, salt: bytes, unique: bytes) -> None:
        rules = self._rules
        key = self._keys.day(*self.day) if one.subject is None else self._keys.subject(one.subject)
        checked = model.contract.check(event)
        said = self._facts(event, model, checked, unique)
        place = self._append(
            "prediction", said, one.arrived, key=key, salt=salt, retention_class=model.ids.retention_class
        )
        queue = said.route.queue if said.route else None
        queue_id = None if queue is None else rules.queues[queue]
        subject = None if one.subject is None else key.key_id
        row = p.prediction_row(place, said, model.ids, queue_id, subject=subject, segment=checked.segment)
        self.rows.predictions.append(row)
        if queue_id is not None:
            logs = rules.activity_logs
            task = p.task_row(place, said, model.ids, queue_id, logs[row.id_hash[0] % len(logs)])
            if task:
                self.rows.tasks.append(task)

    def _facts(self, event: Event, model: Model, checked: Checked, unique: bytes) -> f.Prediction:
        rules, name, source, sent_id = self._rules, model.name, event.source, event.prediction_id
        key = rules.prediction_key
        violations = checked.violations
        return f.Prediction(
            id=id_hash(key, name, source, sent_id).hex(),
            find=find_hash(key, name, sent_id).hex(),
            model=name,
            version=rules.versions[model.ids.model_id, event.model.version],
            contract=model.contract_version,
            policy=model.policy_version,
            predicted_at=moments.microseconds(event.predicted_at),
            label=None if checked.label is None else event.output.label,
            value=number(event.output.value) if model.contract.answers_number else None,
            confidence=number(checked.confidence),
            failed=event.status == "error",
            violations=f.Violations(violations.count, violations.facts) if violations else None,
            route=self._route(event, model, checked, unique),
        )

    def _route(self, event: Event, model: Model, checked: Checked, unique: bytes) -> f.Route | None:
        if model.policy is None:
            return None
        sampling = self._rules.sampling_key
        said = model.policy.route(event, checked, partial(draw, sampling))
        designs = [(rule, repr(share)) for rule, share in said.designs]
        if said.queue is None:
            return f.Route(number(said.selection_probability), designs)
        return f.Route(
            pi=number(said.selection_probability),
            designs=designs,
            task=str(moments.uuid7_us(self._at, unique)),
            queue=said.queue,
            rule=said.rule,
            reasons=list(said.reasons),
            priority=said.priority,
            due_s=said.due_s,
            reviewers=said.reviewers,
            blind=said.blind,
        )

    def _quarantine(self, one: Read, key: PayloadKey, salt: bytes) -> None:
        fault = one.event
        assert isinstance(fault, Fault)
        said = f.Quarantine(fault.code.value, len(one.arrived.value or b""), fault.text, one.arrived.offsets)
        kept = self._rules.quarantine_class
        place = self._append("quarantine", said, one.arrived, key=key, salt=salt, retention_class=kept)
        self.rows.quarantined.append(p.quarantine_row(place, said))

    def _append(
        self,
        kind: str,
        said: f.Facts,
        one: Arrived,
        *,
        key: PayloadKey,
        salt: bytes,
        retention_class: int,
    ) -> p.Place:
        plain = frames.frame(one.key, one.headers, one.value)
        sealed = key.cipher.seal(plain, salt)
        seq, at, log_id = self._seq, self._at, self._head.log_id
        body = encode(
            Entry(
                1,
                self._log,
                seq,
                self._hash.hex(),
                at,
                kind,
                Src(self._topic, self._head.topic_id, self._partition, one.offset, one.skipped, one.at_us),
                facts=Raw(encode_facts(said)),
                payload=_noted(sealed, len(plain), key.key_id),
            )
        )
        self._seq, self._hash = seq + 1, leaf_hash(body)
        self.rows.entries.append((log_id, seq, body))
        self.rows.payloads.append((retention_class, at, log_id, seq, sealed.ciphertext))
        return p.Place(log_id, seq, at)


def _noted(sealed: Sealed, size: int, key_id: bytes) -> Payload:
    return Payload(frames.MEDIA, size, sealed.commit.hex(), sealed.sha256.hex(), key_id.hex())
