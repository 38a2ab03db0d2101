"""Whether a raster has a place on the Earth."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import PermanentTaskError
from services.raster.model import Band, Facts
from services.raster.parameters import RasterOptions
from services.raster.placement import caveats, refuse_unplaced
from tests.support.settings import app_settings

MARS = (
    'GEOGCS["Mars 2000",DATUM["D_Mars_2000",SPHEROID["Mars_2000",3396190,169.89444722361179]],'
    'PRIMEM["Greenwich",0],UNIT["Degree",0.017453292519943295]]'
)
LOCAL = 'LOCAL_CS["Cartesian (Meter)",UNIT["metre",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
FULL_DISK = "+proj=geos +lon_0=-75 +h=35786023 +sweep=x +ellps=GRS80 +units=m +no_defs"
IN_UTM = (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_400_000.0)


def facts(crs: str | None = "EPSG:32633", transform: Any = IN_UTM, **more: Any) -> Facts:
    sizes = {"width": 80, "height": 64, **more}
    return Facts(
        driver="GTiff", bands=(Band(number=1, dtype="uint8"),), crs=crs, transform=transform,
        **sizes,
    )  # fmt: skip


def options(**parameters: Any) -> RasterOptions:
    with app_settings():
        return RasterOptions(**parameters)


def refusal(found: Facts, **parameters: Any) -> PermanentTaskError:
    with pytest.raises(PermanentTaskError) as caught:
        refuse_unplaced(found, "dem/a.tif", options(**parameters))
    assert "dem/a.tif" in caught.value.message or "source_crs" in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    "found",
    [
        facts(),
        facts(transform=(8.0, 3.0, 500_000.0, 3.0, -8.0, 5_400_000.0)),  # rotated
        facts(transform=(10.0, 0.0, 500_000.0, 0.0, 10.0, 5_400_000.0)),  # south-up
        facts("EPSG:4326", (0.25, 0.0, -180.125, 0.0, -0.25, 90.125), width=1441, height=721),
        facts("EPSG:4326", (1.0, 0.0, 0.0, 0.0, -1.0, 90.0), width=360, height=180),
        facts("EPSG:9518", (0.1, 0.0, 10.0, 0.0, -0.1, 50.0)),  # with heights
        facts(FULL_DISK, (20_000.0, 0.0, -5.43e6, 0.0, -20_000.0, 5.43e6), width=543, height=543),
        facts("EPSG:3857", (1.2, 0.0, -8.8e6, 0.0, -1.2, 4.8e6)),
        facts("EPSG:32611", (10.0, 0.0, 1_840_900.0, 0.0, -10.0, 1_144_000.0)),  # far off
        facts("EPSG:3035", (0.25, 0.0, 4_321_000.0, 0.0, -0.25, 3_210_000.0)),
    ],
)
def test_what_lies_on_the_earth(found: Facts) -> None:
    refuse_unplaced(found, "a.tif", options())


def test_a_raster_without_a_crs() -> None:
    error = refusal(facts(crs=None))
    assert (error.error_code, error.details["field"]) == ("crs_missing", "source_crs")
    assert "Name it with source_crs" in error.message
    refuse_unplaced(facts(crs=None), "a.tif", options(source_crs="EPSG:32633"))


def test_a_raster_without_a_transform() -> None:
    assert refusal(facts(transform=None)).error_code == "not_georeferenced"
    assert refusal(facts(transform=None, rpcs=True)).error_code == "rpcs_only"


def test_control_points_are_enough_to_be_warped_by() -> None:
    found = facts(None, None, gcps=210, gcps_crs="EPSG:4326")
    error = refusal(found)
    assert error.error_code == "gcps_only"
    assert "210 ground control points" in error.message
    assert "target_crs" in error.message
    refuse_unplaced(found, "a.tif", options(target_crs="EPSG:3857"))
    without_crs = facts(None, None, gcps=4)
    assert refusal(without_crs, target_crs="EPSG:3857").error_code == "crs_missing"


@pytest.mark.parametrize("crs", [MARS, LOCAL, "EPSG:5703"])
def test_a_crs_that_is_not_of_the_earths_surface(crs: str) -> None:
    assert refusal(facts(crs, (0.1, 0.0, 10.0, 0.0, -0.1, 50.0))).error_code == "not_on_earth"


def test_mars_is_told_by_its_size() -> None:
    message = refusal(facts(MARS, (0.1, 0.0, 10.0, 0.0, -0.1, 50.0))).message
    assert "not on the Earth" in message
    assert "3,396 km" in message


@pytest.mark.parametrize(
    ("crs", "transform", "why"),
    [
        ("EPSG:32618", (0.01, 0.0, -80.0, 0.0, -0.01, 26.0), "look like longitudes and latitudes"),
        ("EPSG:3857", (0.01, 0.0, 10.0, 0.0, -0.01, 50.0), "look like longitudes and latitudes"),
        ("EPSG:4326", (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_400_000.0), "are no longitudes"),
        ("EPSG:32633", (10.0, 0.0, 9e9, 0.0, -10.0, 9e9), "are nowhere on the Earth"),
    ],
)
def test_coordinates_that_cannot_be_in_the_crs(
    crs: str, transform: tuple[float, ...], why: str
) -> None:
    error = refusal(facts(crs, transform))
    assert error.error_code == "crs_does_not_fit"
    assert why in error.message


def test_a_source_crs_that_is_none() -> None:
    error = refusal(facts(), source_crs="EPSG:99999999")
    assert (error.error_code, error.details["field"]) == ("source_crs_invalid", "source_crs")


def test_a_raster_far_from_where_its_crs_is_used_has_a_caveat() -> None:
    far = facts("EPSG:32611", (10.0, 0.0, 1_840_900.0, 0.0, -10.0, 1_144_000.0))
    assert [each.code for each in caveats(far, options())] == ["far_from_area_of_use"]
    assert caveats(facts(), options()) == ()
    assert caveats(facts(None), options()) == ()
