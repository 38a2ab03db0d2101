"""GML: layers by the types of features, read from the beginning in one piece each.

The driver parses the whole document to find the layers and their fields, and again for every
reading, so that cutting a layer into chunks would only multiply the parsing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from services.vector.batch import Batch
from services.vector.formats import ogr, ogr_source
from services.vector.formats.ogr import Access
from services.vector.formats.ogr_source import Origin, presented
from services.vector.model import Chunk, Kind, ReadOptions, SourceLayer

_NAME: Final = "source.gml"


def inspect(path: Path, options: ReadOptions) -> list[SourceLayer]:
    """The layers. One that cannot be read is a note on the others."""
    with presented(path, _NAME) as source:
        names = ogr_source.list_layers(source)
        return ogr.inspect_layers(names, lambda name: _access(source, path, name), options)


def read(path: Path, layer: SourceLayer, chunk: Chunk, options: ReadOptions) -> Iterator[Batch]:
    """The records of a chunk."""
    del options
    with presented(path, _NAME) as source:
        yield from ogr.read_chunk(_access(source, path, layer.name), layer, chunk)


def _access(source: Path, path: Path, layer: str) -> Access:
    return Access(Origin(source, layer), Kind.GML, path.stat().st_size, one_chunk=True)
