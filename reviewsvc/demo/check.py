"""The demo without a person: everything is done, read back from every side, and judged."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from consumers.settings import from_settings
from consumers.snapshot import read_all
from reviewsvc.config import Settings
from reviewsvc.crypto.keyed import id_hash
from reviewsvc.db.hot import tallies
from reviewsvc.db.hot.connection import Connected, connect
from reviewsvc.demo import judgement, publication, tampering
from reviewsvc.demo.judgement import Evidence
from reviewsvc.demo.model import NAME
from reviewsvc.demo.opening import Demo, opened
from reviewsvc.demo.program import with_token
from reviewsvc.demo.reviewers import Reviewer
from reviewsvc.demo.run import data_folder, sayer
from reviewsvc.demo.sender import Sender, run_name
from reviewsvc.local.processes import environment, signing
from reviewsvc.local.up import Say, Service

WORK_SECONDS = 100
RELAY_SECONDS = 20
ERRS = 0.1
SEEDS = (1, 15)


@dataclass(frozen=True)
class Figures:
    """What the check counted, as `--json` prints it."""

    sent: int
    captured: int
    queued: int
    decided: int
    undone: int
    labels_api: int
    labels_kafka: int
    decisions_kafka: int
    lost: int
    doubled: int
    tampering_seen: bool
    seconds: float


@dataclass(frozen=True)
class Found:
    """The figures, and what is off."""

    figures: Figures
    faults: list[str]

    def as_json(self) -> str:
        """Return the figures as one JSON object."""
        return msgspec.json.encode(asdict(self.figures)).decode()

    def as_text(self) -> str:
        """Return the figures, one a line."""
        return "\n".join(f"{name:<16} {value}" for name, value in asdict(self.figures).items())


def check(
    settings: Settings, given: Path | None, *, rate: float, events: int, publish: Path | None = None
) -> Found:
    """Send events at a rate a second, have them decided, and judge all that came of it.

    The logs are published in `publish`, with a bundle of them; without it the bundle is in the data folder.
    Says on stderr what it does. Raises what starting the service, publishing and bundling raise; all else
    that is off is a fault.
    """
    began = time.monotonic()
    say = sayer(Console(stderr=True))
    with data_folder(given) as folder, opened(settings, folder, say=say) as demo:
        evidence, faults = _observe(demo, say, rate=rate, events=events)
        faults += judgement.faults(evidence)
        faults += _verify(demo.service, say)
        faults += _hand_out(demo, say, publish.absolute() if publish else folder, publish=bool(publish))
        say("Verifying the logs once more, with one byte of one entry changed …")
        seen, more = _tamper(demo.service)
        figures = _figures(evidence, tampering_seen=seen, seconds=time.monotonic() - began)
        return Found(figures, faults + more)


def _figures(found: Evidence, *, tampering_seen: bool, seconds: float) -> Figures:
    return Figures(
        sent=len(found.sent),
        captured=sum(found.copies.values()),
        queued=found.queued,
        decided=len(found.given),
        undone=sum(each.undone for each in found.given),
        labels_api=len(found.labels_api),
        labels_kafka=len(found.labels_kafka),
        decisions_kafka=len(found.decisions_kafka),
        lost=found.lost,
        doubled=found.doubled,
        tampering_seen=tampering_seen,
        seconds=round(seconds, 1),
    )


def _observe(demo: Demo, say: Say, *, rate: float, events: int) -> tuple[Evidence, list[str]]:
    service = demo.service
    wanted = demo.applications[:events]
    sender = Sender(service.settings.kafka, wanted, rate=rate, run=run_name())
    say(f"Sending {len(wanted)} predictions at {rate:g} a second; two reviewers decide what comes to them …")
    with connect(service.settings.database_url, "read") as conn:
        before = tallies.tally(conn)
        with sender:
            reviewers = _review(demo, lambda: _is_settled(conn, sender, before))
        faults = [
            f"{each.log_in.login} could not go on: {each.failure}" for each in reviewers if each.failure
        ]
        if sender.failure:
            faults.append(f"not everything could be sent: {sender.failure}")
        say("Waiting until all is sealed: nothing leaves before …")
        publication.await_sealed(conn)
        say("Reading labels and decisions back, by API and from Kafka …")
        return _gather(demo, conn, sender, reviewers, before), faults


def _is_settled(conn: Connected, sender: Sender, before: tallies.Tally) -> bool:
    now = tallies.tally(conn)
    arrived = now.captured + now.quarantined - before.captured - before.quarantined
    return sender.is_done and arrived >= len(sender.sent) and not now.waiting


def _review(demo: Demo, is_settled: Callable[[], bool]) -> list[Reviewer]:
    """Let both reviewers work until everything is settled, somebody fails or the time is over."""
    truths = {each.number: each.truth for each in demo.applications}
    address, over = demo.service.settings.public_url, threading.Event()
    reviewers = [
        Reviewer(address, demo.log_in("reviewer", skip=skip), truths, seed, errs=ERRS * skip)
        for skip, seed in enumerate(SEEDS)
    ]
    threads = [each.start(over.is_set) for each in reviewers]
    deadline = time.monotonic() + WORK_SECONDS
    while not is_settled() and time.monotonic() < deadline and all(each.is_alive() for each in threads):
        time.sleep(0.2)
    over.set()
    for each in threads:
        each.join(30)
    return reviewers


def _gather(
    demo: Demo, conn: Connected, sender: Sender, reviewers: list[Reviewer], before: tallies.Tally
) -> Evidence:
    program = with_token(demo.service, demo.log_in("data").login)
    now = tallies.tally(conn)
    given = [each for reviewer in reviewers for each in reviewer.given]
    ids = {application.number: each for each, application in sender.sent.items()}
    decided = {ids[each.application] for each in given if each.application in ids}
    undone = sum(each.undone for each in given)
    labels = list(program.labels())
    kafka = demo.service.settings.kafka
    return Evidence(
        sent=sender.sent,
        copies=_copies(demo.service, conn, sender),
        queued=now.queued - before.queued,
        waiting=now.waiting,
        given=given,
        labels_api=labels,
        labels_kafka=_relayed(demo.service, kafka.labels_topic, at_least=len(labels)),
        decisions_api={each: program.decision(each) for each in sorted(decided)},
        decisions_kafka=_relayed(demo.service, kafka.decisions_topic, at_least=len(given) + undone),
    )


def _relayed(service: Service, topic: str, *, at_least: int) -> list[Mapping[str, Any]]:
    """Read a topic's records, with patience while the relay has not yet sent so many."""
    deadline = time.monotonic() + RELAY_SECONDS
    while True:
        found = read_all(from_settings(service.settings.kafka), topic)
        if len(found) >= at_least or time.monotonic() > deadline:
            return [msgspec.json.decode(each.value) for each in found if each.value]
        time.sleep(0.5)


