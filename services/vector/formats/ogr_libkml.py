"""KML by LIBKML, the last resort: it is the only one that knows some of Google's extensions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from services.vector.batch import Batch
from services.vector.formats import ogr, ogr_source
from services.vector.formats.ogr_kml import access
from services.vector.formats.ogr_source import presented
from services.vector.model import Chunk, ReadOptions, SourceLayer

_NAME: Final = "source.kml"


def inspect(path: Path, options: ReadOptions) -> list[SourceLayer]:
    """One layer a Folder, as the driver has it. Raises `UnreadableFile`."""
    with presented(path, _NAME) as source:
        names = ogr_source.list_layers(source)
        return ogr.inspect_layers(names, lambda name: access(source, path, name), options)


def read(path: Path, layer: SourceLayer, chunk: Chunk, options: ReadOptions) -> Iterator[Batch]:
    """The records of a layer."""
    del options
    with presented(path, _NAME) as source:
        yield from ogr.read_chunk(access(source, path, layer.name), layer, chunk)
