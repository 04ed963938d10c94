"""Serves the logs as C2SP tlog-tiles: checkpoint, tiles and bundles of entries, to clients of anybody's."""

import gzip
from typing import Final

from flask import Blueprint, Response, request

from reviewsvc.db.hot import seals as stored
from reviewsvc.db.hot.seals import SealedLog
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.tiles import WIDTH, Tile, parse_path
from reviewsvc.usecases import tiles
from reviewsvc.usecases.tiles import TileMissingError
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import public
from reviewsvc.web.services import Made, services

blueprint = Blueprint("tiles", __name__)

_CHECKPOINT: Final = "/checkpoint"
_TEXT: Final = "text/plain; charset=utf-8"
_BYTES: Final = "application/octet-stream"
_YEAR_SECONDS: Final = 31_536_000
_MOST_KEPT: Final = 512


@blueprint.get("/logs/<path:place>", merge_slashes=False)
@public
def read(place: str) -> Response:
    """Return a log's newest signed checkpoint, or a tile of what is signed; all else is not found.

    Open to everybody if the settings say so; else it needs the permission `entries.read`.
    """
    held = services()
    if not held.logs_open:
        signed_in().require("entries.read")
    name, tile = _parted(place)
    with held.sessions.begin() as session:
        conn = Sessions.psycopg(session)
        log = stored.sealed_log(conn, name)
        if log is None:
            raise TileMissingError(f"no log {name[:200]} is served here")
        if tile is None:
            return _answer(log.note.encode(), _TEXT, "no-cache", is_open=held.logs_open)
        body = _kept(held.tiles, log, tile) or tiles.read(conn, log, tile)
    _keep(held.tiles, log, tile, body)
    return _answer(body, _BYTES, f"max-age={_YEAR_SECONDS}, immutable", is_open=held.logs_open)


def _parted(place: str) -> tuple[str, Tile | None]:
    """Part an address into the log's name and the tile; None for its checkpoint. Raises TileError."""
    if not place.isprintable():
        raise TileMissingError("no log has such a name")
    if place.endswith(_CHECKPOINT):
        return place.removesuffix(_CHECKPOINT), None
    # A log's name may hold "tile" itself, a tile's path does so at its start alone.
    name, _, path = place.rpartition("/tile/")
    return name, parse_path(f"tile/{path}")


def _kept(made: Made, log: SealedLog, tile: Tile) -> bytes | None:
    return made.get((log.log_id, tile))


def _keep(made: Made, log: SealedLog, tile: Tile, body: bytes) -> None:
    """Keep a partial tile above the entries, which up to 255 others make; what was made never changes."""
    if tile.level and tile.width < WIDTH:
        if len(made) >= _MOST_KEPT:
            made.clear()
        made[log.log_id, tile] = body


def _answer(body: bytes, media: str, caching: str, *, is_open: bool) -> Response:
    headers = {"Cache-Control": f"{'public' if is_open else 'private'}, {caching}"}
    if media == _BYTES:
        headers["Vary"] = "Accept-Encoding"
        if request.accept_encodings["gzip"] > 0:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, mtime=0)
    return Response(body, content_type=media, headers=headers)
