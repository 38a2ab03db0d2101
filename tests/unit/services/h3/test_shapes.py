"""Cells as polygons: as H3 has them, cut at the antimeridian, closed along the poles."""

from __future__ import annotations

import h3
import numpy as np
import orjson
import pytest
import shapely

from services.h3 import cells, shapes
from services.h3.model import Box, Cells


def all_of(resolution: int) -> Cells:
    return cells.in_box(Box(west=-180, south=-90, east=180, north=90), resolution)


def polygons(found: Cells) -> list[shapely.Geometry]:
    """The GeoJSON geometries, written and read."""
    text = orjson.dumps(shapes.geometries(found), option=orjson.OPT_SERIALIZE_NUMPY)
    return [shapely.from_geojson(orjson.dumps(each)) for each in orjson.loads(text)]


def test_they_cover_the_map_once() -> None:
    found = polygons(all_of(1))
    assert all(shapely.is_valid(found))
    assert all(each.bounds[0] >= -180 and each.bounds[2] <= 180 for each in found)
    assert sum(each.area for each in found) == pytest.approx(360 * 180, rel=1e-6)
    assert shapely.union_all(found).area == pytest.approx(360 * 180, rel=1e-6)


def test_rings_go_round_against_the_clock() -> None:
    parts = shapely.get_parts(polygons(all_of(1)))
    assert shapely.is_ccw(shapely.get_exterior_ring(parts)).all()


def test_a_cell_has_the_vertices_that_h3_gives_it() -> None:
    for name in ("8428309ffffffff", "81083ffffffffff"):
        [found] = polygons(np.array([h3.str_to_int(name)], np.uint64))
        wanted = shapely.Polygon([(x, y) for y, x in h3.cell_to_boundary(name)])
        assert len(found.exterior.coords) == len(wanted.exterior.coords)
        assert found.symmetric_difference(wanted).area < 1e-6 * wanted.area


def test_what_crosses_the_antimeridian_is_in_two_parts() -> None:
    far = np.array([h3.str_to_int(h3.latlng_to_cell(10, 180, 4))], np.uint64)
    [found] = polygons(far)
    assert found.geom_type == "MultiPolygon"
    west, east = sorted(part.bounds for part in found.geoms)
    assert west[0] == -180
    assert west[2] < -170
    assert east[0] > 170
    assert east[2] == 180


def test_the_cell_around_a_pole_holds_it() -> None:
    polar = np.array([h3.str_to_int(h3.latlng_to_cell(90, 0, 3))], np.uint64)
    [found] = polygons(polar)
    assert found.bounds[0] == -180
    assert found.bounds[2] == 180
    assert found.bounds[3] == 90


def test_wkb_is_the_same() -> None:
    found = all_of(0)
    written = shapes.wkb(found)
    read = shapely.from_wkb(written.polygons.to_pylist())
    distances = shapely.hausdorff_distance(read, polygons(found))
    assert distances.max() < 1e-6
    assert written.types == {"Polygon", "MultiPolygon"}
    assert written.bounds == (-180.0, -90.0, 180.0, 90.0)


def test_wkb_of_cells_in_one_piece() -> None:
    found = cells.in_box(Box(west=5, south=45, east=6, north=46), 5)
    written = shapes.wkb(found)
    assert written.types == {"Polygon"}
    bounds = shapely.total_bounds(shapely.from_wkb(written.polygons.to_pylist()))
    assert written.bounds == tuple(bounds)
