"""Brings the pages into the application."""

from typing import Final

from flask import Blueprint, Flask

from reviewsvc.console import account, acts, desk, entrance, frame, queues

BLUEPRINTS: Final[tuple[Blueprint, ...]] = (
    account.blueprint,
    acts.blueprint,
    desk.blueprint,
    entrance.blueprint,
    queues.blueprint,
)


def register(app: Flask) -> None:
    """Serve the pages."""
    frame.surround(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
