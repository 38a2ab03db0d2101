"""The outline of a raster's valid data on the Earth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from affine import Affine
from pyproj import Transformer
from rasterio.io import MemoryFile

from services.raster.child.footprint import MAX_POINTS, NoFootprint, bbox_of, footprint

GOES = "+proj=geos +h=35786023 +lon_0=-75 +sweep=x +datum=WGS84 +units=m"
UTM = Affine(30, 0, 500_000, 0, -30, 5_000_000)


@contextmanager
def raster(pixels: npt.NDArray[Any], crs: str, transform: Affine, **profile: Any) -> Iterator[Any]:
    """An open dataset; pixels are (rows, columns) or (bands, rows, columns)."""
    bands = pixels if pixels.ndim == 3 else pixels[np.newaxis]
    count, height, width = bands.shape
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", width=width, height=height, count=count, dtype=bands.dtype, crs=crs,
            transform=transform, **profile,
        ) as dataset:  # fmt: skip
            dataset.write(bands)
        with memory.open() as dataset:
            yield dataset


def ones(rows: int, columns: int) -> npt.NDArray[np.uint8]:
    return np.ones((rows, columns), dtype=np.uint8)


def test_without_gaps_it_is_the_extent() -> None:
    with raster(ones(40, 60), "EPSG:4326", Affine(0.1, 0, 10, 0, -0.1, 50)) as dataset:
        found = footprint(dataset)
    assert found.covers_all
    assert found.bbox == (10.0, 46.0, 16.0, 50.0)
    assert shapely.equals(found.geometry, shapely.box(10, 46, 16, 50))


def test_with_nothing_valid_it_is_the_extent() -> None:
    with raster(ones(40, 60), "EPSG:4326", Affine(0.1, 0, 10, 0, -0.1, 50), nodata=1) as dataset:
        found = footprint(dataset)
    assert found.covers_all
    assert found.bbox == (10.0, 46.0, 16.0, 50.0)


def test_it_outlines_what_is_valid_within_a_pixel() -> None:
    rows, columns = np.mgrid[0:300, 0:400]
    disc = np.hypot(rows - 150, columns - 200) < 120
    with raster(disc.astype(np.uint8), "EPSG:32631", UTM, nodata=0) as dataset:
        found = footprint(dataset)
    to_utm = Transformer.from_crs("OGC:CRS84", "EPSG:32631", always_xy=True)
    back = shapely.transform(found.geometry, to_utm.transform, interleaved=False)
    truth = shapely.Point(UTM @ (200.5, 150.5)).buffer(120 * 30)
    assert not found.covers_all
    assert shapely.symmetric_difference(back, truth).area < truth.length * 30
    assert shapely.hausdorff_distance(back, truth) < 3 * 30


def test_nan_is_no_data_without_being_declared() -> None:
    pixels = np.full((2, 100, 100), np.nan, dtype=np.float32)
    pixels[0, :50, :50] = 1.0
    pixels[1, :50, 50:] = 1.0
    with raster(pixels, "EPSG:4326", Affine(0.01, 0, 0, 0, -0.01, 1)) as dataset:
        found = footprint(dataset)
    assert shapely.equals_exact(
        shapely.normalize(found.geometry), shapely.normalize(shapely.box(0, 0.5, 1, 1)), 1e-6
    )


def test_nan_is_no_data_where_another_value_is_declared() -> None:
    pixels = np.ones((100, 100), dtype=np.float32)
    pixels[:50] = np.nan
    pixels[50:, :50] = -9999
    corner = Affine(0.01, 0, 0, 0, -0.01, 1)
    with raster(pixels, "EPSG:4326", corner, nodata=-9999) as dataset:
        found = footprint(dataset)
    assert shapely.equals_exact(
        shapely.normalize(found.geometry), shapely.normalize(shapely.box(0.5, 0, 1, 0.5)), 1e-6
    )


def test_a_mask_and_an_alpha_band_say_what_is_valid() -> None:
    place = Affine(0.01, 0, 0, 0, -0.01, 1)
    left = np.zeros((100, 100), dtype=np.uint8)
    left[:, :50] = 255
    gray_alpha = np.stack([ones(100, 100), left])
    with raster(gray_alpha, "EPSG:4326", place, alpha="yes") as dataset:
        by_alpha = footprint(dataset)
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", width=100, height=100, count=1, dtype="uint8", crs="EPSG:4326",
            transform=place,
        ) as dataset:  # fmt: skip
            dataset.write(ones(100, 100), 1)
            dataset.write_mask(left)
        with memory.open() as dataset:
            by_mask = footprint(dataset)
    assert by_alpha.bbox == by_mask.bbox == (0.0, 0.0, 0.5, 1.0)


def test_a_rotated_raster_keeps_its_corners() -> None:
    turned = Affine.translation(10, 50) @ Affine.rotation(30) @ Affine.scale(0.01, -0.01)
    with raster(ones(100, 200), "EPSG:4326", turned) as dataset:
        found = footprint(dataset)
    corners = [turned @ corner for corner in ((0, 0), (200, 0), (200, 100), (0, 100))]
    truth = shapely.Polygon(corners)
    assert shapely.symmetric_difference(found.geometry, truth).area < 1e-6


def test_edges_are_curves_on_the_earth() -> None:
    """The northern edge of a wide raster around the pole's axis bends by degrees."""
    laea = "+proj=laea +lat_0=60 +lon_0=0 +datum=WGS84"
    with raster(ones(100, 400), laea, Affine(10_000, 0, -2e6, 0, -10_000, 0.5e6)) as dataset:
        found = footprint(dataset)
    to_degrees = Transformer.from_crs(laea, "OGC:CRS84", always_xy=True)
    middle = to_degrees.transform(0, 0.5e6 - 20_000)
    corner = to_degrees.transform(-2e6, 0.5e6)
    assert middle[1] - corner[1] > 5
    assert found.geometry.contains(shapely.Point(middle))
    assert not found.geometry.contains(shapely.Point(corner[0] + 1, middle[1]))


