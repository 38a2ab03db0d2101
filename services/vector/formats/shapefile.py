"""Shapefiles: records are found by their place, texts decoded here and not by OGR.

OGR hands texts through byte by byte (as Latin-1), so that the encoding can be judged by the
bytes, and a wrong statement of it loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from services.vector.batch import Batch, Fault
from services.vector.formats import dbase, dbase_encoding, ogr, shapefile_parts
from services.vector.formats.ogr_access import Access, Columns, Fids, Seek
from services.vector.formats.ogr_columns import unique_names
from services.vector.formats.ogr_source import Origin
from services.vector.formats.shapefile_parts import Parts, Records
from services.vector.inference import file_crs
from services.vector.model import Chunk, Finding, Kind, Note, ReadOptions, SourceLayer

_OPTIONS: Final = {"ENCODING": dbase_encoding.TRANSPORT}


def inspect(path: Path, options: ReadOptions) -> list[SourceLayer]:
    """The one layer, named as the file is. Raises `UnreadableFile`."""
    parts = Parts.beside(path)
    with shapefile_parts.assembled(parts) as shp:
        attributes = _Attributes.of(parts, options.encoding)
        layer = ogr.inspect_layer(
            _access(shp, parts, attributes),
            options,
            name=path.stem,
            names=attributes.names if attributes else None,
            encoding=attributes.encoding if attributes else None,
            crs=_crs(parts),
        )
        layer.notes += _notes(parts, attributes)
    return [layer]


def read(path: Path, layer: SourceLayer, chunk: Chunk, options: ReadOptions) -> Iterator[Batch]:
    """The records of a chunk."""
    parts = Parts.beside(path)
    codec = None if layer.encoding is None else str(layer.encoding.value)
    with shapefile_parts.assembled(parts) as shp:
        attributes = _Attributes.of(parts, codec or options.encoding)
        yield from ogr.read_chunk(_access(shp, parts, attributes), layer, chunk)


@dataclass(frozen=True, slots=True)
class _Attributes:
    """The .dbf with the encoding of its texts."""

    table: dbase.Table
    encoding: Finding

    @classmethod
    def of(cls, parts: Parts, encoding: str | None) -> _Attributes | None:
        """None where there is no .dbf, or one without sense."""
        path = parts.files.get(".dbf")
        if path is None:
            return None
        try:
            table = dbase.Table(path)
        except ValueError:
            return None
        return cls(table, dbase_encoding.encoding_of(table, parts.text(".cpg"), encoding))

    @property
    def names(self) -> list[str]:
        """The names of the columns, each once."""
        codec = str(self.encoding.value)
        return unique_names(
            [dbase_encoding.decode(field.name, codec).strip() for field in self.table.fields]
        )

    def text(self, array: pa.Array[Any]) -> pa.Array[Any]:
        """Texts as they were meant, from bytes that came as Latin-1."""
        if pc.all(pc.string_is_ascii(array)).as_py() in (True, None):
            return array
        codec = str(self.encoding.value)
        return pa.array(
            [
                text if text is None or text.isascii() else _decoded(text, codec)
                for text in array.to_pylist()
            ],
            pa.string(),
        )

    def unfit(self, fids: Fids, _values: Columns) -> Mapping[tuple[str, str], dbase.Mask]:
        """Values that OGR makes 0 or something else of, though they are none."""
        found = {}
        for name, field in zip(self.names, self.table.fields, strict=True):
            for reason, mask in self.table.unfit(field, fids).items():
                if mask.any():
                    found[name, reason] = mask
        return found


def _decoded(text: str, codec: str) -> str:
    return dbase_encoding.decode(text.encode("latin-1", "replace"), codec)


def _access(shp: Path, parts: Parts, attributes: _Attributes | None) -> Access:
    records = Records(shp)

    def explain(fids: Sequence[int]) -> Mapping[int, Fault]:
        faults = ((fid, records.fault(fid)) for fid in fids)
        return {fid: fault for fid, fault in faults if fault is not None}

    size = sum(parts.files[suffix].stat().st_size for suffix in (".shp", ".dbf")
               if suffix in parts.files)  # fmt: skip
    access = Access(
        Origin(shp, None, _OPTIONS),
        Kind.SHAPEFILE,
        size,
        seek=Seek.FID_PLACE,
        explain_missing=explain,
    )
    if attributes is None:
        return access
    return replace(access, text=attributes.text, unfit=attributes.unfit)


def _crs(parts: Parts) -> Finding:
    """What the .prj says, or QGIS's .qpj."""
    for suffix in (".prj", ".qpj"):
        text = parts.text(suffix)
        if text is None:
            continue
        return file_crs.stated_crs(text, source="sidecar", where=f"The {suffix}")
    return Finding(
        value=None, confidence=0.0, source="sidecar", evidence=["There is no .prj beside the .shp."]
    )


def _notes(parts: Parts, attributes: _Attributes | None) -> list[Note]:
    notes = []
    if not shapefile_parts.has_index(parts):
        notes.append(
            Note(
                code="index_rebuilt",
                message="The .shx is missing or broken; its contents were found from the .shp.",
            )
        )
    if ".dbf" not in parts.files:
        notes.append(Note(code="attributes_missing", message="There is no .dbf: no attributes."))
    elif attributes is None:
        notes.append(Note(code="attributes_missing", message="The .dbf cannot be read."))
    else:
        notes += _record_notes(attributes.table, shapefile_parts.shapes(parts))
    return notes


def _record_notes(table: dbase.Table, shapes: int) -> list[Note]:
    notes = []
    if table.deleted:
        notes.append(
            Note(
                code="deleted_records",
                message="Records that are marked as deleted in the .dbf are left out.",
                count=table.deleted,
            )
        )
    if len(table) != shapes:
        notes.append(
            Note(
                code="records_differ",
                message=f"The .shp has {shapes:,} shapes and the .dbf {len(table):,} records.",
            )
        )
    return notes
