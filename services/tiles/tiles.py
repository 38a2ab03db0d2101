"""One tile of a published table, no larger than a map can take.

A tile shows all that is there as long as that is not more than a map can show. In a crowd (far
out, or in a city) features that begin in the same pixel and are no larger than it are drawn as
one; then the largest come first, and the details of the smaller ones (names, codes) are left
out; what is still too much is cut, the smallest first. It is always the same choice.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, replace

from config import get_settings
from core.models.feature_table import GeometryColumn
from infrastructure import tiles_repository
from infrastructure.features_repository import PublishedTable
from infrastructure.features_selection import WGS84, Bounds
from infrastructure.tiles_repository import Drawing, MadeTile, TileReader
from services.features.links import collection_id
from services.features.stored_bounds import stored_bounds
from services.tiles.fields import Fields, fields
from services.tiles.grid import BUFFER, EXTENT, WEB_MERCATOR, Tile, pixel_in
from services.tiles.tables import geometry_of, mapped_table
from services.tiles.versions import version_token

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"

# The zoom up to which there are tiles: maps enlarge these where they zoom in further. Here
# coordinates are 0.6 m apart at the equator, and geometries keep all their points.
DEEPEST_ZOOM = 14

# A tile with more features than these is a crowd.
_CROWD = 2_000
# The share of a tile that the details of the largest features may fill.
_DETAILS_SHARE = 0.5
_LEAST_DESCRIBED = 100
# Half a pixel: less than anybody sees.
_TOLERANCE_PIXELS = 0.5

# How much smaller than the cap the next attempt aims to be, and with how few features it is
# their geometries and attributes that are too large.
_SAFETY = 0.85
_FEW = 100


@dataclass(frozen=True, slots=True)
class TileAnswer:
    """A tile, or that the caller has it already (`data` None).

    `is_named_version` tells that it is of the version that the caller asked for, so that it
    will never change, `is_restricted` that not everyone may see it. `state` is what
    X-Geoforge-Tile says: `complete`, or `thinned` and to what.
    """

    etag: str
    is_named_version: bool
    is_restricted: bool
    data: bytes | None = None
    state: str | None = None


def tile(
    collection: str, z: str, x: str, y: str, *, version: str | None = None, known: str | None = None
) -> TileAnswer:
    """A tile of a collection; `known` are the ETags that the caller has (If-None-Match).

    Raises `NotFound` for an unknown collection, one without geometries, and a tile outside the
    grid, `InvalidParameters` for what is no tile's name, `Unavailable` where it takes too long.
    """
    wanted = Tile.parse(z, x, y)
    table = mapped_table(collection)
    if known is not None and _is_among(_etag(table), known):
        return _answer(table, version)
    with tiles_repository.reading(
        table.name, seconds=get_settings().tile_timeout_seconds
    ) as reader:
        made, state = _make(reader, wanted)
        # Not `table`: another version may have been published since.
        return replace(_answer(reader.table, version), data=made.data, state=state)


def _answer(table: PublishedTable, wanted_version: str | None) -> TileAnswer:
    return TileAnswer(
        etag=_etag(table),
        is_named_version=wanted_version == version_token(table),
        is_restricted=table.restricted,
    )


def compressed(data: bytes) -> bytes:
    """The tile as gzip; the same bytes each time."""
    return gzip.compress(data, compresslevel=5, mtime=0)


@dataclass(frozen=True, slots=True)
class _Choice:
    """How much of what there is goes into a tile: `features`, of which `described` have all
    fields; see `Drawing`."""

    fields: Fields
    features: int
    described: int
    tolerance: float


def _make(reader: TileReader, wanted: Tile) -> tuple[MadeTile, str]:
    """The tile and its state, made with less and less until it has room."""
    frame = _frame(reader.table, geometry_of(reader.table), wanted)
    everything = fields(reader.table.shape, reader.statistics())
    choice = _first_choice(wanted, everything)
    while True:
        made = reader.tile(_chosen(frame, choice))
        if len(made.data) <= get_settings().tile_max_bytes or choice.features == 0:
            break
        choice = _smaller(choice, made, wanted)
    whole = choice.fields == everything and made.drawn <= choice.described
    if whole and made.drawn == made.found:
        return made, "complete"
    shared = len(choice.fields.shared)
    return made, f"thinned;features={made.features};found={made.found};fields={shared}"


def _first_choice(wanted: Tile, known: Fields) -> _Choice:
    settings = get_settings()
    described = settings.tile_max_features
    if known.details:
        room = int(settings.tile_max_bytes * _DETAILS_SHARE / known.detail_bytes)
        described = max(_LEAST_DESCRIBED, min(described, room))
    tolerance = wanted.pixel * _TOLERANCE_PIXELS if wanted.z < DEEPEST_ZOOM else 0.0
    return _Choice(known, settings.tile_max_features, described, tolerance)


def _smaller(choice: _Choice, made: MadeTile, wanted: Tile) -> _Choice:
    """What should fit where a choice did not: fewer features; once these are few, coarser ones
    that have no attributes."""
    share = _SAFETY * get_settings().tile_max_bytes / len(made.data)
    features = int(min(choice.features, made.drawn) * share)
    if features >= _FEW:
        return replace(choice, features=features, described=int(choice.described * share))
    return _Choice(
        fields=Fields((), (), 0),
        # The largest are left: the first attempt without attributes is with as many.
        features=choice.features // 2 if choice.fields.is_empty else min(_FEW, choice.features),
        described=0,
        tolerance=max(2 * choice.tolerance, wanted.pixel),
    )


def _frame(table: PublishedTable, geometry: GeometryColumn, wanted: Tile) -> Drawing:
    """What does not depend on how much is drawn."""
    pixel = pixel_in(geometry.srid, wanted)
    return Drawing(
        layer=collection_id(table.name),
        bounds=wanted.bounds,
        pixel=wanted.pixel,
        near=_near(table, geometry, wanted),
        near_pixel=(pixel.width, pixel.height),
        extent=EXTENT,
        buffer=BUFFER,
        crowd=_CROWD,
    )


def _chosen(frame: Drawing, choice: _Choice) -> Drawing:
    return replace(
        frame,
        tolerance=choice.tolerance,
        columns=choice.fields.shared,
        details=choice.fields.details,
        features=choice.features,
        described=choice.described,
    )


def _near(table: PublishedTable, geometry: GeometryColumn, wanted: Tile) -> Bounds | None:
    """Bounds in the table's CRS that enclose what the tile shows, None where not known."""
    if geometry.srid == WEB_MERCATOR:
        return wanted.drawn_bounds
    if geometry.srid == WGS84:
        return wanted.drawn_degrees
    west, south, east, north = wanted.drawn_degrees
    world = (max(west, -180.0), south, min(east, 180.0), north)
    return stored_bounds(world, geometry.srid, table.bbox)


def _etag(table: PublishedTable) -> str:
    # Weak: the same tile is sent plain and as gzip.
    return f'W/"{version_token(table)}"'


def _is_among(etag: str, known: str) -> bool:
    """Whether If-None-Match names the tag (RFC 9110, 13.1.2: weak comparison)."""
    tags = {each.strip().removeprefix("W/") for each in known.split(",")}
    return known.strip() == "*" or etag.removeprefix("W/") in tags
