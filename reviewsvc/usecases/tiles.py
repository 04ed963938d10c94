"""A log in tiles, up to what is signed of it: full ones as they are stored, partial ones cut from entries."""

from collections.abc import Callable

from reviewsvc.db.hot import scan
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.hot.seals import SealedLog
from reviewsvc.domain.edge import partial_widths
from reviewsvc.domain.entries import leaf_hash
from reviewsvc.domain.tiles import WIDTH, Tile, encode_bundle, nodes_from, parse_hashes
from reviewsvc.domain.tree import ReadNode, root_of

_HEIGHT = 8


class TileMissingError(LookupError):
    """A log has no such tile, or it is not signed that far."""


def read(conn: Connected, log: SealedLog, tile: Tile) -> bytes:
    """Return a tile of hashes or a bundle of entries, full or partial. Raises TileMissingError."""
    level = tile.level or 0
    if tile.index * WIDTH + tile.width > log.size >> _HEIGHT * level:
        raise TileMissingError(f"{log.name} has no {tile.path()}")
    if tile.level is None:
        return encode_bundle(entries(conn, log.log_id, _places(tile)))
    return b"".join(hashes(conn, log.log_id, tile.level, _places(tile)))


def node_reader(conn: Connected, log: SealedLog) -> ReadNode:
    """Read the nodes of a log's signed tree, for its proofs; tiles that were read are kept."""
    return nodes_from(log.size, _kept(lambda tile: read(conn, log, tile)))


def partials(conn: Connected, log_id: int, size: int) -> list[list[bytes]]:
    """Return the hashes of the partial tiles of a log's first `size` entries, level 0 first."""
    found = []
    for level, width in enumerate(partial_widths(size)):
        behind = size >> _HEIGHT * level
        found.append(hashes(conn, log_id, level, range(behind - width, behind)))
    return found


def hashes(conn: Connected, log_id: int, level: int, places: range) -> list[bytes]:
    """Return hashes of a level, all within one tile; below them every tile must be full.

    Raises TileMissingError if entries or tiles are missing that the log must have.
    """
    index, first = divmod(places.start, WIDTH)
    full = stored.tile(conn, log_id, level, index)
    if full is not None:
        return parse_hashes(full, WIDTH)[first : first + len(places)]
    if level == 0:
        return [leaf_hash(body) for body in entries(conn, log_id, places)]
    below = stored.tiles(conn, log_id, level - 1, places)
    if [each.tile_index for each in below] != list(places):
        raise TileMissingError(f"log {log_id} lacks tiles of level {level - 1}, {places.start} and after")
    return [root_of(parse_hashes(each.data, WIDTH)) for each in below]


def entries(conn: Connected, log_id: int, places: range) -> list[bytes]:
    """Return the bytes of consecutive entries. Raises TileMissingError if one is missing."""
    if not places:
        return []
    found = list(scan.entries(conn, log_id, places))
    if [seq for seq, _ in found] != list(places):
        raise TileMissingError(f"log {log_id} lacks entries from {places.start} to {places.stop - 1}")
    return [body for _, body in found]


def _places(tile: Tile) -> range:
    first = tile.index * WIDTH
    return range(first, first + tile.width)


def _kept(read_tile: Callable[[Tile], bytes]) -> Callable[[Tile], bytes]:
    found: dict[Tile, bytes] = {}

    def give(tile: Tile) -> bytes:
        if tile not in found:
            found[tile] = read_tile(tile)
        return found[tile]

    return give
