"""Brings the pages into the application."""

from typing import Final

from flask import Blueprint, Flask

from reviewsvc.console import account, entrance, frame

BLUEPRINTS: Final[tuple[Blueprint, ...]] = (
    account.blueprint,
    entrance.blueprint,
)


def register(app: Flask) -> None:
    """Serve the pages."""
    frame.surround(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
