"""KML by GDAL's own small driver, where geoforge's reader finds nothing in a file.

It reads more of the files in the wild than LIBKML does, and has not crashed on any. GDAL asks
LIBKML first, which claims what ends in .kml or begins with `<kml` and a blank or `>`: so this
driver is given a copy with another ending and a line break behind that name.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from services.vector.batch import Batch
from services.vector.formats import ogr, ogr_source
from services.vector.formats.ogr_access import Access
from services.vector.formats.ogr_source import Origin
from services.vector.formats.reader import UnreadableFile
from services.vector.model import Chunk, Kind, ReadOptions, SourceLayer

_DRIVER: Final = "KML"
_NAME: Final = "source.xml"
_ROOT: Final = b"<kml"
_HEAD_BYTES: Final = 64 << 10


def inspect(path: Path, options: ReadOptions) -> list[SourceLayer]:
    """One layer a Folder, as the driver has it. Raises `UnreadableFile`."""
    with _disguised(path) as source:
        names = ogr_source.list_layers(source)
        layers = ogr.inspect_layers(names, lambda name: access(source, path, name), options)
    if any(layer.driver != _DRIVER for layer in layers):
        raise UnreadableFile(f"{path.name}: GDAL's KML driver does not take it for KML.")
    return layers


def read(path: Path, layer: SourceLayer, chunk: Chunk, options: ReadOptions) -> Iterator[Batch]:
    """The records of a layer."""
    del options
    with _disguised(path) as source:
        yield from ogr.read_chunk(access(source, path, layer.name), layer, chunk)


def access(source: Path, path: Path, layer: str) -> Access:
    """How a layer of a KML is read: in one piece, since the driver parses it from the start."""
    return Access(Origin(source, layer), Kind.KML, path.stat().st_size, one_chunk=True)


@contextmanager
def _disguised(path: Path) -> Generator[Path]:
    with tempfile.TemporaryDirectory(prefix="kml-") as folder:
        copy = Path(folder) / _NAME
        with path.open("rb") as original, copy.open("wb") as target:
            head = original.read(_HEAD_BYTES)
            before, root, after = head.partition(_ROOT)
            target.write(before + root + (b"\n" if root else b"") + after)
            shutil.copyfileobj(original, target)
        yield copy
