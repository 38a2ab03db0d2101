"""In the child: unpack an archive, survey a folder, inspect one data set with one driver."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import shapely

from core.job_definition import JsonObject
from services.vector.batch import Batch
from services.vector.child.folders import FILES, PROBLEMS
from services.vector.formats import archives, detection, registry
from services.vector.formats.reader import Reader, UnreadableFile
from services.vector.geometry import ordinates, projection
from services.vector.inference.crs import infer_crs
from services.vector.inference.keys import key_candidates
from services.vector.model import Finding, Kind, Note, ReadOptions, SourceLayer

# How many records are looked at to decide whether heights are worth keeping.
_HEIGHT_SAMPLE = 20_000
_FEW_HEIGHTS = 0.05


def is_archive(path: str) -> bool:
    """Whether a file is an archive of some kind."""
    return archives.is_archive(Path(path))


def unpack(path: str, into: str) -> None:
    """Unpack an archive into `into`/files; what could not be unpacked is told beside it."""
    files = Path(into) / FILES
    files.mkdir()
    members = archives.unpack(Path(path), files)
    problems = [f"{each.name}: {each.problem}" for each in members if each.problem]
    (Path(into) / PROBLEMS).write_bytes(orjson.dumps(problems))


def survey(root: str) -> JsonObject:
    """The data sets in a folder, with the drivers to try on each, in their order.

    Returns {found: [{member, kind, drivers}], notes, refused: sentences}.
    """
    datasets = detection.datasets(Path(root))
    problems = Path(root).parent / PROBLEMS
    told = orjson.loads(problems.read_bytes()) if problems.is_file() else []
    return {
        "found": [
            {"member": member, "kind": kind.value, "drivers": registry.drivers(kind)}
            for member, kind in datasets.found
        ],
        "notes": [note.model_dump() for note in datasets.ignored],
        "refused": [*told, *(note.message for note in datasets.refused)],
    }


def inspect(
    root: str, member: str, kind: str, driver: str, options: JsonObject, source_crs: str | None
) -> list[JsonObject]:
    """The layers of a data set, with their CRS settled as far as it can be."""
    reader = registry.reader_for(Kind(kind), driver)
    wanted = ReadOptions.model_validate(options)
    path = Path(root) / member
    layers = reader.inspect(path, wanted)
    return [
        _settled(
            reader, path, layer.model_copy(update={"member": member}), wanted, source_crs
        ).model_dump(mode="json")
        for layer in layers
    ]


def _settled(
    reader: Reader, path: Path, layer: SourceLayer, options: ReadOptions, source_crs: str | None
) -> SourceLayer:
    """The layer with what all formats have in common: keys, CRS, heights."""
    sample = _first_batch(reader, path, layer, options)
    layer = layer.model_copy(update={"key_candidates": key_candidates(layer.columns, sample)})
    if not layer.spatial:
        return layer
    crs, notes = infer_crs(layer, override=source_crs)
    details = dict(layer.details)
    if sample is not None and _is_elsewhere(crs, sample):
        details["elsewhere"] = True
        crs, note = _doubted(crs)
        notes = [*notes, note]
    if layer.has_z:
        details["heights"] = _heights(reader, path, layer, options)
    return layer.model_copy(
        update={"crs": crs, "notes": [*layer.notes, *notes], "details": details}
    )


def _is_elsewhere(crs: Finding, sample: Batch) -> bool:
    """Whether most of the records are far from where their projected CRS is used.

    A few are outliers, and cleaning sets them aside; most of them say that the CRS is wrong,
    or that it is used where it was not made for.
    """
    limits = None if crs.value is None else projection.range_of(crs.value).limits
    placed = sample.geometry[~shapely.is_missing(sample.geometry)]
    if limits is None or not len(placed):
        return False
    return len(ordinates.outside(placed, limits)) > len(placed) / 2


def _doubted(crs: Finding) -> tuple[Finding, Note]:
    sentence = (
        f"The coordinates are far from where {crs.value} is used: if the table appears in the "
        "wrong place, name the right CRS with source_crs."
    )
    doubted = crs.model_copy(
        update={
            "confidence": crs.confidence if crs.source == "parameter" else crs.confidence * 0.3,
            "evidence": [*crs.evidence, sentence],
        }
    )
    return doubted, Note(code="far_from_area_of_use", message=sentence)


def _first_batch(
    reader: Reader, path: Path, layer: SourceLayer, options: ReadOptions
) -> Batch | None:
    for chunk in layer.chunks[:1]:
        try:
            return next(iter(reader.read(path, layer, chunk, options)), None)
        except UnreadableFile:  # the task that cleans the chunk will say so
            return None
    return None


def _heights(
    reader: Reader, path: Path, layer: SourceLayer, options: ReadOptions
) -> dict[str, Any]:
    """Whether Z says anything: how many of the records looked at have a height, and not only
    zeros. Chunks are taken from over the whole layer."""
    step = max(1, len(layer.chunks) // 3)
    seen = with_height = 0
    for chunk in layer.chunks[::step]:
        try:
            for batch in reader.read(path, layer, chunk, options):
                geometry = batch.geometry[shapely.has_z(batch.geometry)]
                seen += len(batch)
                points, owners = shapely.get_coordinates(
                    geometry, include_z=True, return_index=True
                )
                high = np.isfinite(points[:, 2]) & (points[:, 2] != 0)
                with_height += len(np.unique(owners[high]))
                if seen >= _HEIGHT_SAMPLE:
                    break
        except UnreadableFile:
            break
        if seen >= _HEIGHT_SAMPLE:
            break
    return {
        "records": seen,
        "with_height": with_height,
        "worth_keeping": seen > 0 and with_height / seen > _FEW_HEIGHTS,
    }
