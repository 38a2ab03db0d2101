"""Which module reads which format."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final, cast

from services.vector.formats.reader import Reader
from services.vector.model import Kind

_PACKAGE: Final = "services.vector.formats"
# Each format's drivers in the order in which they are tried, and the module of each. Only KML
# has others to fall back on: GDAL's KML driver is tried before LIBKML, which reads fewer of
# the files in the wild and can crash.
_MODULES: Final[Mapping[Kind, Mapping[str, str]]] = {
    Kind.GEOJSON: {"geojson": "geojson"},
    Kind.GEOJSON_SEQ: {"geojson": "geojson"},
    Kind.KML: {"kml": "kml", "KML": "ogr_kml", "LIBKML": "ogr_libkml"},
    Kind.CSV: {"delimited": "delimited"},
    Kind.GEOPACKAGE: {"GPKG": "geopackage"},
    Kind.SHAPEFILE: {"ESRI Shapefile": "shapefile"},
    Kind.FLATGEOBUF: {"FlatGeobuf": "flatgeobuf"},
    Kind.GEOPARQUET: {"geoparquet": "geoparquet"},
    Kind.GML: {"GML": "gml"},
    Kind.FILE_GEODATABASE: {"OpenFileGDB": "file_geodatabase"},
}


def drivers(kind: Kind) -> list[str]:
    """The drivers for a format, the one to try first at the front."""
    return list(_MODULES[kind])


def reader_for(kind: Kind, driver: str | None = None) -> Reader:
    """The reader of a format: the module of the named driver, or of its first one.

    Modules are imported when they are first asked for, since each brings a parser with it.
    Raises KeyError where the format has no such driver.
    """
    modules = _MODULES[kind]
    name = modules[driver] if driver is not None else next(iter(modules.values()))
    return cast(Reader, import_module(f"{_PACKAGE}.{name}"))
