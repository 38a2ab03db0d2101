"""GeoPackages: chunks are ranges of fids, which SQLite finds by its index."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from services.vector.batch import Batch, Fault
from services.vector.formats import ogr, ogr_source
from services.vector.formats.ogr_access import Access, Columns, Fids, Mask, Seek
from services.vector.formats.ogr_source import Origin, presented
from services.vector.formats.reader import UnreadableFile
from services.vector.model import Chunk, Kind, ReadOptions, Reason, SourceLayer

# A GeoPackage may have been written in WAL mode: it is opened without a log beside it.
_OPTIONS: Final = {"IMMUTABLE": "YES"}
_NAME: Final = "source.gpkg"
# OGC GeoPackage 1.3, table 5: GP, version, flags, srs_id, envelope.
_BLOB_MAGIC: Final = b"GP"
_ENVELOPE_BYTES: Final = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}
_EMPTY_FLAG: Final = 0x10
_SHOWN_BYTES: Final = 16
_NO_DATE: Final = "not a date"
# SQLite's types of what columns hold, and what a value of another type is not.
_STORED_AS: Final = {
    "integer": (("integer", "null"), "not an integer"),
    "real": (("real", "integer", "null"), "not a number"),
    "date": (("null",), _NO_DATE),
}
# Where a value may be of another type. These cost half as much as typeof(): SQLite orders
# numbers before texts, and texts before blobs (https://www.sqlite.org/datatype3.html, 4.1).
_ODD_WHERE: Final = {
    "not an integer": "({0} >= '' OR {0} <> CAST({0} AS INTEGER))",
    "not a number": "{0} >= ''",
    _NO_DATE: "({0} IS NOT NULL AND julianday({0}) IS NULL)",
}


def inspect(path: Path, options: ReadOptions) -> list[SourceLayer]:
    """The layers and attribute tables. One that cannot be read is a note on the others."""
    with presented(path, _NAME) as source:
        try:
            names = ogr_source.list_layers(source)
        except UnreadableFile as error:
            raise UnreadableFile(f"The GeoPackage is damaged: {error.message}") from error
        return ogr.inspect_layers(names, lambda name: _access(source, path, name), options)


def read(path: Path, layer: SourceLayer, chunk: Chunk, options: ReadOptions) -> Iterator[Batch]:
    """The records of a chunk."""
    del options
    with presented(path, _NAME) as source:
        yield from ogr.read_chunk(_access(source, path, layer.name), layer, chunk)


def _access(source: Path, path: Path, layer: str) -> Access:
    table = _Table(path, layer)
    return Access(
        Origin(source, layer, _OPTIONS),
        Kind.GEOPACKAGE,
        path.stat().st_size,
        seek=Seek.FID_INDEX,
        explain_missing=table.faults,
        unfit=table.unfit,
        last_fid=table.last_fid,
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """A table as SQLite has it, where any column can hold a value of any type."""

    path: Path
    name: str

    def faults(self, fids: Sequence[int]) -> Mapping[int, Fault]:
        """Those whose geometry is there and says that it is not empty, though OGR gave none."""
        with closing(_connect(self.path)) as connection:
            column = connection.execute(
                "SELECT column_name FROM gpkg_geometry_columns WHERE table_name = ?",
                (self.name,),
            ).fetchone()
            key = _key(connection, self.name)
            if column is None or key is None:
                return {}
            geometry = _quoted(column[0])
            found = connection.execute(
                f"SELECT {key}, substr({geometry}, 1, 8), length({geometry}) "
                f"FROM {_quoted(self.name)} WHERE {geometry} IS NOT NULL "
                f"AND {key} IN (SELECT value FROM json_each(?))",
                (json.dumps(list(fids)),),
            )
            return {
                fid: Fault(Reason.UNREADABLE_GEOMETRY, said)
                for fid, head, length in found
                if (said := _complaint(head, length)) is not None
            }

    def unfit(self, fids: Fids, values: Columns) -> Mapping[tuple[str, str], Mask]:
        """Texts in columns of numbers, which OGR takes for 0, fractions in columns of integers,
        which it cuts off, and dates that it cannot read."""
        expected = {
            name: _STORED_AS[type_]
            for name, array in values.items()
            if (type_ := _family(array.type)) in _STORED_AS
            # A date that OGR can read is one.
            and (type_ != "date" or array.null_count)
        }
        found: dict[tuple[str, str], Mask] = {}
        if not expected or not len(fids):
            return found
        odd = self._odd(expected, int(fids.min()), int(fids.max()))
        places = {int(fid): place for place, fid in enumerate(fids)} if odd else {}
        for fid, *types in odd:
            place = places.get(fid)
            if place is None:
                continue
            for (name, (usual, reason)), stored in zip(expected.items(), types, strict=True):
                if stored in usual or (reason == _NO_DATE and values[name][place].is_valid):
                    continue
                mask = found.setdefault((name, reason), np.zeros(len(fids), dtype=bool))
                mask[place] = True
        return found

    def _odd(
        self, expected: Mapping[str, tuple[tuple[str, ...], str]], first: int, last: int
    ) -> list[tuple[Any, ...]]:
        """The fids and stored types of rows with a value of another type than its column's."""
        types = [f"typeof({_quoted(name)})" for name in expected]
        condition = " OR ".join(
            _ODD_WHERE[reason].format(_quoted(name)) for name, (_, reason) in expected.items()
        )
        with closing(_connect(self.path)) as connection:
            key = _key(connection, self.name)
            if key is None:
                return []
            try:
                return connection.execute(
                    f"SELECT {key}, {', '.join(types)} FROM {_quoted(self.name)} "
                    f"WHERE {key} BETWEEN ? AND ? AND ({condition})",
                    (first, last),
                ).fetchall()
            except sqlite3.DatabaseError:
                return []  # a damaged page: OGR's own reading says what it cannot read

    def last_fid(self) -> int | None:
        """The highest fid, from the right edge of the table's tree."""
        try:
            with closing(_connect(self.path)) as connection:
                key = _key(connection, self.name)
                if key is None:
                    return None
                (last,) = connection.execute(
                    f"SELECT max({key}) FROM {_quoted(self.name)}"
                ).fetchone()
        except sqlite3.DatabaseError:
            return None
        return None if last is None else int(last)


def _family(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return "integer"
    if pa.types.is_floating(kind):
        return "real"
    return "date" if pa.types.is_temporal(kind) else ""


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
    """The integer primary key, which OGR takes as fid, quoted."""
    for _, name, kind, _, _, primary in connection.execute(f"PRAGMA table_info({_quoted(table)})"):
        if primary and kind.upper() == "INTEGER":
            return _quoted(str(name))
    return None


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
