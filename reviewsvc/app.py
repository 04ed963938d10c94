"""The web process: pages for people and the API for programs, on one Flask application."""

from datetime import timedelta
from pathlib import Path

from flask import Flask

from reviewsvc import config
from reviewsvc.config import Settings
from reviewsvc.crypto.kek import load_kek
from reviewsvc.db.sessions import Sessions
from reviewsvc.usecases.auth import Rules
from reviewsvc.usecases.installation import open_installation
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.web import permissions
from reviewsvc.web.services import Services, hold, system_clock


def create_app(settings: Settings | None = None) -> Flask:
    """Make the application, with connections of its own: call it in each process that serves."""
    settings = settings or config.load("DATABASE_URL", "REVIEWSVC_KEK_FILE", "REVIEWSVC_SECRET_KEY")
    return make_app(settings, open_services(settings))


def make_app(settings: Settings, held: Services) -> Flask:
    """Make the application on services that are open already."""
    app = Flask("reviewsvc", static_folder=None, template_folder="console/templates")
    app.config.update(SECRET_KEY=settings.secret_key)
    hold(app, held)
    permissions.guard(app)
    return app


def open_services(settings: Settings) -> Services:
    """Open what requests need: the database as the web role, the keys, the installation."""
    sessions = Sessions(settings.database_url, "web", size=settings.database_pool)
    keyring = Keyring(load_kek(Path(settings.kek_file)))
    at = system_clock()
    shards = settings.activity_shards
    return Services(
        sessions=sessions,
        keyring=keyring,
        installation=open_installation(sessions, keyring, settings.origin, at, activity_logs=shards),
        rules=_rules(settings),
        lease=timedelta(minutes=settings.lease_minutes),
        undo=timedelta(minutes=settings.undo_minutes),
        is_secure=settings.public_url.startswith("https://"),
    )


def _rules(settings: Settings) -> Rules:
    return Rules(
        idle=timedelta(minutes=settings.session_idle_minutes),
        longest=timedelta(hours=settings.session_max_hours),
        attempts=settings.login_attempts,
        window=timedelta(minutes=settings.login_window_minutes),
    )
