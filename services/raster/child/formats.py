"""Which driver may open a file, told by the file's first bytes and never by what GDAL thinks."""

from __future__ import annotations

import re
from typing import BinaryIO

from services.raster.child.refusals import RefersElsewhere, UnreadableRaster

HEAD_BYTES = 4096

_STARTS = {
    b"II*\0": "GTiff",
    b"MM\0*": "GTiff",
    b"II+\0": "GTiff",  # BigTIFF
    b"MM\0+": "GTiff",
    b"\x00\x00\x00\x0cjP  \r\n\x87\n": "JP2OpenJPEG",
    b"\xff\x4f\xff\x51": "JP2OpenJPEG",  # a bare code stream
    b"EHFA_HEADER_TAG": "HFA",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
}
# MIL-PRF-89020B: the user header label, behind up to two labels of 80 bytes for tapes.
_DTED_LABEL = b"UHL1"
_DTED_LABEL_AT = (0, 80, 160)

_ASCII_GRID = re.compile(
    rb"\s*(ncols|nrows|xllcorner|yllcorner|xllcenter|yllcenter|cellsize|dx|dy)\s+[-+\d]", re.I
)
# Squares of two-byte heights, of one degree at 3, 1 and half an arc second, and 1 by 2 seconds.
_SRTM_NAME = re.compile(r"[ns]\d{2}[ew]\d{3}.*\.hgt$", re.I)
_SRTM_BYTES = frozenset({1201**2 * 2, 3601**2 * 2, 7201**2 * 2, 3601 * 1801 * 2})

# What GDAL would take for instructions: a description of other files or addresses. The VRT
# driver looks for its word anywhere in the beginning, up to the first NUL.
_INSTRUCTIONS = {
    b"<VRTDataset": "a GDAL virtual raster (VRT)",
    b"<GDAL_WMS": "a description of a web map service (WMS)",
    b"<WMS_": "a description of a web map service (WMS)",
    b"<GDALTileIndexDataset": "a GDAL tile index (GTI)",
    b"<WCS_GDAL": "a description of a web coverage service (WCS)",
    b"<GDAL_WMTS": "a description of a web map tile service (WMTS)",
    b"<OGRVRTDataSource": "a virtual vector source (OGR VRT)",
    b"STACIT:": "a reference to a STAC API",
    b"stac_version": "a STAC document",
}
_OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive",
    b"CDF": "a netCDF file",
    b"\x89HDF": "an HDF5 or netCDF file",
    b"\x0e\x03\x13\x01": "an HDF4 file",
    b"GRIB": "a GRIB file",
    b"NITF": "a NITF file",
    b"GIF8": "a GIF image",
    b"BM": "a BMP image",
    b"RIFF": "a WebP image or another RIFF file",
    b"msid": "a MrSID image",
    b"SQLite format 3": "a GeoPackage or another SQLite file",
    b"%PDF": "a PDF document",
    b"<": "an XML or HTML document",
    b"{": "a JSON document",
}


def driver_for(head: bytes, name: str, size: int) -> str:
    """The driver for a file that begins with `head`, has this name, and `size` bytes.

    Raises `UnreadableRaster` (driver_not_allowed) for a file of none of the formats that are
    read, and `RefersElsewhere` for one that GDAL would take for instructions.
    """
    if not size:
        raise UnreadableRaster("The file is empty.")
    refuse_instructions(head)
    for start, driver in _STARTS.items():
        if head.startswith(start):
            return driver
    if any(head[at : at + 4] == _DTED_LABEL for at in _DTED_LABEL_AT):
        return "DTED"
    if _ASCII_GRID.match(head):
        return "AAIGrid"
    if _SRTM_NAME.search(name) and size in _SRTM_BYTES:
        return "SRTMHGT"
    if _is_usgs_dem(head):
        return "USGSDEM"
    raise _not_read(head)


def is_binary_raster(head: bytes) -> bool:
    """Whether a file begins with the signature of one of the formats that have one."""
    return any(map(head.startswith, _STARTS))


def is_tiff(head: bytes) -> bool:
    """Whether a file begins as a TIFF of any kind does."""
    return any(head.startswith(each) for each, driver in _STARTS.items() if driver == "GTiff")


def refuse_instructions(head: bytes) -> None:
    """Raise `RefersElsewhere` for what tells GDAL to open other files or addresses."""
    text = head.split(b"\0", 1)[0]
    for word, what in _INSTRUCTIONS.items():
        if word in text:
            raise RefersElsewhere(
                f"The file is {what}: it names other files or addresses, which are not followed. "
                "Send the raster itself."
            )


def head_of(file: BinaryIO) -> bytes:
    """The bytes by which a file is told, from a file at its beginning."""
    return file.read(HEAD_BYTES)


def _is_usgs_dem(head: bytes) -> bool:
    """By the codes of record A that say level, pattern and planimetric system (bytes 145 to
    168 of https://pubs.usgs.gov/publication/70038365, each six wide)."""
    return (
        len(head) >= 1024
        and head[150:156] in (b"     1", b"     4")
        and head[156:162] in (b"     0", b"     1", b"     2", b"     3", b" -9999")
    )


def _not_read(head: bytes) -> UnreadableRaster:
    read = "GeoTIFF, JPEG 2000, Erdas Imagine, Esri ASCII grid, DTED, SRTM, USGS DEM, PNG and JPEG"
    text = head.lstrip()
    for start, what in _OTHER_FORMATS.items():
        if text.startswith(start):
            return UnreadableRaster(
                f"The file is {what}; rasters are read from {read}.", code="driver_not_allowed"
            )
    return UnreadableRaster(
        f"The file does not begin as any of the formats that are read: {read}.",
        code="driver_not_allowed",
    )
