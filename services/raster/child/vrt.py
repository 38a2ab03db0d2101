"""Datasets that the child describes itself, as the text of a VRT in memory.

https://gdal.org/en/stable/drivers/raster/vrt.html

Nobody's VRT is read here: what a text names was opened by the drivers that `opening` allows, and
only the VRT driver opens the text.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping
from uuid import uuid4
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader, MemoryFile
from rasterio.windows import Window


def opened_text(description: Element, stack: contextlib.ExitStack) -> str:
    """The name under which GDAL opens a description, for as long as the stack is open."""
    text = ElementTree.tostring(description)
    name: str = stack.enter_context(MemoryFile(text, filename=f"{uuid4().hex}.vrt")).name
    return name


def open_vrt(name: str, stack: contextlib.ExitStack) -> DatasetReader:
    """The dataset that a name of `opened_text` stands for, open as long as the stack is."""
    with warnings.catch_warnings():
        # What has control points only is a layer below a warp.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return stack.enter_context(rasterio.open(name, driver="VRT"))


def blank(width: int, height: int, crs: CRS | None, transform: Affine | None) -> Element:
    """The description of a dataset of this size and place that has no bands yet."""
    description = Element("VRTDataset", rasterXSize=str(width), rasterYSize=str(height))
    if crs is not None:
        # The transform's x is east, whatever the CRS says of its axes.
        mapping = "2,1" if crs.is_geographic else "1,2"
        SubElement(description, "SRS", dataAxisToSRSAxisMapping=mapping).text = crs.to_wkt()
    if transform is not None:
        SubElement(description, "GeoTransform").text = ", ".join(map(repr, transform.to_gdal()))
    return description


def add_source(
    parent: Element, kind: str, name: str, band: str, read: Window, at: Window | None = None
) -> Element:
    """Have a band show a window of another dataset's band, at a window of its own: default the
    same.

    `kind` is SimpleSource, or ComplexSource for one that leaves pixels out; `band` is a number
    from 1, or mask and a number.
    """
    source = SubElement(parent, kind)
    SubElement(source, "SourceFilename", relativeToVRT="0").text = name
    SubElement(source, "SourceBand").text = band
    SubElement(source, "SrcRect", _rectangle(read))
    SubElement(source, "DstRect", _rectangle(at or read))
    return source


def add_properties(source: Element, size: tuple[int, int], dtype: str, block: int) -> None:
    """Say what the dataset of a source is: columns and rows, data type in GDAL's words, pixels
    along the side of its blocks. GDAL then opens it when it is read, and closes it when too many
    others are."""
    width, height = size
    properties = {
        "RasterXSize": str(width),
        "RasterYSize": str(height),
        "DataType": dtype,
        "BlockXSize": str(block),
        "BlockYSize": str(block),
    }
    source.insert(2, Element("SourceProperties", properties))


def add_tags(band: Element, tags: Mapping[str, str]) -> None:
    """Give a band tags beside those that it has."""
    metadata = Element("Metadata")
    for key, value in tags.items():
        SubElement(metadata, "MDI", key=key).text = value
    kept = band.find("Metadata")
    if kept is None or kept.get("domain"):
        band.insert(0, metadata)
    else:
        kept.extend(metadata)


def whole(dataset: DatasetReader) -> Window:
    """All of a dataset, as a window."""
    return Window(0, 0, dataset.width, dataset.height)


def _rectangle(window: Window) -> dict[str, str]:
    return {
        "xOff": str(window.col_off),
        "yOff": str(window.row_off),
        "xSize": str(window.width),
        "ySize": str(window.height),
    }
