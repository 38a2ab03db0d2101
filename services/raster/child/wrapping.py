"""A source as its COG shall have it, without copying a pixel.

A VRT in memory describes the source with what the plan changes: the CRS that it lacked, the
value without data, a mask in place of one, an alpha band that is none. Where it is warped there
are three layers: the source described, warped, and described again with the names, units and
palettes that warping forgets.

Nobody's VRT is read here: the text is GDAL's own description of a source that `opening` has let
through.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import rasterio
import rasterio.shutil
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT

from core.errors import PermanentTaskError
from services.raster.child import vrt
from services.raster.child.opening import MAX_PIXELS, most_values, open_raster
from services.raster.model import CogPlan, Nodata

_RESAMPLING = {
    "nearest": Resampling.nearest,
    "bilinear": Resampling.bilinear,
    "cubic": Resampling.cubic,
    "cubicspline": Resampling.cubic_spline,
    "lanczos": Resampling.lanczos,
    "average": Resampling.average,
    "mode": Resampling.mode,
}
# What the source says of pixels and overviews that the COG computes anew.
_STALE_TAGS = ("STATISTICS_", "OVERVIEW_RESAMPLING")
# Of a pixel: bounds that are on the edge of one do not reach into the next.
_ROUNDING = 1e-6
_HALF_TURN = 180.0 + _ROUNDING  # degrees of longitude
_SOURCES = ("SimpleSource", "ComplexSource", "AveragedSource")


@contextlib.contextmanager
def wrapped(
    path: str, plan: CogPlan, band_tags: Callable[[int], Mapping[str, str]] | None = None
) -> Iterator[DatasetReader]:
    """The dataset whose pixels, grid and metadata the COG of `path` has under `plan`.

    `band_tags` says which tags each band (from 1) has beside those of the source.
    It reads the source as it is read: from any window, in any order, the same pixels. Raises
    what `open_raster` raises, and `PermanentTaskError`: warp_failed, warp_out_of_range, and
    raster_too_large for one that warping makes so.
    """
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(open_raster(path))
        described = _description(source)
        _correct(described, plan)
        if plan.warp_to is not None and source.mask_flag_enums[0] == [MaskFlags.per_dataset]:
            # GDAL reads the mask where there are both, but warps by the value.
            for band in described.findall("VRTRasterBand"):
                _remove(band, "NoDataValue")
        if band_tags is not None:
            _add_tags(described, band_tags)
        name = vrt.opened_text(described, stack)
        masked = plan.nodata is Nodata.MASK
        if plan.warp_to is None and not masked:
            yield vrt.open_vrt(name, stack)
            return
        below = vrt.open_vrt(name, stack)
        if plan.warp_to is not None:
            name, below = _warped(below, plan, stack)
        final = _described_again(described, name, below, masked=masked)
        yield vrt.open_vrt(vrt.opened_text(final, stack), stack)


def warped_grid(source: str, plan: dict[str, Any]) -> tuple[int, int]:
    """Columns and rows of the COG that the plan makes of `source`."""
    with wrapped(source, CogPlan.model_validate(plan)) as dataset:
        return dataset.width, dataset.height


def _description(dataset: DatasetReader) -> Element:
    """GDAL's own description of a dataset, as VRT."""
    name = f"/vsimem/{uuid4().hex}.vrt"
    rasterio.shutil.copy(dataset, name, driver="VRT")
    try:
        with contextlib.ExitStack() as stack:
            text: str = vrt.open_vrt(name, stack).tags(ns="xml:VRT")["xml:VRT"]
    finally:
        rasterio.shutil.delete(name, driver="VRT")
    return ElementTree.fromstring(text)


def _correct(description: Element, plan: CogPlan) -> None:
    """Change what the plan wants otherwise than the source says, and drop what goes stale."""
    if plan.source_crs is not None:
        _set_crs(description, plan.source_crs)
    _drop_stale_tags(description)
    for band in description.findall("VRTRasterBand"):
        _drop_stale_tags(band)
        _remove(band, "Histograms")
        _drop_structure(band)
        if int(band.get("band", "0")) in plan.alpha_is_data:
            _set(band, "ColorInterp", "Undefined")
        if plan.nodata_value is not None:
            _set(band, "NoDataValue", _number(plan.nodata_value))


def _add_tags(description: Element, band_tags: Callable[[int], Mapping[str, str]]) -> None:
    for number, band in enumerate(description.findall("VRTRasterBand"), start=1):
        vrt.add_tags(band, band_tags(number))


