"""Capture as a process of its own, on the real broker and the real database."""

from collections.abc import Callable

import pytest

from reviewsvc.domain.verdict import Verdict
from tests.fixtures.capturing import PATIENCE_SECONDS, Capturing, event
from tests.fixtures.house import RunProcesses
from tests.fixtures.processes import eventually

pytestmark = pytest.mark.real

Make = Callable[..., Capturing]


def is_captured(capturing: Capturing, offset: int, partition: int = 0) -> bool:
    return eventually(lambda: capturing.offsets(partition) >= offset, seconds=PATIENCE_SECONDS)


def test_every_event_becomes_one_entry_one_row_and_the_unsure_ones_a_task(
    capturing: Make, run_processes: RunProcesses
) -> None:
    made = capturing(partitions=2)
    run_processes("capture")
    unsure = {"label": "refuse", "confidence": 0.55}
    made.send([event(n) if n % 10 else event(n, output=unsure) for n in range(500)])
    made.send([event(n) for n in range(500, 600)], partition=1)
    assert is_captured(made, 500)
    assert is_captured(made, 100, partition=1)
    assert made.rows("SELECT count(*), count(DISTINCT id_hash), count(DISTINCT subject) FROM prediction") == [
        (600, 600, 7)
    ]
    assert made.rows("SELECT count(*), count(DISTINCT task_id) FROM slot WHERE state = 'open'") == [(50, 50)]
    report = made.verified()
    assert (report.verdict, report.findings) == (Verdict.VERIFIED, [])


def test_what_cannot_be_read_is_kept_and_what_stands_around_it_is_captured(
    capturing: Make, run_processes: RunProcesses
) -> None:
    made = capturing()
    run_processes("capture")
    bad = [
        b"{broken",
        None,
        b"\xff\xfe",
        b"[" * 100,
        b'{"prediction_id": "x\\u0000y"}',
        b'{"prediction_id": "\\ud800"}',
        {**event(0), "model": {"name": "unheard-of", "version": "1"}},
        {**event(0), "predicted_at": 7},
        b'{"prediction_id": "n", "output": {"confidence": NaN}}',
        b'"' + b"x" * 10_000_000 + b'"',
    ]
    around: list[bytes | dict[str, object] | None] = []
    for number, value in enumerate(bad):
        around += [event(number), value]
    made.send(around, key=b"\xff\x00", headers=[("an \u00e9", b"\xff")])
    assert is_captured(made, 2 * len(bad))
    assert made.rows("SELECT count(*) FROM prediction") == [(len(bad),)]
    reasons = [row[0] for row in made.rows("SELECT reason FROM quarantine ORDER BY seq")]
    assert reasons == [
        *("not_json", "tombstone", "not_utf8", "too_deep", "nul_byte", "lone_surrogate"),
        *("unknown_model", "wrong_type", "nan", "too_large"),
    ]
    assert made.verified().verdict is Verdict.VERIFIED


def test_a_violation_drops_nothing_and_asks_a_person(capturing: Make, run_processes: RunProcesses) -> None:
    made = capturing()
    run_processes("capture")
    made.send(
        [event(1, input={"amount": -5}), event(2, output={"label": "never heard of", "confidence": 0.9})]
    )
    assert is_captured(made, 2)
    assert made.rows("SELECT violations, label, rule FROM prediction ORDER BY seq") == [
        (1, "approve", "broken"),
        (1, None, "broken"),
    ]


def test_an_event_sent_twice_is_said_twice_and_asked_once(
    capturing: Make, run_processes: RunProcesses
) -> None:
    made = capturing()
    run_processes("capture")
    unsure = event(1, output={"label": "approve", "confidence": 0.1})
    made.send([unsure, unsure])
    made.send([unsure])
    assert is_captured(made, 3)
    assert made.rows("SELECT count(*), count(DISTINCT id_hash) FROM prediction") == [(3, 1)]
    assert made.rows("SELECT count(*) FROM task") == [(1,)]
    assert made.verified().verdict is Verdict.VERIFIED
