"""The environment of the child process in which vector files are read.

GDAL takes any file to the first driver that claims it, whatever its name says, and some drivers
open other files or addresses on behalf of the one that they were given. So all are switched off
but those of the formats that are read. `infrastructure.sandbox` adds what holds for every child:
no network, no settings of the app, and a TMPDIR of its own, which GDAL and SQLite use as well.
"""

from __future__ import annotations

from collections.abc import Mapping

ALLOWED_DRIVERS = frozenset(
    {"ESRI Shapefile", "FlatGeobuf", "GML", "GPKG", "KML", "LIBKML", "OpenFileGDB"}
)

# Every other vector driver of GDAL 3.12, built in or optional, and of earlier versions (but
# Memory, another name of MEM's, after whose removal asking for it crashes GDAL 3.12):
# https://gdal.org/en/stable/drivers/vector/index.html
# A test compares what the child sees with the drivers allowed, so a new one shows there.
_REFUSED_DRIVERS = (
    "ADBC", "AIVector", "AVCBin", "AVCE00", "AmigoCloud", "Arrow", "CAD", "CSV", "CSW", "Carto",
    "DGN", "DGNv8", "DWG", "DXF", "EDIGEO", "EEDA", "ESRIJSON", "Elasticsearch", "FileGDB",
    "GDALG", "GMLAS", "GPSBabel", "GPX", "GTFS", "GeoJSON", "GeoJSONSeq", "GeoRSS", "Geoconcept",
    "HANA", "HDF4", "HDF5", "HTTP", "IDB", "Idrisi", "Interlis 1", "Interlis 2", "JML",
    "JP2OpenJPEG", "JSONFG", "LVBAG", "MBTiles", "MEM", "MSSQLSpatial", "MVT", "MapInfo File",
    "MapML", "MiraMonVector", "MongoDBv3", "MySQL", "NAS", "NGW", "OAPIF", "OCI",
    "ODBC", "ODS", "OGCAPI", "OGR_DODS", "OGR_GMT", "OGR_OGDI", "OGR_PDS", "OGR_SDTS", "OGR_VRT",
    "OSM", "PCIDSK", "PDF", "PDS4", "PGDUMP", "PGeo", "PLSCENES", "PMTiles", "Parquet",
    "PostgreSQL", "S57", "SOSI", "SQLite", "SVG", "SXF", "Selafin", "TIGER", "TileDB", "TopoJSON",
    "UK .NTF", "VDV", "VFK", "VICAR", "WAsP", "WFS", "Walk", "XLS", "XLSX", "XODR", "netCDF",
)  # fmt: skip

ENVIRONMENT: Mapping[str, str] = {
    # Split at commas where there are any, so that names may hold spaces.
    "GDAL_SKIP": ",".join(_REFUSED_DRIVERS),
    # A shapefile is several files, and so is a File Geodatabase.
    "GDAL_DISABLE_READDIR_ON_OPEN": "FALSE",
    # Not merely where it is missing: GDAL writes a new index over any that is there.
    "SHAPE_RESTORE_SHX": "NO",
    # A GML file names schemas by their addresses, and features by xlinks.
    "GML_DOWNLOAD_SCHEMA": "NO",
    "GML_SKIP_RESOLVE_ELEMS": "ALL",
    # The memory of a batch goes back to the system with the batch, and counts once.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "2",
    # The arrays of one batch are the next one's memory: giving them back to the system each
    # time, and taking them anew, is a twentieth of the work. In bytes.
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
}

# Imported before a child is wanted: together they take a second and more.
PRELOAD = ("numpy", "orjson", "pyarrow", "pyarrow.csv", "pyarrow.parquet", "pyogrio.raw",
           "pyproj", "shapely", "services.vector.child.inspecting",
           "services.vector.child.cleaning")  # fmt: skip
