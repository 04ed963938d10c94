"""Logs that can carry no payload, and health that says why not."""

import io
import json
import logging
import threading
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Counter

from reviewsvc import health, telemetry
from reviewsvc.health import Health

pytestmark = pytest.mark.unit

SEEN = Counter("reviewsvc_test_seen", "Counted by a test.")


@pytest.fixture
def lines() -> Iterator[Any]:
    """Configure logging into memory; calling the fixture returns the events written so far."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    telemetry.configure(process="capture", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_an_event_is_one_json_line_with_process_room_log_and_seq(lines: Any) -> None:
    telemetry.logger("intake").info("batch committed", log="predictions/t/0/1", seq=12)
    [event] = lines()
    assert event.pop("at").endswith("Z")
    assert event == {
        "process": "capture",
        "event": "batch committed",
        "room": "intake",
        "log": "predictions/t/0/1",
        "seq": 12,
        "level": "info",
    }


def test_a_request_id_bound_once_is_in_every_line(lines: Any) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        telemetry.logger("web").info("answered")
    telemetry.logger("web").info("idle")
    assert [event.get("request_id") for event in lines()] == ["r1", None]


def test_lines_of_other_threads_and_of_libraries_name_the_process_too(lines: Any) -> None:
    thread = threading.Thread(target=lambda: logging.getLogger("somebody").warning("%s is away", "it"))
    thread.start()
    thread.join()
    [event] = lines()
    assert (event["process"], event["event"]) == ("capture", "it is away")


@given(st.sampled_from(sorted(telemetry.DENIED)), st.sampled_from(["", "raw_", "The."]))
def test_values_under_denied_keys_are_dropped_and_the_keys_said(word: str, before: str) -> None:
    event = telemetry.drop_denied(None, "", {"event": "x", f"{before}{word}": "open-sesame"})
    assert "open-sesame" not in repr(event)
    assert event["dropped"] == [f"{before}{word}"]


@pytest.mark.parametrize(
    "key", ["payload_bytes", "token_count", "notes_seconds", "seq", "queue", "tokenizer"]
)
def test_sizes_and_counts_and_other_words_are_kept(key: str) -> None:
    assert not telemetry.is_denied(key)


def test_denied_keys_are_dropped_inside_values_and_bytes_are_only_measured() -> None:
    event = telemetry.drop_denied(
        None, "", {"about": {"subject": "Ann", "seq": 1, "inner": [{"token": "t"}]}, "raw": b"secret bytes"}
    )
    assert event == {"about": {"seq": 1, "inner": [{}]}, "raw": "<12 bytes>"}


@given(password=st.text("abcxyz0189%+-", min_size=1, max_size=20))
def test_a_password_in_an_address_never_shows(password: str) -> None:
    secret = f"zq{password}"
    text = f"cannot reach postgresql://user:{secret}@db/x nor host=db password={secret}"
    event = telemetry.drop_denied(None, "", {"event": text})
    assert secret not in event["event"]
    assert "db/x" in event["event"]


def test_metrics_are_exposed() -> None:
    SEEN.inc()
    body, media = telemetry.exposition()
    assert b"reviewsvc_test_seen_total 1.0" in body
    assert media.startswith("text/plain")


def test_readiness_says_what_is_missing() -> None:
    said = health.answer(Health(ready=lambda: ["PostgreSQL is away."]), "/readyz?verbose")
    assert said.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert json.loads(said.body) == {"ready": False, "reasons": ["PostgreSQL is away."]}


def test_a_process_that_is_not_ready_is_still_alive() -> None:
    said = health.answer(Health(ready=lambda: ["Kafka is away."]), "/healthz")
    assert (said.status, json.loads(said.body)) == (HTTPStatus.OK, {"alive": True, "reasons": []})


def test_the_health_server_answers_over_http_and_frees_its_port() -> None:
    with health.served(Health(), host="127.0.0.1", port=0) as port:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as response:
            assert response.status == HTTPStatus.OK
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
            assert b"python_info" in response.read()
    with health.served(Health(), host="127.0.0.1", port=port) as again:
        assert again == port


def test_a_taken_port_is_one_clear_error() -> None:
    with (
        health.served(Health(), host="127.0.0.1", port=0) as port,
        pytest.raises(health.PortTakenError, match="REVIEWSVC_HEALTH_PORT"),
        health.served(Health(), host="127.0.0.1", port=port),
    ):
        pass


def test_a_library_that_repeats_itself_is_heard_once_a_minute_and_we_always(lines: Any) -> None:
    for _ in range(3):
        logging.getLogger("kafka.net").error("Connection failed: %s", "refused")
        logging.getLogger("kafka.net").error("No node available")
        telemetry.logger("capture").error("kafka is away")
    said = [line["event"] for line in lines()]
    assert sorted(said) == ["Connection failed: refused", "No node available", *["kafka is away"] * 3]


def test_a_logger_made_before_logs_are_configured_takes_the_settings_up() -> None:
    early = telemetry.logger("capture")
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    telemetry.configure(process="capture", stream=stream)
    early.info("batch committed")
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    assert json.loads(stream.getvalue())["room"] == "capture"
