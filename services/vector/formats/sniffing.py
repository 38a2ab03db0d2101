"""What a single file is, by the bytes in it: binary formats by their signatures."""

from __future__ import annotations

import sqlite3
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.vector.formats import text_sniffing
from services.vector.formats.verdict import Role, Verdict
from services.vector.model import Kind

HEAD_BYTES: Final = 64 << 10

_SHAPEFILE_CODE: Final = 9994
_SHAPEFILE_HEADER: Final = 100
_SHX_FIRST_OFFSET: Final = 50  # in 16-bit words: the first record follows the header
_FLATGEOBUF_MAGIC: Final = b"fgb"
_FLATGEOBUF_VERSION: Final = 3
_GEOPACKAGE_IDS: Final = (b"GPKG", b"GP10", b"GP11")


@dataclass(frozen=True, slots=True)
class _Signature:
    magic: bytes
    description: str
    offset: int = 0
    role: Role = Role.OTHER


_SIGNATURES: Final = (
    _Signature(b"%PDF", "a PDF document", role=Role.DOCUMENT),
    _Signature(b"\x89PNG\r\n\x1a\n", "an image (PNG)", role=Role.PICTURE),
    _Signature(b"\xff\xd8\xff", "an image (JPEG)", role=Role.PICTURE),
    _Signature(b"GIF8", "an image (GIF)", role=Role.PICTURE),
    _Signature(b"WEBP", "an image (WebP)", offset=8, role=Role.PICTURE),
    _Signature(b"\0\0\1\0", "an icon", role=Role.PICTURE),
    _Signature(b"II*\0", "a TIFF image: rasters are loaded by the raster jobs"),
    _Signature(b"MM\0*", "a TIFF image: rasters are loaded by the raster jobs"),
    _Signature(b"II+\0", "a BigTIFF image: rasters are loaded by the raster jobs"),
    _Signature(b"MM\0+", "a BigTIFF image: rasters are loaded by the raster jobs"),
    _Signature(b"\x89HDF\r\n\x1a\n", "an HDF5 or netCDF 4 file"),
    _Signature(b"CDF\x01", "a netCDF file"),
    _Signature(b"CDF\x02", "a netCDF file"),
    _Signature(b"GRIB", "a GRIB file"),
    _Signature(b"LASF", "a LAS point cloud"),
    _Signature(b"PMTiles", "a PMTiles archive of tiles"),
    _Signature(b"ARROW1", "an Arrow (Feather) file: write it as GeoParquet"),
    _Signature(b"FEA1", "a Feather file: write it as GeoParquet"),
    _Signature(b"PARE", "an encrypted Parquet file"),
    _Signature(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Microsoft Office document (such as "
               "an .xls workbook: export the sheet as CSV)", role=Role.DOCUMENT),
    _Signature(b"AC10", "an AutoCAD drawing (DWG)"),
    _Signature(b"AutoCAD Binary DXF", "an AutoCAD drawing (DXF)"),
    _Signature(b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: pack it as a zip", role=Role.ARCHIVE),
    _Signature(b"Rar!\x1a\x07", "a RAR archive: pack it as a zip", role=Role.ARCHIVE),
    _Signature(b"\x1f\x8b", "a gzip archive", role=Role.ARCHIVE),
    _Signature(b"BZh", "a bzip2 archive", role=Role.ARCHIVE),
    _Signature(b"\xfd7zXZ\0", "an xz archive", role=Role.ARCHIVE),
    _Signature(b"\x28\xb5\x2f\xfd", "a Zstandard archive: pack it as a zip", role=Role.ARCHIVE),
    _Signature(b"ustar", "a tar archive", offset=257, role=Role.ARCHIVE),
    _Signature(b"\0\0\0\x0d\x0a\x09OSMHeader", "an OpenStreetMap extract (PBF)"),
    _Signature(b"OSMHeader", "an OpenStreetMap extract (PBF)", offset=6),
    _Signature(b"\x7fELF", "a program"),
    _Signature(b"MZ", "a program"),
    _Signature(b"\0\1\0\0Standard Jet DB", "a Microsoft Access database (personal geodatabase)"),
    _Signature(b"\0\1\0\0Standard ACE DB", "a Microsoft Access database (personal geodatabase)"),
)  # fmt: skip


def sniff(path: Path) -> Verdict:
    """What a file is. Opens it for reading only, and believes nothing that it says."""
    size = path.stat().st_size
    if size == 0:
        return Verdict(None, "an empty file")
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        file.seek(max(0, size - HEAD_BYTES))
        tail = file.read(HEAD_BYTES)
    if not head.strip(b"\0"):
        return Verdict(None, "a file of zero bytes only, as a broken transfer leaves it")
    for check in (_sqlite, _flatgeobuf, _parquet, _shapefile, _zip):
        verdict = check(path, head, tail)
        if verdict is not None:
            return verdict
    for signature in _SIGNATURES:
        if head.startswith(signature.magic, signature.offset):
            return Verdict(None, signature.description, signature.role)
    return text_sniffing.sniff(path, head, tail)


def _sqlite(path: Path, head: bytes, _tail: bytes) -> Verdict | None:
    if not head.startswith(b"SQLite format 3\0"):
        return None
    if head[68:72] in _GEOPACKAGE_IDS:
        return Verdict(Kind.GEOPACKAGE, "a GeoPackage")
    try:
        tables = _sqlite_tables(path)
    except sqlite3.Error as error:
        return Verdict(None, f"a damaged SQLite database ({error})")
    if "gpkg_contents" in tables:
        return Verdict(Kind.GEOPACKAGE, "a GeoPackage")
    if "geometry_columns" in tables or "spatialite_history" in tables:
        return Verdict(None, "a SpatiaLite database: export it as a GeoPackage")
    if {"tiles", "metadata"} <= tables:
        return Verdict(None, "an MBTiles archive of tiles")
    return Verdict(None, "a SQLite database that is no GeoPackage")


def _sqlite_tables(path: Path) -> set[str]:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        return {name for (name,) in connection.execute("SELECT lower(name) FROM sqlite_master")}
    finally:
        connection.close()


def _flatgeobuf(_path: Path, head: bytes, _tail: bytes) -> Verdict | None:
    if not (head.startswith(_FLATGEOBUF_MAGIC) and head[4:7] == _FLATGEOBUF_MAGIC):
        return None
    if head[3] != _FLATGEOBUF_VERSION:
        return Verdict(None, f"a FlatGeobuf of version {head[3]}: version 3 is read")
    return Verdict(Kind.FLATGEOBUF, "a FlatGeobuf")


def _parquet(path: Path, head: bytes, tail: bytes) -> Verdict | None:
    if not head.startswith(b"PAR1"):
        return None
    if not tail.endswith(b"PAR1"):
        return Verdict(None, "a Parquet file that was cut short: its footer is missing")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        return Verdict(None, f"a damaged Parquet file ({error})")
    if b"geo" in (schema.metadata or {}) or _has_geometry_type(path):
        return Verdict(Kind.GEOPARQUET, "a GeoParquet file")
    return Verdict(
        None,
        "a Parquet file without the metadata of GeoParquet, so that it does not say which "
        "column is the geometry: write it as GeoParquet, or as CSV",
    )


def _has_geometry_type(path: Path) -> bool:
    """Whether a column is of Parquet's own GEOMETRY or GEOGRAPHY type (2.11 and later)."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        types = {file.schema.column(i).logical_type.type.upper() for i in range(len(file.schema))}
    return bool(types & {"GEOMETRY", "GEOGRAPHY"})


def _shapefile(path: Path, head: bytes, _tail: bytes) -> Verdict | None:
    if len(head) < 4 or struct.unpack(">i", head[:4])[0] != _SHAPEFILE_CODE:
        return None
    if len(head) < _SHAPEFILE_HEADER:
        return Verdict(None, "a shapefile that was cut short within its header")
    if _is_index(path, head):
        return Verdict(
            None, "the index (.shx) of a shapefile; the .shp is missing", Role.SHAPEFILE_PART
        )
    return Verdict(Kind.SHAPEFILE, "a shapefile")


def _is_index(path: Path, head: bytes) -> bool:
    """An index has the header of the .shp; after it are offsets, where the .shp has numbers."""
    suffix = path.suffix.casefold()
    if suffix in (".shp", ".shx"):
        return suffix == ".shx"
    after = head[_SHAPEFILE_HEADER : _SHAPEFILE_HEADER + 4]
    return len(after) == 4 and struct.unpack(">i", after)[0] == _SHX_FIRST_OFFSET


def _zip(_path: Path, head: bytes, tail: bytes) -> Verdict | None:
    if not head.startswith((b"PK\3\4", b"PK\5\6", b"PK\7\10")):
        return None
    names = head + tail
    if b"xl/workbook" in names or b"xl/worksheets" in names:
        return Verdict(None, "a Microsoft Excel workbook: export the sheet as CSV", Role.DOCUMENT)
    if b"word/document" in names:
        return Verdict(None, "a Microsoft Word document", Role.DOCUMENT)
    if b"application/vnd.oasis.opendocument" in head:
        return Verdict(None, "an OpenDocument file: export the sheet as CSV", Role.DOCUMENT)
    return Verdict(None, "a zip archive", Role.ARCHIVE)