def _set_crs(description: Element, crs: str) -> None:
    """Declare a CRS for the raster's grid, or for its control points where it has no grid."""
    text = rasterio.crs.CRS.from_user_input(crs).to_wkt()
    gcps = description.find("GCPList")
    if gcps is not None and description.find("GeoTransform") is None:
        gcps.set("Projection", text)
        # The control points' x is east, whatever the CRS says of its axes.
        gcps.attrib.pop("dataAxisToSRSAxisMapping", None)
        return
    _remove(description, "SRS")
    element = Element("SRS")
    element.text = text
    description.insert(0, element)


def _warped(
    below: DatasetReader, plan: CogPlan, stack: contextlib.ExitStack
) -> tuple[str, DatasetReader]:
    """The dataset warped to the plan's CRS: the name it opens by, and itself.

    A pixel does not depend on the window in which it was asked for, so that windows have no
    seams: its position is computed exactly, not interpolated along its row, and the size of the
    kernel is that of the whole raster, where GDAL would take that of the window (XSCALE, YSCALE:
    https://gdal.org/en/stable/api/gdalwarp_cpp.html#_CPPv4N15GDALWarpOptions16papszWarpOptionsE).
    """
    if below.crs is None and not below.gcps[0]:
        raise PermanentTaskError(
            f"The raster cannot be warped to {plan.warp_to}: its own CRS is not known.",
            code="warp_failed",
        )
    options: dict[str, Any] = {
        "crs": plan.warp_to,
        "resampling": _RESAMPLING[plan.resampling],
        "tolerance": 0,
        "add_alpha": ColorInterp.alpha not in below.colorinterp and below.nodata is None,
    }
    try:
        options |= _outline(below, plan)
        warped = stack.enter_context(WarpedVRT(below, **options))
        name = vrt.opened_text(_exactly(_description(warped), below), stack)
        return name, vrt.open_vrt(name, stack)
    except (RasterioError, CPLE_BaseError) as error:
        raise PermanentTaskError(
            f"The raster cannot be warped to {plan.warp_to}: {error}", code="warp_failed"
        ) from error


def _outline(below: DatasetReader, plan: CogPlan) -> dict[str, Any]:
    """The grid that the dataset is warped to, as options of the warp: the one that GDAL proposes
    for all of it, or the one for the plan's window, clipped to the plan's bounds."""
    with contextlib.ExitStack() as stack:
        part = below
        if plan.warp_window is not None:
            part = vrt.open_vrt(vrt.opened_text(_empty(below, plan.warp_window), stack), stack)
        with WarpedVRT(part, crs=plan.warp_to, tolerance=0) as outline:
            transform, width, height = outline.transform, outline.width, outline.height
        scales = {"XSCALE": repr(width / part.width), "YSCALE": repr(height / part.height)}
    clipped = {}
    if plan.warp_bounds is not None:
        transform, width, height = _clipped(transform, width, height, plan)
        # rasterio takes no grid without a tolerance: `_exactly` removes it again.
        clipped = {"transform": transform, "width": width, "height": height, "tolerance": 0.125}
    if width * height * below.count > most_values():
        raise PermanentTaskError(
            f"target_crs: warped to {plan.warp_to}, the raster would have {width:,} x {height:,} "
            f"pixels in {below.count:,} bands, more than the {most_values():,} values that a "
            f"raster may have ({MAX_PIXELS}).",
            code="raster_too_large",
            field="target_crs",
        )
    return {**scales, **clipped}


def _exactly(warped: Element, below: DatasetReader) -> Element:
    """GDAL's description of a warp, with each position computed, none interpolated, and with its
    source by the name that it opens by from anywhere."""
    for options in warped.findall("GDALWarpOptions"):
        for source in options.findall("SourceDataset"):
            source.set("relativeToVRT", "0")
            source.text = below.name
        for transformer in options.findall("Transformer"):
            exact = transformer.find("ApproxTransformer/BaseTransformer")
            if exact is not None:
                transformer[:] = exact[:]
                _center(transformer, below)
    return warped


def _center(transformer: Element, below: DatasetReader) -> None:
    """Have longitudes beyond 180 degrees found, as GDAL does for the grids that it proposes."""
    if not below.crs.is_geographic or max(map(abs, below.bounds[::2])) <= _HALF_TURN:
        return
    for reprojection in transformer.iter("ReprojectionTransformer"):
        option = SubElement(SubElement(reprojection, "Options"), "Option", key="CENTER_LONG")
        option.text = repr((below.bounds.left + below.bounds.right) / 2)


