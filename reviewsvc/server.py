"""gunicorn as this service runs it: threads, no control socket, its logs in ours."""

import ctypes
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from reviewsvc import telemetry

if TYPE_CHECKING:
    from reviewsvc.config import Settings

GRACE_SECONDS: Final = 20
KEEP_ALIVE_SECONDS: Final = 5
RECYCLE_REQUESTS: Final = 20_000
ARRIVAL_SECONDS: Final = 15
_DEATH_SIGNAL: Final = 1


class Logs(Logger):  # type: ignore[misc] # gunicorn ships no types
    """gunicorn's log, sent on to the process's own handler."""

    def setup(self, cfg: Any) -> None:  # noqa: ANN401 - gunicorn ships no types
        """Take away gunicorn's handlers, so that its lines look like all others."""
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn ships no types
    """gunicorn's threads, each of which waits for a request's head and body for some seconds at most.

    gunicorn itself waits for ever: whoever sends a byte now and then would keep all threads from others.
    """

    def __init__(self, *args: Any, **named: Any) -> None:  # noqa: ANN401 - gunicorn ships no types
        super().__init__(*args, **named)
        self._arriving: dict[Any, float] = {}

    def handle(self, conn: Any) -> Any:  # noqa: ANN401 - gunicorn ships no types
        """Read a request and answer it, in a thread."""
        self._arriving[conn] = time.monotonic() + ARRIVAL_SECONDS
        try:
            return super().handle(conn)
        finally:
            self._arriving.pop(conn, None)

    def murder_pending(self) -> None:
        """Look after the connections, each second, in the main thread."""
        super().murder_pending()
        now = time.monotonic()
        for conn, until in list(self._arriving.items()):
            if until < now and self._arriving.pop(conn, 0.0):
                # Nothing more is read from it; what is being answered is answered to its end.
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)


class Server(BaseApplication):  # type: ignore[misc] # gunicorn ships no types
    """The web process: gunicorn's arbiter over forked workers, each with its own application."""

    def __init__(self, settings: "Settings") -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Tell gunicorn what the settings say."""
        for name, value in options(self.settings).items():
            self.cfg.set(name, value)

    def load(self) -> Any:  # noqa: ANN401 - a WSGI application
        """Make the application, in each worker after the fork."""
        from reviewsvc.app import create_app  # noqa: PLC0415 - the parent must not open what children must not share

        return create_app(self.settings)


def options(settings: "Settings") -> dict[str, Any]:
    """Return gunicorn's options; headers of proxies are judged by the application, not here."""
    return {
        "bind": f"{f'[{settings.bind}]' if ':' in settings.bind else settings.bind}:{settings.port}",
        "workers": settings.web_workers,
        "threads": settings.web_threads,
        "worker_class": Worker,
        "control_socket_disable": True,
        "logger_class": Logs,
        "loglevel": settings.log_level,
        "graceful_timeout": GRACE_SECONDS,
        "keepalive": KEEP_ALIVE_SECONDS,
        "max_requests": RECYCLE_REQUESTS,
        "max_requests_jitter": RECYCLE_REQUESTS // 10,
        "forwarded_allow_ips": "",
        "post_fork": _die_with,
        "child_exit": _forget,
    }


def _die_with(arbiter: Any, _worker: object) -> None:  # noqa: ANN401 - gunicorn ships no types
    """Let a worker end with its arbiter at once: one that still starts would hold the port for long."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
        # It may have ended before.
        if os.getppid() != arbiter.pid:
            os._exit(1)


def _forget(_arbiter: object, worker: Any) -> None:  # noqa: ANN401 - gunicorn ships no types
    telemetry.forget_process(worker.pid)
