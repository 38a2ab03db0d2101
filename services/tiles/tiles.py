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
from infrastructure import tiles_repository
from infrastructure.tiles_repository import Drawing, MadeTile, TileReader
from services.access import ANYONE, Caller, require_readable
from services.features.links import collection_id
from services.tiles.areas import bounds_in
from services.tiles.fields import Fields, fields
from services.tiles.grid import BUFFER, EXTENT, TOLERANCE_PIXELS, Tile, pixel_in
from services.tiles.overviews import DEEPEST_FAR, DEEPEST_OVERVIEW, is_due
from services.tiles.tables import mapped_table
from services.tiles.versions import tiles_token, version_token

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"

# The zoom up to which there are tiles: maps enlarge these where they zoom in further. Here
# coordinates are 0.6 m apart at the equator, and geometries keep all their points.
DEEPEST_ZOOM = 14

# A tile with more features than these is a crowd.
_CROWD = 2_000
# The share of a tile that the details of the largest features may fill, and what a feature of a
# crowd takes beside them: its geometry, and the numbers of an attribute that it shares.
_DETAILS_SHARE = 0.35
_LEAST_DESCRIBED = 100
_GEOMETRY_BYTES = 25
_ATTRIBUTE_BYTES = 2

# How much smaller than the cap the next attempt aims to be, and with how few features it is
# their geometries and attributes that are too large.
_SAFETY = 0.85
_FEW = 100


@dataclass(frozen=True, slots=True)
class TileAnswer:
    """A tile, or that the caller has it already (`data` None).

    `is_lasting` tells that it is of the version that the caller asked for, and will never change,
    `is_restricted` that not everyone may see it. `state` is what
    X-Geoforge-Tile says: `complete`, or `thinned` and to what.
    """

    etag: str
    is_lasting: bool
    is_restricted: bool
    data: bytes | None = None
    state: str | None = None


def tile(
    collection: str,
    z: str,
    x: str,
    y: str,
    *,
    version: str | None = None,
    known: str | None = None,
    caller: Caller = ANYONE,
) -> TileAnswer:
    """A tile of a collection; `known` are the ETags that the caller has (If-None-Match).

    Raises `NotFound` for an unknown collection, one without geometries, and a tile outside the
    grid, `Forbidden` for a restricted table that the caller may not see, `InvalidParameters` for
    what is no tile's name, `Unavailable` where it takes too long.
    """
    wanted = Tile.parse(z, x, y)
    name = mapped_table(collection).name
    with tiles_repository.reading(name, seconds=get_settings().tile_timeout_seconds) as reader:
        require_readable(reader.table, caller)
        will_have_overview = _choose_source(reader, wanted)
        token = tiles_token(reader.table)
        answer = TileAnswer(
            # Weak: the same tile is sent plain and as gzip.
            etag=f'W/"{token}{"-overview" if reader.is_overview else ""}"',
            is_lasting=version == token and not will_have_overview,
            is_restricted=reader.table.restricted,
        )
        if known is not None and _is_among(answer.etag, known):
            return answer
        made, state = _make(reader, wanted)
        return replace(answer, data=made.data, state=state)


def _choose_source(reader: TileReader, wanted: Tile) -> bool:
    """Read the overview where there is one; whether there is none yet, and the tile will be made
    from it later."""
    if wanted.z > DEEPEST_OVERVIEW:
        return False
    reader.turn_to_overview(version_token(reader.table), far=wanted.z <= DEEPEST_FAR)
    return not reader.is_overview and is_due(reader.table, reader.table_bytes())


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
    frame = _frame(reader, wanted)
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
    return made, f"thinned;features={made.features};fields={len(choice.fields.shared)}"


def _first_choice(wanted: Tile, known: Fields) -> _Choice:
    """What should fit, by the bytes that features take; far in, their geometries take more."""
    settings = get_settings()
    room = settings.tile_max_bytes
    described = settings.tile_max_features
    if known.details:
        fitting = int(room * _DETAILS_SHARE / known.detail_bytes)
        described = max(_LEAST_DESCRIBED, min(described, fitting))
        room = int(room * (1 - _DETAILS_SHARE))
    bare = _GEOMETRY_BYTES + _ATTRIBUTE_BYTES * len(known.shared)
    features = max(described, min(settings.tile_max_features, room // bare))
    tolerance = wanted.pixel * TOLERANCE_PIXELS if wanted.z < DEEPEST_ZOOM else 0.0
    return _Choice(known, features, described, tolerance)


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


def _frame(reader: TileReader, wanted: Tile) -> Drawing:
    """What does not depend on how much is drawn."""
    srid = reader.geometry.srid
    pixel = pixel_in(srid, wanted)
    return Drawing(
        layer=collection_id(reader.table.name),
        zoom=wanted.z,
        bounds=wanted.bounds,
        pixel=wanted.pixel,
        near=bounds_in(srid, wanted, reader.table.bbox),
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


def _is_among(etag: str, known: str) -> bool:
    """Whether If-None-Match names the tag (RFC 9110, 13.1.2: weak comparison)."""
    tags = {each.strip().removeprefix("W/") for each in known.split(",")}
    return known.strip() == "*" or etag.removeprefix("W/") in tags