def _empty(below: DatasetReader, window: tuple[int, int, int, int]) -> Element:
    """A raster of nothing where a window of a dataset lies."""
    column, row, columns, rows = window
    a, b, c, d, e, f = below.transform[:6]
    empty = Element("VRTDataset", rasterXSize=str(columns), rasterYSize=str(rows))
    SubElement(empty, "SRS").text = below.crs.to_wkt()
    corner = (a * column + b * row + c, a, b, d * column + e * row + f, d, e)
    SubElement(empty, "GeoTransform").text = ", ".join(map(repr, corner))
    SubElement(empty, "VRTRasterBand", dataType="Byte", band="1")
    return empty


def _clipped(transform: Affine, width: int, height: int, plan: CogPlan) -> tuple[Affine, int, int]:
    """The pixels of a grid, its rows from north to south, of which a part is in the bounds."""
    assert plan.warp_bounds is not None
    xmin, ymin, xmax, ymax = plan.warp_bounds
    a, b, c, d, e, f = transform[:6]
    left = max(0, math.floor((xmin - c) / a + _ROUNDING))
    right = min(width, math.ceil((xmax - c) / a - _ROUNDING))
    top = max(0, math.floor((ymax - f) / e + _ROUNDING))
    bottom = min(height, math.ceil((ymin - f) / e - _ROUNDING))
    if left >= right or top >= bottom:
        raise PermanentTaskError(
            f"target_crs: no part of the raster lies in the area where {plan.warp_to} is used.",
            code="warp_out_of_range",
            field="target_crs",
        )
    return Affine(a, b, c + a * left, d, e, f + e * top), right - left, bottom - top


def _described_again(
    described: Element, name: str, below: DatasetReader, *, masked: bool
) -> Element:
    """What `described` says of bands and tags, with the grid and the pixels of `below`."""
    transform = None if below.gcps[0] else below.transform
    final = vrt.blank(below.width, below.height, below.crs, transform)
    kept = [child for child in described if child.tag in ("Metadata", "VRTRasterBand")]
    for child in kept:
        final.append(child)
    bands = final.findall("VRTRasterBand")
    for band in bands:
        for tag in _SOURCES:
            _remove(band, tag)
        if masked:
            _remove(band, "NoDataValue")
        band.attrib.pop("blockXSize", None)
        band.attrib.pop("blockYSize", None)
        vrt.add_source(band, "SimpleSource", name, band.get("band", ""), vrt.whole(below))
    if masked:
        _add_mask(final, name, below, len(bands))
    elif below.mask_flag_enums[0] == [MaskFlags.per_dataset]:
        mask = SubElement(SubElement(final, "MaskBand"), "VRTRasterBand", dataType="Byte")
        vrt.add_source(mask, "SimpleSource", name, "mask,1", vrt.whole(below))
    return final


def _add_mask(final: Element, name: str, below: DatasetReader, count: int) -> None:
    """A mask of the pixels that are valid in any band; of the alpha that a warp has added."""
    mask = SubElement(SubElement(final, "MaskBand"), "VRTRasterBand", dataType="Byte")
    if below.count > count:
        vrt.add_source(mask, "SimpleSource", name, str(below.count), vrt.whole(below))
        return
    for number in range(1, count + 1):
        # Each is drawn over the ones before it, but for where it is 0.
        source = vrt.add_source(mask, "ComplexSource", name, f"mask,{number}", vrt.whole(below))
        SubElement(source, "NODATA").text = "0"


def _drop_stale_tags(element: Element) -> None:
    for metadata in element.findall("Metadata"):
        for tag in metadata.findall("MDI"):
            if tag.get("key", "").startswith(_STALE_TAGS):
                metadata.remove(tag)


def _drop_structure(band: Element) -> None:
    """Forget how the source packs its values: 15 bits of 16, say. A COG has whole bytes."""
    for metadata in band.findall("Metadata"):
        if metadata.get("domain") == "IMAGE_STRUCTURE":
            band.remove(metadata)


def _remove(parent: Element, tag: str) -> None:
    for child in parent.findall(tag):
        parent.remove(child)


def _set(band: Element, tag: str, text: str) -> None:
    """Give a band a property, before its sources, where GDAL looks for it."""
    _remove(band, tag)
    element = Element(tag)
    element.text = text
    band.insert(0, element)


def _number(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return str(int(value)) if value.is_integer() and abs(value) < 2**63 else repr(value)
