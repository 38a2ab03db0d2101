"""What the raster jobs are told is refused at once where no raster could have it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from services.raster.parameters import RasterOptions


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("EPSG:99999", "is not a CRS that PROJ knows"),
        ("EPSG:5773", "is a vertical CRS"),
        ("EPSG:4978", "is a geocentric CRS"),
        ("IAU_2015:30100", "of a body with a radius of 1,737 km"),
        ("somewhere", "should match pattern"),
    ],
)
def test_a_target_crs_that_is_no_place_on_the_earth_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says) as refused:
        RasterOptions(target_crs=text)
    assert [error["loc"] for error in refused.value.errors()] == [("target_crs",)]


@pytest.mark.parametrize("text", [None, "EPSG:4326", "EPSG:3857", "OGC:CRS84", "ESRI:54009"])
def test_a_target_crs_on_the_earth_is_taken(text: str | None) -> None:
    assert RasterOptions(target_crs=text).target_crs == text


def test_the_parameters_are_known_without_proj() -> None:
    program = (
        "import sys, services.raster.parameters; "
        "sys.exit(','.join({'pyproj', 'numpy', 'rasterio'} & set(sys.modules)) or None)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")


def test_both_ends_of_a_time_are_given_in_their_order() -> None:
    begin, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)
    assert RasterOptions(start_datetime=begin, end_datetime=end).end_datetime == end
    with pytest.raises(ValidationError, match="give both"):
        RasterOptions(start_datetime=begin)
    with pytest.raises(ValidationError, match="must not lie before"):
        RasterOptions(start_datetime=end, end_datetime=begin)
