"""Writing made-up layers as the formats that releases come in, and packing them into one zip."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt
import pyogrio.raw
import shapely

from local.standins.shapes import Geometries


class Form(StrEnum):
    """What an archive holds."""

    FILE_GEODATABASE = "gdb"
    GEOPACKAGE = "gpkg"
    SHAPEFILES = "shp"


_DRIVERS = {
    Form.FILE_GEODATABASE: "OpenFileGDB",
    Form.GEOPACKAGE: "GPKG",
    Form.SHAPEFILES: "ESRI Shapefile",
}
# Well below what the outlines would otherwise take; more gains little.
_ZIP_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Records:
    """A run of records: their geometries (None for a table without) and columns in order."""

    geometry: Geometries | None
    columns: dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer, its records in runs, so that a large one needs the memory of one run."""

    name: str
    geometry_type: Literal["MultiPolygon", "MultiPoint"] | None
    runs: Iterable[Records]


def write(file: Path, form: Form, layers: Sequence[Layer]) -> None:
    """Write the layers into one dataset; for shapefiles `file` is a folder, which has one each."""
    for layer in layers:
        target = file / f"{layer.name}.shp" if form is Form.SHAPEFILES else file
        target.parent.mkdir(parents=True, exist_ok=True)
        for number, run in enumerate(layer.runs):
            pyogrio.raw.write(
                str(target),
                geometry=None if run.geometry is None else shapely.to_wkb(run.geometry),
                field_data=list(run.columns.values()),
                fields=[_field_name(name, form) for name in run.columns],
                layer=layer.name,
                driver=_DRIVERS[form],
                geometry_type=_geometry_type(layer, form),
                crs=None if layer.geometry_type is None else "EPSG:4326",
                encoding="UTF-8" if form is Form.SHAPEFILES else None,
                append=number > 0,
            )


def _field_name(name: str, form: Form) -> str:
    # A .dbf has room for ten letters: PARENT_ISO3 is PARENT_ISO there.
    return name[:10] if form is Form.SHAPEFILES else name


def _geometry_type(layer: Layer, form: Form) -> str | None:
    # A shapefile does not tell polygons from multi-polygons.
    if form is Form.SHAPEFILES and layer.geometry_type == "MultiPolygon":
        return "Polygon"
    return layer.geometry_type


def pack(archive: Path, content: Path, *, beside: dict[str, bytes] | None = None) -> Path:
    """Zip what is in a folder, with some further members, and remove the folder.

    Zips inside of it are stored as they are.
    """
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=_ZIP_LEVEL) as target:
        for file in sorted(path for path in content.rglob("*") if path.is_file()):
            packed = zipfile.ZIP_STORED if file.suffix == ".zip" else None
            target.write(file, file.relative_to(content), packed)
        for name, data in (beside or {}).items():
            target.writestr(name, data)
    shutil.rmtree(content)
    return archive


def manual(title: str) -> bytes:
    """A PDF of one empty page, as the manuals that lie beside the data are PDFs."""
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>",
        b"<</Title(" + title.encode("ascii") + b")>>",
    ]
    body, offsets = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj%s endobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return body + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R/Info 4 0 R>>\n"
        b"startxref\n%d\n%%%%EOF\n" % (len(parts) + 1, table, len(parts) + 1, len(body))
    )
