"""File Geodatabases: a folder of tables, read by OGR's own driver, not by Esri's library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from services.vector.batch import Batch
from services.vector.formats import ogr, ogr_source
from services.vector.formats.ogr_access import Access
from services.vector.formats.ogr_source import Origin, presented
from services.vector.model import Chunk, Kind, ReadOptions, SourceLayer

_NAME: Final = "source.gdb"


def inspect(path: Path, options: ReadOptions) -> list[SourceLayer]:
    """The feature classes and tables. One that cannot be read is a note on the others."""
    with presented(path, _NAME) as source:
        names = ogr_source.list_layers(source)
        return ogr.inspect_layers(names, lambda name: _access(source, path, name), options)


def read(path: Path, layer: SourceLayer, chunk: Chunk, options: ReadOptions) -> Iterator[Batch]:
    """The records of a chunk."""
    del options
    with presented(path, _NAME) as source:
        yield from ogr.read_chunk(_access(source, path, layer.name), layer, chunk)


def _access(source: Path, path: Path, layer: str) -> Access:
    size = sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    return Access(Origin(source, layer), Kind.FILE_GEODATABASE, size)
