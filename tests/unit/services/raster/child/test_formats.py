"""Which driver a file is given to."""

from __future__ import annotations

import pytest

from services.raster.child.formats import driver_for
from services.raster.child.refusals import UnreadableRaster


def dem_head() -> bytes:
    """Record A of a USGS DEM of level 1 in UTM."""
    return (b"A QUADRANGLE".ljust(144) + b"     1" + b"     1" + b"     1").ljust(1024)


@pytest.mark.parametrize(
    ("head", "name", "driver"),
    [
        (b"II*\0", "a.tif", "GTiff"),
        (b"MM\0*", "a.png", "GTiff"),
        (b"II+\0", "big", "GTiff"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a.jp2", "JP2OpenJPEG"),
        (b"\xff\x4f\xff\x51", "a.j2k", "JP2OpenJPEG"),
        (b"EHFA_HEADER_TAG", "a.img", "HFA"),
        (b"\x89PNG\r\n\x1a\n", "a.png", "PNG"),
        (b"\xff\xd8\xff\xe0", "a.jpg", "JPEG"),
        (b"UHL1" + b" " * 76, "n43.dt0", "DTED"),
        (b"VOL1".ljust(80) + b"HDR1".ljust(80) + b"UHL1", "n43.dt0", "DTED"),
        (b"\nNCOLS 4\nNROWS 4\n", "a.asc", "AAIGrid"),
        (b"nrows -4", "a.txt", "AAIGrid"),
        (dem_head(), "a.dem", "USGSDEM"),
    ],
)
def test_a_format_is_told_by_its_first_bytes(head: bytes, name: str, driver: str) -> None:
    assert driver_for(head, name, 5000) == driver


@pytest.mark.parametrize(
    ("name", "size", "driver"),
    [
        ("N10W110.hgt", 1201**2 * 2, "SRTMHGT"),
        ("s01e007.SRTMGL1.HGT", 3601**2 * 2, "SRTMHGT"),
        ("N10W110.hgt", 1201**2 * 2 - 1, None),
        ("heights.hgt", 1201**2 * 2, None),
    ],
)
def test_srtm_is_told_by_name_and_size(name: str, size: int, driver: str | None) -> None:
    if driver is not None:
        assert driver_for(bytes(4096), name, size) == driver
    else:
        with pytest.raises(UnreadableRaster, match="does not begin as any of the formats"):
            driver_for(bytes(4096), name, size)


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"CDF\x02", "a netCDF file"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 or netCDF file"),
        (b"SQLite format 3\0", "a GeoPackage"),
        (b"<html>", "an XML or HTML document"),
        (b"%PDF-1.7", "a PDF document"),
    ],
)
def test_other_formats_are_named_in_the_refusal(head: bytes, what: str) -> None:
    with pytest.raises(UnreadableRaster, match=f"The file is {what}") as caught:
        driver_for(head, "a.tif", 100)
    assert caught.value.error_code == "driver_not_allowed"


def test_an_empty_file_is_called_empty() -> None:
    with pytest.raises(UnreadableRaster, match="The file is empty"):
        driver_for(b"", "a.tif", 0)
