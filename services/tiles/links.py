"""Where a collection's tiles are found."""

from __future__ import annotations

from urllib.parse import quote

from infrastructure.features_repository import PublishedTable
from infrastructure.features_selection import Bounds
from services.features.links import collection_id
from services.tiles.versions import tiles_token

# What web Mercator can show.
_NORTHMOST = 85.051129
# Around what has no width or height, in degrees: maps ask for no tile of bounds that lie on the
# edge between two.
_HAIR = 1e-6


def template(table: PublishedTable, base_url: str) -> str:
    """The address of the tiles of this version, with {z}, {x} and {y} left open."""
    collection = quote(collection_id(table.name), safe="")
    return f"{base_url}/api/tiles/{collection}/{{z}}/{{x}}/{{y}}.pbf?v={tiles_token(table)}"


def bounds(table: PublishedTable) -> Bounds | None:
    """West, south, east, north of all tiles in degrees; None where nothing has a place.

    Data on both sides of the antimeridian have tiles all around.
    """
    if table.bbox is None:
        return None
    west, south, east, north = table.bbox
    if west > east:
        west, east = -180.0, 180.0
    return (
        max(west - _HAIR, -180.0),
        min(max(south - _HAIR, -_NORTHMOST), _NORTHMOST),
        min(east + _HAIR, 180.0),
        max(min(north + _HAIR, _NORTHMOST), -_NORTHMOST),
    )
