"""In the child: find out what a raster is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from rasterio import DatasetReader
from rasterio.errors import RasterioError

from core.job_definition import JsonObject
from services.raster import inference, sampling
from services.raster.child.facts import read_facts
from services.raster.child.opening import open_ranges, open_raster
from services.raster.child.refusals import UnreadableRaster, is_out_of_memory, words_of
from services.raster.model import Caveat, Facts, Survey
from services.raster.sampling import Sample


def survey(path: str, name: str, options: dict[str, Any]) -> JsonObject:
    """The `Survey` of a local raster. `name` is the one its owner knows it by.

    `options` are {raster_type, nodata, source_crs}: a kind in place of what is inferred ("auto"
    for none), and, or None, the value of pixels without data where the file declares none, and
    the CRS in place of the file's.
    Raises `UnreadableRaster`.
    """
    with open_raster(path) as dataset:
        return _survey(dataset, Path(path).stat().st_size, name, options)


def survey_ranges(raster: BinaryIO, size: int, name: str, options: dict[str, Any]) -> JsonObject:
    """The `Survey` of a raster that the parent reads in ranges; as `survey`."""
    file_name = name.rsplit("/", 1)[-1] or "raster"
    with open_ranges(raster, file_name, size) as dataset:
        return _survey(dataset, size, name, options)


def _survey(
    dataset: DatasetReader, file_bytes: int, name: str, options: dict[str, Any]
) -> JsonObject:
    try:
        facts = read_facts(dataset, file_bytes)
        sample = sampling.take(dataset)
    except RasterioError as error:
        if is_out_of_memory(error):
            raise MemoryError from error
        raise UnreadableRaster(
            "The header can be read, the pixels cannot: the file is damaged or cut off. "
            f"{words_of(error, Path(dataset.name))}",
            code="damaged_pixels",
        ) from error
    if options["nodata"] is not None:
        sample = _without(sample, float(options["nodata"]))
    inferred = inference.infer(_as_told(facts, options["source_crs"]), sample, name)
    if options["raster_type"] != "auto":
        inferred = inference.overridden(inferred, options["raster_type"])
    inferred = inferred.model_copy(
        update={"warnings": (*inferred.warnings, *_more_images(dataset))}
    )
    return Survey(
        facts=facts, inference=inferred, statistics=sampling.statistics(sample)
    ).model_dump(mode="json")


def _more_images(dataset: DatasetReader) -> tuple[Caveat, ...]:
    """That a file has more images than the one that is read, if it has."""
    count = len(dataset.subdatasets)
    if count < 2:
        return ()
    return (
        Caveat(
            code="more_images",
            message=f"There are {count:,} images in the file: the first is taken. Send each of "
            "the others by itself.",
        ),
    )


def _as_told(facts: Facts, source_crs: str | None) -> Facts:
    """The facts with the CRS that the user names: a file without one is then not wanting."""
    return facts if source_crs is None else facts.model_copy(update={"crs": source_crs})


def _without(sample: Sample, nodata: float) -> Sample:
    """The sample with the pixels of this value as those without data. (Those that are NaN are
    none in any sample.)"""
    bands = tuple(
        replace(
            band,
            valid=tuple(
                valid & (window != nodata)
                for window, valid in zip(band.windows, band.valid, strict=True)
            ),
        )
        for band in sample.bands
    )
    return replace(sample, bands=bands)