def test_across_the_antimeridian_it_is_cut_and_its_box_turned() -> None:
    utm_60 = Affine(1000, 0, 600_000, 0, -1000, 7_000_000)
    with raster(ones(200, 300), "EPSG:32660", utm_60) as dataset:
        found = footprint(dataset)
    west, south, east, north = found.bbox
    assert 178 < west < 180
    assert -178 < east < -174
    assert 60 < south < north < 64
    assert shapely.get_type_id(found.geometry) == shapely.GeometryType.MULTIPOLYGON
    bounds = shapely.bounds(shapely.get_parts(found.geometry))
    assert sorted(bounds[:, 0])[0] == -180
    assert sorted(bounds[:, 2])[-1] == 180


def test_longitudes_from_0_to_360_are_brought_home() -> None:
    with raster(ones(18, 36), "EPSG:4326", Affine(10, 0, 0, 0, -10, 90)) as dataset:
        found = footprint(dataset)
    assert found.bbox == (-180.0, -90.0, 180.0, 90.0)
    assert found.geometry.area == pytest.approx(360 * 180)
    with raster(ones(10, 20), "EPSG:4326", Affine(1, 0, 170, 0, -1, 10)) as dataset:
        crossing = footprint(dataset)
    assert crossing.bbox == (170.0, 0.0, -170.0, 10.0)


def test_half_a_pixel_beyond_the_pole_is_cut_off() -> None:
    with raster(ones(181, 360), "EPSG:4326", Affine(1, 0, -180, 0, -1, 90.5)) as dataset:
        found = footprint(dataset)
    assert found.bbox == (-180.0, -90.0, 180.0, 90.0)


