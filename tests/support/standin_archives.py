"""Made-up archives, read back by OGR alone."""

from __future__ import annotations

import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pyogrio
import pyogrio.raw
import shapely


@dataclass(frozen=True, slots=True)
class Table:
    """A layer in memory; `geometry_type` is None, and `geometry` empty, for a plain table."""

    geometry_type: str | None
    columns: dict[str, npt.NDArray[Any]]
    geometry: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def names(self) -> list[str]:
        return list(self.columns)


def tables(archive: Path, into: Path) -> dict[str, Table]:
    """All layers in an archive, or in the archives in it, by file (for shapefiles) or name."""
    found: dict[str, Table] = {}
    _unpack(archive, into)
    for source in sorted(into.rglob("*")):
        if source.suffix == ".shp":
            found[str(source.relative_to(into).with_suffix(""))] = _read(source, source.stem)
        elif source.suffix in (".gpkg", ".gdb"):
            for name, _ in pyogrio.list_layers(source):
                found[str(name)] = _read(source, str(name))
    return found


def _unpack(archive: Path, into: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        content.extractall(into)
    for inner in list(into.rglob("*.zip")):
        _unpack(inner, inner.with_suffix(""))


def _read(source: Path, layer: str) -> Table:
    with warnings.catch_warnings():
        # A hole outside of its shell is a part of the wrong orientation to a shapefile.
        warnings.filterwarnings("ignore", r".*invalid winding order", RuntimeWarning)
        meta, _, geometry, values = pyogrio.raw.read(source, layer=layer)
    return Table(
        meta["geometry_type"],
        dict(zip(meta["fields"].tolist(), values, strict=True)),
        shapely.from_wkb([] if geometry is None else geometry),
    )
