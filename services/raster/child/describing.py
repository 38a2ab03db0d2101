"""In the child: what a finished COG is, for its STAC Item."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import rasterio
from pyproj import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import NodataShadowWarning

from core.job_definition import JsonObject
from services.raster.child.footprint import OVERVIEW_PIXELS, footprint
from services.raster.child.refusals import UnreadableRaster
from services.raster.description import BandSummary, DescribedBand, Description, PaletteEntry

# Values of one band's palette that are described: those that occur, to this number.
MAX_CLASSES = 256
_METRES_PER_DEGREE = 111_319.49
_BLOCK_CACHE_SHARE = 4


def describe(path: str, memory_mb: int) -> JsonObject:
    """The `Description` of a GeoTIFF as JSON.

    GDAL's cache of blocks takes at most a quarter of `memory_mb`. Raises `UnreadableRaster`
    (crs_missing, not_on_earth) for a file that lies nowhere, and what rasterio raises for one
    that cannot be read.
    """
    cache = memory_mb * 1024 * 1024 // _BLOCK_CACHE_SHARE
    with (
        warnings.catch_warnings(),
        rasterio.Env(GDAL_CACHEMAX=cache),
        rasterio.open(path, driver="GTiff") as dataset,
    ):
        # Of an alpha band beside a nodata value both are asked, each by itself.
        warnings.simplefilter("ignore", NodataShadowWarning)
        return _described(dataset).model_dump(mode="json")


def _described(dataset: Any) -> Description:
    if dataset.crs is None:
        raise UnreadableRaster("The COG has no CRS.", code="crs_missing")
    crs = CRS.from_wkt(dataset.crs.to_wkt())
    found = footprint(dataset)
    middle = found.geometry.representative_point()
    inside = found.geometry.centroid
    centroid = inside if found.geometry.contains(inside) else middle
    return Description(
        **_reference_system(crs),
        shape=(dataset.height, dataset.width),
        transform=tuple(dataset.transform)[:6],
        bounds=_bounds(dataset),
        centroid=(round(centroid.x, 7), round(centroid.y, 7)),
        geometry=found.geometry.__geo_interface__,
        bbox=found.bbox,
        footprint="extent" if found.covers_all else "valid_data",
        area_or_point=dataset.tags().get("AREA_OR_POINT", "Area"),
        gsd=_pixel_metres(dataset, crs, centroid.y),
        bands=tuple(_band(dataset, number) for number in dataset.indexes),
    )


def _reference_system(crs: CRS) -> JsonObject:
    """Code, or WKT and PROJJSON where nobody has given it one."""
    authority = crs.to_authority(min_confidence=100)
    if authority is not None:
        return {"code": ":".join(authority)}
    return {"code": None, "wkt2": crs.to_wkt("WKT2_2019"), "projjson": crs.to_json_dict()}


def _bounds(dataset: Any) -> tuple[float, float, float, float]:
    """The box around the raster's corners in its CRS, of rotated ones as well."""
    corners = [
        dataset.transform @ corner
        for corner in (
            (0, 0),
            (dataset.width, 0),
            (0, dataset.height),
            (dataset.width, dataset.height),
        )
    ]
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _pixel_metres(dataset: Any, crs: CRS, latitude: float) -> float | None:
    """The longer side of a pixel in metres, to four digits."""
    a, b, _, d, e, _ = tuple(dataset.transform)[:6]
    horizontal = crs.axis_info[:2]
    if len(horizontal) < 2:
        return None
    x_unit, y_unit = (axis.unit_conversion_factor for axis in horizontal)
    if crs.is_geographic:
        # Factors of angles are in radians.
        x_unit = math.degrees(x_unit) * _METRES_PER_DEGREE * math.cos(math.radians(latitude))
        y_unit = math.degrees(y_unit) * _METRES_PER_DEGREE
    elif _stretches(crs):
        x_unit = y_unit = x_unit * math.cos(math.radians(latitude))
    longer = max(math.hypot(a * x_unit, d * y_unit), math.hypot(b * x_unit, e * y_unit))
    return float(f"{longer:.4g}") if math.isfinite(longer) and longer > 0 else None


def _stretches(crs: CRS) -> bool:
    """Whether it is a Mercator projection, whose metres are longer on the map than on Earth."""
    operation = crs.coordinate_operation
    method = "" if operation is None else operation.method_name
    return method.startswith(("Mercator", "Popular Visualisation"))


def _band(dataset: Any, number: int) -> DescribedBand:
    place = number - 1
    interpretation: ColorInterp = dataset.colorinterp[place]
    return DescribedBand(
        number=number,
        dtype=dataset.dtypes[place],
        nodata=dataset.nodatavals[place],
        colour=interpretation.name,
        description=dataset.descriptions[place] or None,
        unit=dataset.units[place] or None,
        scale=dataset.scales[place],
        offset=dataset.offsets[place],
        statistics=_statistics(dataset, number),
        palette=_palette(dataset, number) if interpretation is ColorInterp.palette else (),
    )


def _statistics(dataset: Any, number: int) -> BandSummary | None:
    """Those that the file holds, of every pixel; else those of an overview's."""
    tags = dataset.tags(number)
    try:
        return BandSummary(
            minimum=float(tags["STATISTICS_MINIMUM"]),
            maximum=float(tags["STATISTICS_MAXIMUM"]),
            mean=float(tags["STATISTICS_MEAN"]),
            stddev=float(tags["STATISTICS_STDDEV"]),
            valid_percent=float(tags["STATISTICS_VALID_PERCENT"]),
            approximate=tags.get("STATISTICS_APPROXIMATE") == "YES",
        )
    except (KeyError, ValueError):
        return _overview_statistics(dataset, number)


def _overview_statistics(dataset: Any, number: int) -> BandSummary | None:
    """None where no pixel of the overview is valid, or where values have no order."""
    values = _overview(dataset, number)
    if np.iscomplexobj(values):
        return None
    valid = np.ma.masked_invalid(values).compressed().astype(np.float64)
    if valid.size == 0:
        return None
    whole = values.shape == (dataset.height, dataset.width)
    return BandSummary(
        minimum=float(valid.min()),
        maximum=float(valid.max()),
        mean=float(valid.mean()),
        stddev=float(valid.std()),
        valid_percent=round(100.0 * valid.size / values.size, 4),
        approximate=not whole,
    )


def _overview(dataset: Any, number: int) -> Any:
    scale = min(1.0, OVERVIEW_PIXELS / max(dataset.width, dataset.height))
    shape = (max(1, round(dataset.height * scale)), max(1, round(dataset.width * scale)))
    return dataset.read(number, out_shape=shape, masked=True)


def _palette(dataset: Any, number: int) -> tuple[PaletteEntry, ...]:
    """The palette's colours of the values that an overview shows."""
    colours = dataset.colormap(number)
    shown = np.unique(_overview(dataset, number).compressed()).tolist()
    known = [int(value) for value in shown if int(value) in colours]
    return tuple(
        PaletteEntry(value=value, colour="{:02X}{:02X}{:02X}".format(*colours[value][:3]))
        for value in known[:MAX_CLASSES]
    )
