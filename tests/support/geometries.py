"""Geometries for tests: batches of WKT, and strategies of polygons that are broken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from hypothesis import strategies as st

from services.vector.batch import Batch, Geometries
from services.vector.geometry.cleaning import Cleaned, clean
from services.vector.model import CleaningOptions

Ring = list[tuple[float, float]]


def geometries(*texts: str | None) -> Geometries:
    """An array of the geometries that WKT says; None stays None."""
    return as_array([None if text is None else shapely.from_wkt(text) for text in texts])


def as_array(found: Sequence[shapely.Geometry | None]) -> Geometries:
    result = np.empty(len(found), dtype=object)
    result[:] = found
    return result


def batch_of(geometry: Geometries, **fields: Any) -> Batch:
    return Batch(rows=np.arange(len(geometry)), columns={}, geometry=geometry, **fields)


def cleaned(*texts: str | None, **options: Any) -> Cleaned:
    """What cleaning makes of geometries in WKT; WGS 84 in and out unless options say else."""
    return clean(batch_of(geometries(*texts)), cleaning(**options))


def cleaning(**options: Any) -> CleaningOptions:
    return CleaningOptions(**{"source_crs": "EPSG:4326", "target_crs": "EPSG:4326", **options})


# On a coarse grid points meet, edges overlap and rings collapse all the time.
_grid = st.integers(min_value=-8, max_value=8).map(float)
_fine = st.floats(min_value=-8, max_value=8, allow_nan=False, width=32)
_point = st.one_of(st.tuples(_grid, _grid), st.tuples(_fine, _fine))


@st.composite
def rings(draw: st.DrawFn) -> Ring:
    """Any closed ring: mostly one that crosses itself, has spikes, or repeats points."""
    points = draw(st.lists(_point, min_size=3, max_size=10))
    damage = draw(st.sampled_from(["none", "repeat", "spike", "twice"]))
    at = draw(st.integers(min_value=0, max_value=len(points) - 1))
    if damage == "repeat":
        points.insert(at, points[at])
    elif damage == "spike":
        points[at + 1 : at + 1] = [draw(_point), points[at]]
    elif damage == "twice":
        points = points + points
    return [*points, points[0]]


@st.composite
def broken_polygons(draw: st.DrawFn) -> shapely.Geometry:
    """Polygons and multipolygons of any rings: holes anywhere, shells in shells, twice the same."""
    parts = []
    for _ in range(draw(st.integers(min_value=1, max_value=3))):
        holes = draw(st.lists(rings(), max_size=2))
        parts.append(shapely.Polygon(draw(rings()), holes))
    if draw(st.booleans()):
        parts.append(parts[0])
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


@st.composite
def broken_geometries(draw: st.DrawFn) -> shapely.Geometry | None:
    """Anything that a file may hold, of any type, sound or not."""
    line = st.lists(_point, min_size=2, max_size=6).map(shapely.LineString)
    anything = st.one_of(
        st.none(),
        _point.map(shapely.Point),
        st.just(shapely.Point()),
        line,
        st.lists(line, min_size=1, max_size=3).map(shapely.MultiLineString),
        broken_polygons(),
    )
    members = draw(st.lists(anything, min_size=1, max_size=4))
    if len(members) == 1 or draw(st.booleans()):
        return members[0]
    return shapely.GeometryCollection([member for member in members if member is not None])
