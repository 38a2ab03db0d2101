"""The outline of a dataset: all that a VRT says of it but its size and where its pixels are.

A strip of a raster, the raster put together of its strips, and its upper left corner have the
same outline, and so all of them become TIFFs with the same tags.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from uuid import uuid4
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import rasterio
from rasterio.io import DatasetReader, MemoryFile

# What of GDAL's description of a band says where its pixels are, or belongs to its size:
# https://gdal.org/en/stable/drivers/raster/vrt.html
_PIXELS = (
    "SimpleSource", "ComplexSource", "AveragedSource", "KernelFilteredSource", "ArraySource",
    "Overview", "MaskBand", "Histograms",
)  # fmt: skip
_OF_THE_DATASET = (
    "MaskBand", "OverviewList", "GDALWarpOptions", "BlockXSize", "BlockYSize", "Group",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of a file or dataset of the same width, and the row of the whole that they begin at."""

    name: str
    begin: int
    rows: int
    first: int = 0


class Outline:
    """What a dataset is, for others that are to be the same but for their size and pixels."""

    def __init__(self, dataset: DatasetReader) -> None:
        """Of a dataset that GDAL's VRT driver has opened."""
        self._description = ElementTree.fromstring(dataset.tags(ns="xml:VRT")["xml:VRT"])
        for attribute in ("subClass", "rasterXSize", "rasterYSize"):
            self._description.attrib.pop(attribute, None)
        _remove(self._description, _OF_THE_DATASET)
        for band in self._bands(self._description):
            _remove(band, _PIXELS)
            for attribute in ("subClass", "blockXSize", "blockYSize"):
                band.attrib.pop(attribute, None)

    def text(self, width: int, height: int, pieces: Sequence[Piece]) -> bytes:
        """The VRT of a dataset of this size that shows these pieces, one below the other."""
        description = deepcopy(self._description)
        description.set("rasterXSize", str(width))
        description.set("rasterYSize", str(height))
        for band in self._bands(description):
            for piece in pieces:
                source = SubElement(band, "SimpleSource")
                SubElement(source, "SourceFilename", relativeToVRT="0").text = piece.name
                SubElement(source, "SourceBand").text = band.get("band", "1")
                columns = {"xOff": "0", "xSize": str(width), "ySize": str(piece.rows)}
                SubElement(source, "SrcRect", {**columns, "yOff": str(piece.first)})
                SubElement(source, "DstRect", {**columns, "yOff": str(piece.begin)})
        return ElementTree.tostring(description)

    @contextmanager
    def opened(self, width: int, height: int, *pieces: Piece) -> Iterator[DatasetReader]:
        """The dataset of this size that shows these pieces."""
        text = self.text(width, height, pieces)
        with (
            MemoryFile(text, filename=f"{uuid4().hex}.vrt") as file,
            rasterio.open(file.name, driver="VRT") as dataset,
        ):
            yield dataset

    @staticmethod
    def _bands(description: Element) -> list[Element]:
        return description.findall("VRTRasterBand")


def _remove(parent: Element, tags: Sequence[str]) -> None:
    for child in list(parent):
        if child.tag in tags:
            parent.remove(child)
