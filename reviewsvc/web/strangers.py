"""Bounds what strangers may ask for that costs much to answer, by the address from which they come."""

from flask import request

from reviewsvc.usecases import auth
from reviewsvc.web.actors import who
from reviewsvc.web.services import services


def count_receipt() -> None:
    """Count a receipt of somebody who is not signed in. Raises TooManyReceiptsError."""
    if who() is not None:
        return
    held = services()
    address = request.remote_addr or ""
    auth.count_receipt(held.sessions, held.keyring, address, at=held.clock(), rules=held.rules)
