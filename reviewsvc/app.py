"""The web process: pages for people and the API for programs, on one Flask application."""

import time
from collections.abc import Callable
from datetime import timedelta

from flask import Flask
from sqlalchemy.exc import OperationalError

from reviewsvc import config, telemetry
from reviewsvc.api import registration
from reviewsvc.config import Settings
from reviewsvc.console import pages
from reviewsvc.crypto.kek_sources import open_keks
from reviewsvc.db.sessions import Sessions
from reviewsvc.usecases.auth import Rules
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.guarding import UnconfirmedError
from reviewsvc.usecases.installation import Installation, open_installation
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.web import (
    bodies,
    compression,
    headers,
    health,
    measures,
    origins,
    permissions,
    problems,
    proxies,
    repeats,
    statics,
    tiles,
)
from reviewsvc.web.services import Services, hold, system_clock

LARGEST_BODY = 1_000_000
TRIES = 25  # gunicorn ends a worker that is not up after 30 s, and starts another

_log = telemetry.logger("web")


def create_app(settings: Settings | None = None) -> Flask:
    """Make the application with connections of its own: call it in each process that serves, after a fork."""
    settings = settings or config.load("DATABASE_URL", "REVIEWSVC_KEK_FILE", "REVIEWSVC_SECRET_KEY")
    return make_app(settings, open_services(settings))


def make_app(settings: Settings, held: Services) -> Flask:
    """Make the application on services that are open already."""
    app = Flask("reviewsvc", static_folder=None, template_folder="console/templates")
    app.config.update(
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        MAX_FORM_MEMORY_SIZE=LARGEST_BODY,
        SESSION_COOKIE_NAME="__Host-reviewsvc-page" if held.is_secure else "reviewsvc-page",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=held.is_secure,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined] # Flask's own provider has it
    hold(app, held)
    # What is registered first looks at a request first, and at its answer last.
    measures.measure(app)
    headers.harden(app, is_secure=held.is_secure)
    compression.compress(app)
    origins.protect(app)
    permissions.guard(app)
    bodies.check(app)
    repeats.answer_once(app)
    problems.tell(app)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(tiles.blueprint)
    registration.register(app)
    pages.register(app)
    statics.serve(app, settings.data_dir)
    app.wsgi_app = proxies.Proxies(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign] # the documented way to wrap an application
    return app


def open_services(settings: Settings) -> Services:
    """Open what requests need: the database as the web role, the keys, the installation."""
    sessions = Sessions(settings.database_url, "web", size=settings.database_pool)
    keyring = Keyring(open_keks(file=settings.kek_file, text=settings.keks, kms=settings.kms))
    shards = settings.activity_shards
    return Services(
        sessions=sessions,
        keyring=keyring,
        installation=when_there(
            lambda: open_installation(
                sessions, keyring, settings.origin, system_clock(), activity_logs=shards
            )
        ),
        desk=Desk(
            sessions,
            keyring,
            lease=timedelta(minutes=settings.lease_minutes),
            undo=timedelta(minutes=settings.undo_minutes),
        ),
        rules=_rules(settings),
        is_secure=settings.public_url.startswith("https://"),
        logs_open=settings.logs_open,
        exports=config.export_folder(settings),
        second_person=frozenset(settings.second_person),
        backup_days=settings.backup_days,
    )


def when_there(
    opens: Callable[[], Installation], *, tries: int = TRIES, pause: Callable[[float], None] = time.sleep
) -> Installation:
    """Open the installation as soon as it is there and was looked at, trying once a second for a while."""
    for left in reversed(range(tries)):
        try:
            return opens()
        except OperationalError as error:
            if not left:
                raise
            _log.warning("the database cannot be reached yet", reason=str(error.orig).partition("\n")[0])
            pause(1)
        except UnconfirmedError as error:
            if not left:
                raise
            _log.warning("waiting to start", reason=str(error))
            pause(1)
    raise ValueError("tries must be at least 1")


def _rules(settings: Settings) -> Rules:
    return Rules(
        idle=timedelta(minutes=settings.session_idle_minutes),
        longest=timedelta(hours=settings.session_max_hours),
        attempts=settings.login_attempts,
        window=timedelta(minutes=settings.login_window_minutes),
        receipts=settings.receipt_attempts,
    )
