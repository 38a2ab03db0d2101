"""What of the world a tile shows, in the CRS of a table."""

from __future__ import annotations

from infrastructure.features_selection import WGS84, Bounds
from services.features.stored_bounds import stored_bounds
from services.tiles.grid import WEB_MERCATOR, Tile, is_geographic

# Between WGS 84 and other datums.
_DATUM_DEGREES = 0.01


def bounds_in(srid: int, tile: Tile, extent: Bounds | None) -> Bounds | None:
    """Bounds in a CRS that enclose the tile with its buffer, and no pole; None if not known.

    Args:
        srid: EPSG code of the CRS; coordinates are x and y, or longitude and latitude.
        tile: the tile.
        extent: where the table has anything at all, in degrees.
    """
    if srid == WEB_MERCATOR:
        return tile.drawn_bounds
    west, south, east, north = tile.drawn_degrees
    if is_geographic(srid):
        margin = 0.0 if srid == WGS84 else _DATUM_DEGREES
        return west - margin, south - margin, east + margin, north + margin
    return stored_bounds((max(west, -180.0), south, min(east, 180.0), north), srid, extent)
