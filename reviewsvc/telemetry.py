"""Logs and metrics: one JSON line an event on stderr, readable on a terminal, and never a payload in it."""

import json
import logging
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TextIO

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client import REGISTRY as DEFAULT_REGISTRY
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

DENIED: Final = frozenset(
    {
        "authorization",
        "cookie",
        "kek",
        "note",
        "password",
        "payload",
        "secret",
        "subject",
        "token",
    }
)
MEASURES: Final = frozenset({"bytes", "count", "seconds", "size"})
DROPPED: Final = "dropped"
METRICS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
QUIET: Final = ("kafka", "urllib3", "alembic")
REPEAT_SECONDS: Final = 60.0

_CREDENTIALS = re.compile(r"(://[^:/@\s]*:)[^@\s]+(?=@)|(\bpassword=)[^\s&]+", re.IGNORECASE)

Event = MutableMapping[str, Any]


def is_denied(key: str) -> bool:
    """Say whether a log line must not carry a value under this key; a size or a count of it is no value."""
    words = re.split(r"[^a-z]+", key.lower())
    return words[-1] not in MEASURES and not DENIED.isdisjoint(words)


def drop_denied(_logger: object, _method: str, event: Event) -> Event:
    """Take payloads, subjects and secrets out of an event, and say which keys were dropped."""
    denied = [key for key in event if is_denied(key)]
    for key in denied:
        del event[key]
    for key, value in event.items():
        event[key] = _cleaned(value)
    if denied:
        event[DROPPED] = sorted(denied)
    return event


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return _CREDENTIALS.sub(r"\1\2***", value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping):
        return {key: _cleaned(inner) for key, inner in value.items() if not is_denied(str(key))}
    if isinstance(value, list | tuple):
        return [_cleaned(inner) for inner in value]
    return value


def _named(process: str) -> structlog.typing.Processor:
    def name(_logger: object, _method: str, event: Event) -> Event:
        first = {key: event.pop(key) for key in ("event", "room") if key in event}
        return {"process": process, **first, **event}

    return name


def configure(*, process: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Send this process's logs, and those of its libraries, to stderr, each line naming the process."""
    target = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.ExtraAdder(),
        _named(process),
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        drop_denied,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.addFilter(_Repeats())
    handler.setFormatter(_formatter(shared, readable=target.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel("WARNING")


class _Repeats(logging.Filter):
    """Lets libraries say the same thing once a minute: an outage would bury our own lines under theirs."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in QUIET:
            return True
        key = record.name, str(record.msg)
        is_news = record.created - self._said.get(key, 0.0) >= REPEAT_SECONDS
        if is_news:
            self._said[key] = record.created
        return is_news


def _formatter(
    shared: list[structlog.typing.Processor], *, readable: bool
) -> structlog.stdlib.ProcessorFormatter:
    renderer: structlog.typing.Processor
    if readable:
        renderer = structlog.dev.ConsoleRenderer(timestamp_key="at")
    else:
        renderer = structlog.processors.JSONRenderer(serializer=json.dumps, default=str)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a room; its events carry the room's name.

    It takes up `configure` whenever that comes: a logger made while modules load must not keep the defaults.
    """
    made: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name, room=name)
    return made


def forget_process(pid: int) -> None:
    """Drop the live gauges of a server's process that has ended."""
    if METRICS_FOLDER in os.environ:
        mark_process_dead(pid)  # type: ignore[no-untyped-call] # prometheus-client leaves it untyped


def exposition() -> tuple[bytes, str]:
    """Return the metrics of this process, or of all that share them, with their content type."""
    registry = DEFAULT_REGISTRY
    if METRICS_FOLDER in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # prometheus-client leaves it untyped
    return generate_latest(registry), CONTENT_TYPE_LATEST