def _copies(service: Service, conn: Connected, sender: Sender) -> dict[str, int]:
    with service.sessions.begin() as session:
        key = service.keyring.hash_key(session, "prediction")
    stored = tallies.copies(conn)
    return {each: stored.get(id_hash(key, NAME, sender.topic, each), 0) for each in sender.sent}


def _told(service: Service) -> dict[str, str]:
    """What a verifier is told who may read the signing key and the signer's memory."""
    return {**environment(service.settings), **signing(service.settings)}


def _verify(service: Service, say: Say) -> list[str]:
    say("Verifying the logs …")
    whole = tampering.verify(_told(service))
    if whole.code == 0:
        return []
    return [f"audit verify exits {whole.code} on logs that nobody touched: {whole.report}"]


def _hand_out(demo: Demo, say: Say, place: Path, *, publish: bool) -> list[str]:
    say(f"{'Publishing and bundling' if publish else 'Bundling'} them in {place} …")
    handed = publication.hand_out(demo, place, publish=publish)
    code, told = handed.verify()
    say(f"Verify the bundle:  {handed.command}")
    return [f"an outsider's verification of the bundle exits {code}: {told}"] if code else []


def _tamper(service: Service) -> tuple[bool, list[str]]:
    with tampering.one_byte_changed(service.owner_url) as place:
        touched = tampering.verify(_told(service))
    if touched.code == 1 and touched.names(place):
        return True, []
    told = f"audit verify exits {touched.code} naming {touched.report.get('findings')}"
    return False, [f"byte {place.byte} of entry {place.seq} of {place.log} was changed, and {told}"]