@pytest.mark.parametrize(("crs", "pole"), [("EPSG:3413", 90.0), ("EPSG:3031", -90.0)])
def test_around_a_pole_it_reaches_the_pole(crs: str, pole: float) -> None:
    with raster(ones(80, 80), crs, Affine(50_000, 0, -2e6, 0, -50_000, 2e6)) as dataset:
        found = footprint(dataset)
    assert found.geometry.is_valid
    west, south, east, north = found.bbox
    assert (west, east) == (-180.0, 180.0)
    assert pole in (south, north)
    for longitude in (-179, -90, 0, 45, 179):
        assert found.geometry.contains(shapely.Point(longitude, pole * 0.99))
        assert not found.geometry.contains(shapely.Point(longitude, pole * 0.6))


def test_a_hole_over_the_pole_stays_one() -> None:
    rows, columns = np.mgrid[0:200, 0:200]
    ring = np.hypot(rows - 99.5, columns - 99.5) > 30
    with raster(
        ring.astype(np.uint8), "EPSG:3413", Affine(20_000, 0, -2e6, 0, -20_000, 2e6), nodata=0
    ) as dataset:
        found = footprint(dataset)
    assert found.geometry.is_valid
    assert not found.covers_all
    assert found.bbox[3] < 86
    assert found.geometry.contains(shapely.Point(100, 80))
    assert not found.geometry.contains(shapely.Point(100, 88))


def test_a_disc_of_the_earth_is_what_the_satellite_sees() -> None:
    half = 5_500_000.0
    place = Affine(2 * half / 200, 0, -half, 0, -2 * half / 200, half)
    with raster(ones(200, 200), GOES, place) as dataset:
        found = footprint(dataset)
    assert found.geometry.is_valid
    assert found.geometry.contains(shapely.Point(-75, 0))
    west, south, east, north = found.bbox
    assert -157 < west < -150
    assert 0 < east < 7
    assert -82 < south < -75 < 75 < north < 82


def test_a_raster_beside_the_earth_has_none() -> None:
    with (
        raster(ones(10, 10), GOES, Affine(1000, 0, 9e6, 0, -1000, 9e6)) as dataset,
        pytest.raises(NoFootprint),
    ):
        footprint(dataset)


def test_a_crs_of_no_place_has_none() -> None:
    local = 'LOCAL_CS["Cartesian (Meter)",UNIT["metre",1],AXIS["X",EAST],AXIS["Y",NORTH]]'
    with (
        raster(ones(10, 10), local, UTM) as dataset,
        pytest.raises(NoFootprint, match="cannot be told in degrees"),
    ):
        footprint(dataset)


def test_a_ragged_mask_has_a_bounded_outline_that_covers_it() -> None:
    noise = np.random.default_rng(7).random((1500, 1500)) < 0.1
    noise[:, 700:] = False
    with raster(noise.astype(np.uint8), "EPSG:32631", UTM, nodata=0) as dataset:
        found = footprint(dataset)
    assert found.geometry.is_valid
    assert shapely.get_num_coordinates(found.geometry) <= MAX_POINTS
    with raster(ones(1500, 1500), "EPSG:32631", UTM) as dataset:
        whole = footprint(dataset).geometry.area
    assert found.geometry.area / whole == pytest.approx(700 / 1500, rel=0.05)


@pytest.mark.parametrize(
    ("geometry", "bbox"),
    [
        ("POLYGON((1 2, 3 2, 3 4, 1 4, 1 2))", (1, 2, 3, 4)),
        ("MULTIPOLYGON(((170 0, 180 0, 180 5, 170 5, 170 0)),"
         " ((-180 0, -175 0, -175 5, -180 5, -180 0)))", (170, 0, -175, 5)),
        ("MULTIPOLYGON(((-180 0, 180 0, 180 5, -180 5, -180 0)))", (-180, 0, 180, 5)),
        ("MULTIPOLYGON(((-10 0, 0 0, 0 5, -10 5, -10 0)),"
         " ((20 0, 30 0, 30 5, 20 5, 20 0)))", (-10, 0, 30, 5)),
    ],
)  # fmt: skip
def test_boxes_turn_only_across_the_antimeridian(
    geometry: str, bbox: tuple[float, float, float, float]
) -> None:
    assert bbox_of(shapely.from_wkt(geometry)) == bbox
