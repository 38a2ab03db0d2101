"""What a raster says of itself, read without its pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import islice
from typing import Literal
from xml.etree import ElementTree

import rasterio.shutil
from rasterio import DatasetReader
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from services.raster.model import Band, Facts

# What is kept of metadata: enough for people, and for whoever looks for dates and units.
_MAX_TAGS = 200
_MAX_NAME = 200
_MAX_TEXT = 1000
_MAX_CATEGORIES = 1000
_MAX_DESCRIBED_BYTES = 32 << 20
# Metadata of the file's own, and those that satellites' products are delivered with.
_DOMAINS = (None, "IMAGERY")

_Mask = Literal["none", "nodata", "alpha", "dataset"]


def read_facts(dataset: DatasetReader, file_bytes: int) -> Facts:
    """The facts of an open raster. Texts and lists are bounded in number and length."""
    structure = dataset.tags(ns="IMAGE_STRUCTURE")
    gcps, gcps_crs = dataset.gcps
    tags = _file_tags(dataset)
    return Facts(
        driver=dataset.driver,
        width=dataset.width,
        height=dataset.height,
        bands=_bands(dataset),
        crs=_crs_text(dataset.crs),
        transform=_transform(dataset),
        gcps=len(gcps),
        gcps_crs=_crs_text(gcps_crs) if gcps else None,
        rpcs=dataset.rpcs is not None,
        area_or_point="Point" if tags.get("AREA_OR_POINT") == "Point" else "Area",
        mask=_mask(dataset),
        overviews=tuple(dataset.overviews(1)),
        block=dataset.block_shapes[0],
        compression=structure.get("COMPRESSION"),
        interleave=structure.get("INTERLEAVE"),
        tags=tags,
        file_bytes=file_bytes,
    )


def _bands(dataset: DatasetReader) -> tuple[Band, ...]:
    categories = _categories(dataset)
    # Each of these asks GDAL for what all bands say.
    of_all = zip(
        dataset.indexes,
        dataset.dtypes,
        dataset.nodatavals,
        dataset.colorinterp,
        dataset.descriptions,
        dataset.units,
        dataset.scales,
        dataset.offsets,
        strict=True,
    )
    return tuple(
        Band(
            number=number,
            dtype=dtype,
            nodata=nodata,
            colour=colour.name,
            description=_short(description),
            unit=_short(unit),
            scale=_number(scale, 1.0),
            offset=_number(offset, 0.0),
            palette_entries=_palette_entries(dataset, number, colour),
            categories=categories.get(number, ()),
            tags=_bounded(dataset.tags(number)),
        )
        for number, dtype, nodata, colour, description, unit, scale, offset in of_all
    )


def _palette_entries(dataset: DatasetReader, number: int, colour: ColorInterp) -> int:
    if colour is not ColorInterp.palette:
        return 0
    try:
        return len(dataset.colormap(number))
    except ValueError:  # the band is said to have a palette, and has none
        return 0


def _transform(dataset: DatasetReader) -> tuple[float, float, float, float, float, float] | None:
    """The file's transform; rasterio's identity stands for none."""
    transform = dataset.transform
    values = (transform.a, transform.b, transform.c, transform.d, transform.e, transform.f)
    if transform.is_identity or not all(map(math.isfinite, values)):
        return None
    return values


def _mask(dataset: DatasetReader) -> _Mask:
    flags = {flag for band in dataset.mask_flag_enums for flag in band}
    if MaskFlags.alpha in flags:
        return "alpha"
    if MaskFlags.per_dataset in flags:
        return "dataset"
    return "nodata" if MaskFlags.nodata in flags else "none"


def _crs_text(crs: rasterio.crs.CRS | None) -> str | None:
    """ "EPSG:32618" where the CRS has a code, else its WKT2; None where there is none."""
    if not crs:
        return None
    authority = crs.to_authority()
    if authority:
        return ":".join(authority)
    try:
        return str(crs.to_wkt(version="WKT2_2019"))
    except RasterioError:
        return str(crs.to_wkt())


def _file_tags(dataset: DatasetReader) -> dict[str, str]:
    found: dict[str, str] = {}
    for domain in _DOMAINS:
        found = {**dataset.tags(ns=domain), **found}
    return _bounded(found)


def _bounded(tags: Mapping[str, str]) -> dict[str, str]:
    # What GDAL has computed once and written down is not what the file's makers say.
    said = ((name, text) for name, text in tags.items() if not name.startswith("STATISTICS_"))
    return {name[:_MAX_NAME]: _text(text) for name, text in islice(said, _MAX_TAGS)}


def _short(text: str | None) -> str | None:
    return _text(text) or None if text else None


def _text(text: str) -> str:
    return text.encode(errors="replace").decode().replace("\0", "").strip()[:_MAX_TEXT]


def _number(value: float, otherwise: float) -> float:
    return float(value) if math.isfinite(value) else otherwise


def _categories(dataset: DatasetReader) -> dict[int, tuple[str, ...]]:
    """The names of each band's classes, by the band's number.

    rasterio does not tell them, GDAL's description of the dataset as a VRT does: it is written
    to memory, and read as XML.
    """
    with MemoryFile(ext=".vrt") as memory:
        try:
            rasterio.shutil.copy(dataset, memory.name, driver="VRT")
            memory.seek(0)
            text = memory.read(_MAX_DESCRIBED_BYTES)
            root = ElementTree.fromstring(text)
        except (RasterioError, ElementTree.ParseError):
            return {}
    found = {}
    for band in root.iter("VRTRasterBand"):
        names = [_text(each.text or "") for each in band.iterfind("CategoryNames/Category")]
        if any(names):
            found[int(band.get("band", "0"))] = tuple(names[:_MAX_CATEGORIES])
    return found
