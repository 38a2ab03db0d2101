"""Where grids lie on the Earth, how large their pixels are, and what lies over what."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
from affine import Affine

from core.errors import PermanentTaskError
from services.h3 import grids
from services.h3.model import Grid, SourceRaster
from services.h3.planes import Plane

EDGE = 20037508.342789244


def grid(crs: str, transform: Affine, columns: int, rows: int) -> Grid:
    return Grid(crs=crs, transform=tuple(transform)[:6], width=columns, height=rows)


def degrees(size: float, west: float, north: float) -> Affine:
    return Affine(size, 0, west, 0, -size, north)


def raster(name: str, where: Grid) -> SourceRaster:
    return SourceRaster(
        name=name, container="c", path=name, etag="e", size=1, grid=where, band=1, dtype="uint8"
    )


GRIDS = {
    "degrees": grid("EPSG:4326", degrees(0.1, 10, 50), 50, 40),
    "over the antimeridian": grid("EPSG:4326", degrees(0.1, 178, 50), 50, 40),
    "0 to 360": grid("EPSG:4326", degrees(1, 0, 90), 360, 180),
    "another datum": grid("EPSG:4267", degrees(0.1, -100, 50), 50, 40),
    "gradians from Paris": grid("EPSG:4807", degrees(0.1, 1, 54), 50, 40),
    "web Mercator": grid("EPSG:3857", Affine(1e4, 0, 1.95e7, 0, -1e4, -1e6), 120, 90),
    "UTM": grid("EPSG:32601", Affine(1e4, 0, 1e5, 0, -1e4, 8e6), 80, 60),
    "Antarctica": grid("EPSG:3031", Affine(1e5, 0, -3e6, 0, -1e5, 3e6), 60, 60),
    "beside the pole": grid("EPSG:3031", Affine(1e5, 0, 4e5, 0, -1e5, 3e6), 20, 60),
    "a corner at the pole": grid("EPSG:3413", Affine(1e5, 0, 0, 0, -1e5, 0), 10, 10),
    "Albers": grid("EPSG:5070", Affine(5e4, 0, -2.3e6, 0, -5e4, 3.2e6), 90, 60),
    "rotated": grid("EPSG:4326", Affine(0.1, 0.05, 10, -0.05, -0.1, 50), 50, 40),
    "Mollweide": grid("ESRI:54009", Affine(1e6, 0, -18.04e6, 0, -1e6, 9.02e6), 36, 18),
    "a tile at the edge of a sinusoidal world": grid(
        "+proj=sinu +R=6371007.181", Affine(1e4, 0, 1.89e7, 0, -1e4, -1.1e6), 111, 111
    ),
    "a full disk": grid(
        "+proj=geos +h=35785831 +lon_0=140.7 +sweep=y", Affine(1e5, 0, -5.5e6, 0, -1e5, 5.5e6),
        110, 110,
    ),
}  # fmt: skip


@pytest.mark.parametrize("where", GRIDS.values(), ids=GRIDS)
def test_bounds_hold_every_pixel(where: Grid) -> None:
    columns, rows = np.meshgrid(np.linspace(0, where.width, 61), np.linspace(0, where.height, 61))
    x, y = Plane(where).coordinates(columns.ravel(), rows.ravel())
    project = pyproj.Transformer.from_crs(where.crs, "OGC:CRS84", always_xy=True)
    longitudes, latitudes = project.transform(x, y)
    there = np.isfinite(longitudes) & (np.abs(latitudes) <= 90)
    longitudes, latitudes = longitudes[there], latitudes[there]
    longitudes = (longitudes + 180) % 360 - 180
    held = np.zeros(len(longitudes), bool)
    for box in grids.bounds(where):
        in_longitude = (longitudes >= box.west - 1e-9) & (longitudes <= box.east + 1e-9)
        # 180 degrees west is 180 degrees east.
        in_longitude |= (longitudes == -180) & (box.east == 180)
        held |= in_longitude & (latitudes >= box.south - 1e-9) & (latitudes <= box.north + 1e-9)
    assert there.any()
    assert held.all(), list(zip(longitudes[~held], latitudes[~held], strict=True))[:5]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("degrees", [(10, 46, 15, 50)]),
        ("over the antimeridian", [(178, 46, 180, 50), (-180, 46, -177, 50)]),
        ("0 to 360", [(-180, -90, 180, 90)]),
    ],
)
def test_bounds_are_no_larger_than_need_be(name: str, expected: list[tuple[float, ...]]) -> None:
    boxes = grids.bounds(GRIDS[name])
    assert [tuple(round(s) for s in (b.west, b.south, b.east, b.north)) for b in boxes] == expected
    area = sum((b.east - b.west) * (b.north - b.south) for b in boxes)
    assert area == pytest.approx(sum((e - w) * (n - s) for w, s, e, n in expected), rel=1e-6)


def test_what_holds_a_pole_has_all_longitudes_up_to_there() -> None:
    (box,) = grids.bounds(GRIDS["Antarctica"])
    assert (box.west, box.south, box.east) == (-180, -90, 180)
    assert -60 < box.north < -50
    (corner,) = grids.bounds(GRIDS["a corner at the pole"])
    assert corner.north == 90
    assert corner.south == pytest.approx(77, abs=1)
    beside = grids.bounds(GRIDS["beside the pole"])
    assert all(box.south > -87 for box in beside)


@pytest.mark.parametrize(
    ("where", "metres"),
    [
        (GRIDS["UTM"], 1e4),
        (grid("EPSG:4326", degrees(1 / 1200, 10, 0.5), 600, 600), 92.6),
        (grid("EPSG:3857", Affine(10, 0, 1e6, 0, -10, 8399737.9), 100, 100), 5.0),
        (grid("EPSG:4326", degrees(1, -180, 90), 360, 180), 89_600),
    ],
)
def test_pixels_have_the_size_that_they_have_on_the_ground(where: Grid, metres: float) -> None:
    assert grids.pixel_size_m(where) == pytest.approx(metres, rel=0.01)


def test_a_grid_that_is_not_on_the_earth_is_refused() -> None:
    with pytest.raises(PermanentTaskError) as refused:
        grids.pixel_size_m(grid("EPSG:4326", degrees(1, 500_000, 4_000_000), 10, 10))
    assert refused.value.error_code == "not_on_earth"


def lying_over(*where: Grid) -> tuple[int, int] | None:
    rasters = [raster(f"{number}.tif", each) for number, each in enumerate(where)]
    return grids.overlapping(rasters, grids.mosaics(rasters))


HERE = GRIDS["degrees"]


@pytest.mark.parametrize(
    ("other", "does"),
    [
        (grid("EPSG:4326", degrees(0.13, 14, 49), 20, 20), True),
        (grid("EPSG:4326", degrees(0.13, 15, 50), 20, 20), False),
        (grid("EPSG:4326", degrees(0.13, 15 - 1e-6, 50), 20, 20), False),
        (grid("EPSG:4326", degrees(0.1, 14.05, 50), 20, 20), True),
        (grid("EPSG:4326", degrees(0.1, 14.9, 50), 20, 20), False),  # of one grid
        (grid("EPSG:4326", degrees(0.13, 374, 49), 20, 20), True),
        (grid("EPSG:3857", Affine(1e4, 0, 1.2e6, 0, -1e4, 6.2e6), 20, 20), True),
        (grid("EPSG:3857", Affine(1e4, 0, 1.7e6, 0, -1e4, 6.2e6), 20, 20), False),
        (grid("EPSG:32633", Affine(1e4, 0, 4e5, 0, -1e4, 5.4e6), 20, 20), True),
        (grid("EPSG:3413", Affine(1e4, 0, -1e6, 0, -1e4, 1e6), 200, 200), False),
    ],
)
def test_rasters_of_different_grids_over_each_other_are_found(other: Grid, does: bool) -> None:
    assert lying_over(HERE, other) == ((0, 1) if does else None)
    assert lying_over(other, HERE) == ((0, 1) if does else None)


def test_polar_rasters_over_those_of_degrees_are_found() -> None:
    arctic = grid("EPSG:3413", Affine(1e4, 0, -1e6, 0, -1e4, 1e6), 200, 200)
    north = grid("EPSG:4326", degrees(1, -10, 88), 20, 2)
    fiji = grid("EPSG:4326", degrees(1, 175, -15), 10, 10)
    assert lying_over(arctic, north) == (0, 1)
    assert lying_over(arctic, fiji) is None
    assert lying_over(fiji, grid("EPSG:3857", Affine(1e5, 0, -EDGE, 0, -1e5, -1.8e6), 3, 3)) == (
        0,
        1,
    )


class TestMosaics:
    def test_rasters_whole_pixels_apart_are_one(self) -> None:
        tiles = [
            raster(f"{x}-{y}.tif", grid("EPSG:4326", degrees(0.1, 10 + x, 50 - y), 10, 10))
            for x in range(3)
            for y in range(2)
        ]
        (mosaic,) = grids.mosaics(tiles)
        assert (mosaic.grid.width, mosaic.grid.height) == (30, 20)
        assert mosaic.grid.transform[2::3] == (10, 50)
        assert [(m.raster, m.column, m.row) for m in mosaic.members] == [
            (number, 10 * (number // 2), 10 * (number % 2)) for number in range(6)
        ]

    def test_the_first_raster_need_not_be_the_first_pixel(self) -> None:
        tiles = [
            raster("b.tif", grid("EPSG:4326", degrees(0.1, 12, 48), 10, 10)),
            raster("a.tif", grid("EPSG:4326", degrees(0.1, 11, 49), 10, 10)),
        ]
        (mosaic,) = grids.mosaics(tiles)
        assert mosaic.grid.transform == pytest.approx((0.1, 0, 11, 0, -0.1, 49))
        assert [(m.raster, m.column, m.row) for m in mosaic.members] == [(0, 10, 10), (1, 0, 0)]

    @pytest.mark.parametrize(
        "other",
        [
            grid("EPSG:4326", degrees(0.1, 10.05, 50), 10, 10),
            grid("EPSG:4326", degrees(0.1, 10, 50.03), 10, 10),
            grid("EPSG:4326", degrees(0.11, 10, 50), 10, 10),
            grid("EPSG:4326", Affine(0.1, 0, 10, 0, 0.1, 50), 10, 10),
            grid("EPSG:4269", degrees(0.1, 10, 50), 10, 10),
            grid("EPSG:4326", degrees(0.1 + 3e-7, 10, 50), 4000, 10),
        ],
    )
    def test_others_are_not(self, other: Grid) -> None:
        tiles = [raster("a.tif", grid("EPSG:4326", degrees(0.1, 10, 50), 10, 10)),
                 raster("b.tif", other)]  # fmt: skip
        assert [[m.raster for m in each.members] for each in grids.mosaics(tiles)] == [[0], [1]]

    def test_digits_that_were_rounded_make_no_difference(self) -> None:
        tiles = [
            raster("a.tif", grid("EPSG:4326", degrees(1 / 3600, 10, 50), 3600, 3600)),
            raster("b.tif", grid("EPSG:4326", degrees(0.000277777778, 11.0000001, 50), 3600, 3600)),
        ]
        (mosaic,) = grids.mosaics(tiles)
        assert [m.column for m in mosaic.members] == [0, 3600]

    def test_tiles_on_both_sides_of_the_antimeridian_are_neighbours(self) -> None:
        tiles = [
            raster("west.tif", grid("EPSG:4326", degrees(1, 170, 10), 10, 10)),
            raster("east.tif", grid("EPSG:4326", degrees(1, -180, 10), 10, 10)),
            raster("turned.tif", grid("EPSG:4326", degrees(1, 190, 10), 10, 10)),
        ]
        (mosaic,) = grids.mosaics(tiles)
        # 190 to 200 degrees is the neighbour of -180 to -170.
        columns = [member.column for member in mosaic.members]
        assert [(each - columns[0]) % 360 for each in columns] == [0, 10, 20]
        assert mosaic.grid.width <= 360

    def test_what_does_not_fit_into_a_turn_is_by_itself(self) -> None:
        tiles = [
            raster("world.tif", grid("EPSG:4326", degrees(1, -180, 90), 360, 180)),
            raster("fiji.tif", grid("EPSG:4326", degrees(1, 175, -15), 10, 10)),
        ]
        first, second = grids.mosaics(tiles)
        assert ([m.raster for m in first.members], [m.raster for m in second.members]) == ([0], [1])
        assert grids.overlapping(tiles, (first, second)) == (0, 1)

    def test_many_tiles_take_no_time(self) -> None:
        tiles = [
            raster(f"{x}-{y}.tif", grid("EPSG:4326", degrees(1 / 1200, x, y), 1200, 1200))
            for x in range(60)
            for y in range(40)
        ]
        (mosaic,) = grids.mosaics(tiles)
        assert len(mosaic.members) == 2400
