"""GeoPackages: chunks are ranges of fids, which SQLite finds by its index."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.vector.batch import Batch, Fault
from services.vector.formats import ogr, ogr_source
from services.vector.formats.ogr import Access, Seek
from services.vector.formats.ogr_source import Origin, presented
from services.vector.model import Chunk, Kind, ReadOptions, Reason, SourceLayer

# A GeoPackage may have been written in WAL mode: it is opened without a log beside it.
_OPTIONS: Final = {"IMMUTABLE": "YES"}
_NAME: Final = "source.gpkg"
# OGC GeoPackage 1.3, table 5: GP, version, flags, srs_id, envelope.
_BLOB_MAGIC: Final = b"GP"
_ENVELOPE_BYTES: Final = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}
_EMPTY_FLAG: Final = 0x10
_SHOWN_BYTES: Final = 16


def inspect(path: Path, options: ReadOptions) -> list[SourceLayer]:
    """The layers and attribute tables. One that cannot be read is a note on the others."""
    with presented(path, _NAME) as source:
        names = ogr_source.list_layers(source)
        return ogr.inspect_layers(names, lambda name: _access(source, path, name), options)


def read(path: Path, layer: SourceLayer, chunk: Chunk, options: ReadOptions) -> Iterator[Batch]:
    """The records of a chunk."""
    del options
    with presented(path, _NAME) as source:
        yield from ogr.read_chunk(_access(source, path, layer.name), layer, chunk)


def _access(source: Path, path: Path, layer: str) -> Access:
    return Access(
        Origin(source, layer, _OPTIONS),
        Kind.GEOPACKAGE,
        path.stat().st_size,
        seek=Seek.FID_INDEX,
        explain_missing=_Geometries(path, layer).faults,
    )


@dataclass(frozen=True, slots=True)
class _Geometries:
    """The geometry column of a table, as SQLite has it."""

    path: Path
    table: str

    def faults(self, fids: Sequence[int]) -> Mapping[int, Fault]:
        """Those whose blob is there and says that it is not empty, though OGR gave nothing."""
        with closing(_connect(self.path)) as connection:
            column = connection.execute(
                "SELECT column_name FROM gpkg_geometry_columns WHERE table_name = ?",
                (self.table,),
            ).fetchone()
            key = _key(connection, self.table)
            if column is None or key is None:
                return {}
            geometry = _quoted(column[0])
            found = connection.execute(
                f"SELECT {_quoted(key)}, substr({geometry}, 1, 8), length({geometry}) "
                f"FROM {_quoted(self.table)} WHERE {geometry} IS NOT NULL "
                f"AND {_quoted(key)} IN (SELECT value FROM json_each(?))",
                (json.dumps(list(fids)),),
            )
            return {
                fid: Fault(Reason.UNREADABLE_GEOMETRY, said)
                for fid, head, length in found
                if (said := _complaint(head, length)) is not None
            }


def _complaint(head: object, length: int) -> str | None:
    """What is wrong with a geometry blob; None where it is an empty geometry."""
    if not isinstance(head, bytes) or not head.startswith(_BLOB_MAGIC):
        shown = head[:_SHOWN_BYTES].hex() if isinstance(head, bytes) else repr(head)
        return f"the geometry is no GeoPackage geometry: it begins with {shown}"
    flags = head[3] if len(head) > 3 else 0
    if flags & _EMPTY_FLAG:
        return None
    envelope = _ENVELOPE_BYTES.get(flags >> 1 & 7)
    if envelope is None:
        return f"the geometry's header has flags that do not exist ({flags:#04x})"
    if length <= 8 + envelope:
        return f"the geometry ends within its header, after {length} bytes"
    return None


def _key(connection: sqlite3.Connection, table: str) -> str | None:
    """The integer primary key, which OGR takes as fid."""
    for _, name, kind, _, _, primary in connection.execute(f"PRAGMA table_info({_quoted(table)})"):
        if primary and kind.upper() == "INTEGER":
            return str(name)
    return None


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
