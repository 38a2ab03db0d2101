"""The reader of KML, plain or from a KMZ: one layer a file.

Google's own library refuses a whole file for one bad ring, and GDAL's drivers lose the Folders.
This reader cuts a file into its features (`scanner`), mends and parses each alone (`markup`,
`features`, `geometry`), and puts the columns together from all that was found (`columns`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from services.vector.batch import Batch
from services.vector.formats.kml.batches import batch_of, grouped
from services.vector.formats.kml.columns import KmlColumn
from services.vector.formats.kml.inspection import inspect
from services.vector.formats.kml.records import Position, RecordReader
from services.vector.formats.kml.source import find_encoding
from services.vector.model import Chunk, ReadOptions, SourceLayer

__all__ = ["inspect", "main_document_first", "read"]


def read(path: Path, layer: SourceLayer, chunk: Chunk, options: ReadOptions) -> Iterator[Batch]:
    """The records of a chunk, in batches of about 4 MB of the file."""
    reader = RecordReader(
        path,
        find_encoding(path, options.encoding),
        position=Position.from_part(chunk.part),
        root_geometry=layer.details.get("_root_geometry"),
        late_names=layer.details.get("_late_names"),
    )
    types = {column.name: column.type for column in layer.columns}
    sources = [KmlColumn.from_json(each) for each in layer.details["_columns"]]
    columns = [(source, types[source.name]) for source in sources if source.name in types]
    stop = int(chunk.part["stop"])
    records = takewhile(lambda record: stop < 0 or record.offset < stop, reader)
    row = chunk.first_row
    for group in grouped(records):
        yield batch_of(reader, group, row, columns)
        row += len(group)


def main_document_first(members: list[str]) -> list[str]:
    """The KML files of a KMZ: doc.kml first, then those nearest to the root, by name.

    The KMZ specification makes the first .kml at the root the main one; every writer calls it
    doc.kml.
    """
    return sorted(
        members,
        key=lambda member: (
            member.casefold() != "doc.kml",
            member.count("/"),
            member.casefold(),
        ),
    )
