"""GML: layers by the types of features, read from the beginning in one piece each.

The driver parses the whole document to find the layers and their fields, and again for every
reading, so that cutting a layer into chunks would only multiply the parsing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from services.vector.batch import Batch, Fault
from services.vector.formats import gml_survey, ogr, ogr_source
from services.vector.formats.gml_survey import Survey
from services.vector.formats.ogr_access import Access
from services.vector.formats.ogr_source import Origin, presented
from services.vector.formats.reader import UnreadableFile
from services.vector.formats.records import lost_batch
from services.vector.model import Chunk, Kind, Note, ReadOptions, Reason, SourceLayer

_NAME: Final = "source.gml"
# With a leading underscore: for reading, not for reports.
_BROKEN: Final = "_broken"
_WITHOUT: Final = "_without_geometry"
_CUT: Final = "_cut"
_MOST_NOTED: Final = 100_000


def inspect(path: Path, options: ReadOptions) -> list[SourceLayer]:
    """The layers. One that cannot be read is a note on the others."""
    found = gml_survey.survey(path)
    if found.failure is not None and not found.features:
        raise UnreadableFile(f"The GML is not well-formed, from its beginning: {found.failure}.")
    with _sound(path, found) as source:
        names = ogr_source.list_layers(source)
        layers = ogr.inspect_layers(names, lambda name: _access(source, path, name), options)
    for layer in layers:
        layer.details |= _details(layer, found)
    if found.failure is not None and layers:
        _note_cut(layers[0], found)
    return layers


def read(path: Path, layer: SourceLayer, chunk: Chunk, options: ReadOptions) -> Iterator[Batch]:
    """The records of a chunk."""
    del options
    if "lost" in chunk.part:
        yield lost_batch(layer.columns, chunk.first_row, 1, str(chunk.part["lost"]))
        return
    cut = layer.details.get(_CUT)
    found = None if cut is None else Survey(failure="", sound_bytes=cut[0], closing=cut[1])
    with _sound(path, found) as source:
        for batch in ogr.read_chunk(_access(source, path, layer.name), layer, chunk):
            _judge(batch, layer)
            yield batch


@contextmanager
def _sound(path: Path, found: Survey | None) -> Generator[Path]:
    """The document, or what is whole of one that is cut short."""
    if found is None or found.failure is None:
        with presented(path, _NAME) as source:
            yield source
        return
    with tempfile.TemporaryDirectory(prefix="gml-") as folder:
        source = Path(folder) / _NAME
        gml_survey.write_sound(path, found, source)
        yield source


def _details(layer: SourceLayer, found: Survey) -> dict[str, Any]:
    """What the survey knows of a layer's records, if it counted as many as there are."""
    details: dict[str, Any] = {}
    if found.failure is not None:
        details[_CUT] = [found.sound_bytes, found.closing]
    if found.features[layer.name] != layer.features:
        return details
    broken = found.broken.get(layer.name, {})
    without = found.without.get(layer.name, set())
    details[_BROKEN] = {str(row): text for row, text in list(broken.items())[:_MOST_NOTED]}
    if len(without) <= _MOST_NOTED:
        details[_WITHOUT] = sorted(without)
    return details


def _note_cut(layer: SourceLayer, found: Survey) -> None:
    total = found.features.total()
    detail = f"{total:,} features could be read; what follows is not well-formed: {found.failure}"
    layer.notes.append(Note(code="cut_short", message=detail))
    row = (layer.chunks[-1].first_row + (layer.chunks[-1].rows or 0)) if layer.chunks else 0
    layer.chunks.append(Chunk(first_row=row, rows=1, part={"lost": detail}))


def _judge(batch: Batch, layer: SourceLayer) -> None:
    """Faults of which OGR says nothing."""
    broken = layer.details.get(_BROKEN, {})
    without = set(layer.details[_WITHOUT]) if _WITHOUT in layer.details else None
    for position, row in enumerate(batch.rows.tolist()):
        if position in batch.faults:
            continue
        wrong = broken.get(str(row))
        if wrong is not None:
            batch.geometry[position] = None
            batch.faults[position] = Fault(
                Reason.BAD_COORDINATE, f"{wrong!r} stands where a number is meant to be"
            )
        elif batch.geometry[position] is None and without is not None and row not in without:
            batch.faults[position] = Fault(
                Reason.UNREADABLE_GEOMETRY, "OGR cannot make a geometry of the coordinates"
            )


def _access(source: Path, path: Path, layer: str) -> Access:
    return Access(Origin(source, layer), Kind.GML, path.stat().st_size, one_chunk=True)
