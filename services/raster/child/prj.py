"""In the child: have GDAL heed the .prj beside a raster.

Esri's programs write one beside a world file, and GDAL reads it for text grids only. What it
reads for every format is the SRS of an .aux.xml (its "persistent auxiliary metadata").
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from rasterio.crs import CRS
from rasterio.errors import CRSError

from services.raster.child.opening import open_raster

PRJ = ".prj"
_AUX = ".aux.xml"
_LONGEST_WKT = 64 << 10


def heed(path: str) -> bool:
    """Write the CRS of the .prj beside a raster that has none into its .aux.xml; whether there
    was such a CRS. Another process may do the same at the same time. Raises `UnreadableRaster`.
    """
    file = Path(path)
    with open_raster(path) as dataset:
        if dataset.crs:
            return False
    crs = _crs_of(file.with_suffix(PRJ))
    if crs is None:
        return False
    aux = file.with_name(file.name + _AUX)
    root = _read(aux)
    ElementTree.SubElement(root, "SRS").text = crs.to_wkt()
    _replace(aux, ElementTree.tostring(root))
    return True


def _crs_of(prj: Path) -> CRS | None:
    with prj.open("rb") as stream:
        text = stream.read(_LONGEST_WKT).decode("utf-8-sig", errors="replace").strip()
    try:
        return CRS.from_wkt(text, morph_from_esri_dialect=True)
    except CRSError:  # the old form of keywords, or no CRS: it must then be named
        return None


def _read(aux: Path) -> ElementTree.Element:
    try:
        root = ElementTree.parse(aux).getroot()
    except (FileNotFoundError, ElementTree.ParseError):
        return ElementTree.Element("PAMDataset")
    return root if root.tag == "PAMDataset" else ElementTree.Element("PAMDataset")


def _replace(file: Path, content: bytes) -> None:
    descriptor, written = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    os.replace(written, file)
