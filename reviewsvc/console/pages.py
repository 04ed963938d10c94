"""Brings the pages into the application."""

from typing import Final

from flask import Blueprint, Flask

from reviewsvc.console import (
    account,
    activity,
    acts,
    approvals,
    audit_accesses,
    audit_cases,
    audit_exports,
    audit_logs,
    audit_receipts,
    audit_search,
    desk,
    documents,
    entrance,
    frame,
    holds,
    labels,
    people,
    quarantine,
    queues,
    subjects,
    tasks,
)

BLUEPRINTS: Final[tuple[Blueprint, ...]] = (
    account.blueprint,
    activity.blueprint,
    acts.blueprint,
    audit_accesses.blueprint,
    audit_cases.blueprint,
    audit_exports.blueprint,
    audit_logs.blueprint,
    audit_receipts.blueprint,
    audit_search.blueprint,
    desk.blueprint,
    documents.blueprint,
    entrance.blueprint,
    holds.blueprint,
    labels.blueprint,
    people.blueprint,
    quarantine.blueprint,
    queues.blueprint,
    subjects.blueprint,
    tasks.blueprint,
    approvals.blueprint,
)


def register(app: Flask) -> None:
    """Serve the pages."""
    frame.surround(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint, name=f"console-{blueprint.name}")
