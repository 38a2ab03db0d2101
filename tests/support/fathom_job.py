"""Runs the jobs of FATHOM's maps in this process, on tiles made up for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from core.errors import GeoforgeError
from core.job_definition import JobDefinition
from infrastructure import blob_storage, stac_repository
from infrastructure.stac_repository import JsonObject
from jobs.process_fathom_merge import JOB as MERGE
from jobs.process_fathom_stack import JOB as STACK
from local.demo import fathom_tiles
from local.demo.fathom_tiles import Flaws
from services.fathom.names import FathomMap
from services.fathom.tiles import Tile
from tests.support.run_job import JobRun, TaskFailed

CONTAINER = "bronze-fathom"
TARGET = "silver-fathom"
FLUVIAL = FathomMap(flood_type="fluvial", defence="defended", year=2020)
LATER = FathomMap(flood_type="fluvial", defence="defended", year=2050, ssp="ssp2_4.5")
PIXELS = 40

_NO_FLAWS = Flaws()
_RUNS = itertools.count()


def put(
    prefix: str,
    *tiles: str,
    maps: Iterable[FathomMap] = (FLUVIAL,),
    flaws: Flaws = _NO_FLAWS,
    pixels: int = PIXELS,
    seed: int = 1,
) -> dict[str, bytes]:
    """Write a delivery's files below a prefix; their contents by their paths."""
    made = fathom_tiles.files(
        maps, map(Tile.of, tiles), pixels=pixels, form="flat", flaws=flaws, seed=seed
    )
    written = {f"{prefix}/{path}": content for path, content in made}
    blob_storage.ensure_container(CONTAINER)
    for path, content in written.items():
        blob_storage.write_bytes(CONTAINER, path, content)
    return written


def put_one(path: str, pixels: NDArray[Any], tile: str, **profile: Any) -> None:
    """Write one tile; `profile` is what rasterio takes, in place of what is as usual."""
    rows, columns = pixels.shape
    west, _, _, north = Tile.of(tile).bounds
    usual = {
        "crs": "EPSG:4326",
        "nodata": fathom_tiles.NODATA,
        "dtype": "int16",
        "transform": Affine(1 / columns, 0, west, 0, -1 / rows, north),
    }
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", count=1, height=rows, width=columns, **{**usual, **profile}
        ) as raster:
            raster.write(pixels, 1)
        blob_storage.ensure_container(CONTAINER)
        blob_storage.write_bytes(CONTAINER, path, bytes(memory.read()))


def transform_of(tile: str, pixels: int) -> Affine:
    """Where the tiles of `put` lie: to the north-west of their names' corners."""
    west, _, _, north = Tile.of(tile).bounds
    offset = fathom_tiles.OFFSET
    return Affine(1 / pixels, 0, west - offset, 0, -1 / pixels, north + offset)


def path_of(prefix: str, years: int, tile: str, of: FathomMap = FLUVIAL) -> str:
    """The path of a file that `put` writes."""
    return f"{prefix}/{fathom_tiles.path_of(of, years, Tile.of(tile), 'flat')}"


def stack_job(prefix: str, **parameters: Any) -> JobRun:
    """A job over a prefix that was not run before; its collection is named after the prefix."""
    return _job(
        STACK,
        container_name=CONTAINER,
        prefix=f"{prefix}/",
        **{"collection_id": f"{prefix}-stacks", **parameters},
    )


def merge_job(prefix: str, **parameters: Any) -> JobRun:
    """A job that merges the stacks of `stack_job`."""
    named = {"source_collection_id": f"{prefix}-stacks", "collection_id": f"{prefix}-merged"}
    return _job(MERGE, **{**named, **parameters})


def stack(prefix: str, **parameters: Any) -> JsonObject:
    """Run `stack_job` to its end; its result."""
    return run(stack_job(prefix, **parameters))


def merge(prefix: str, **parameters: Any) -> JsonObject:
    """Run `merge_job` to its end; its result."""
    return run(merge_job(prefix, **parameters))


def run(job: JobRun) -> JsonObject:
    """Run a job to its end; its result."""
    result = job.run()
    assert result is not None
    return result


def refusal(job: JobRun) -> GeoforgeError:
    """What a job fails with."""
    with pytest.raises(TaskFailed) as failed:
        job.run()
    cause = failed.value.__cause__
    assert isinstance(cause, GeoforgeError), cause
    return cause


def item(collection_id: str, item_id: str) -> JsonObject:
    """An Item of the catalog."""
    with stac_repository.snapshot() as catalog:
        found = catalog.item(collection_id, item_id)
    assert found is not None, item_id
    return found


def published(collection_id: str, item_id: str, folder: Path) -> Path:
    """The COG of an Item, as a file."""
    href = item(collection_id, item_id)["assets"]["data"]["href"]
    container, path = href.split("/", 4)[-1].split("/", 1)
    file = folder / f"{item_id}.tif"
    file.write_bytes(blob_storage.read_bytes(container, path))
    return file


def pixels_of(contents: Mapping[str, bytes], path: str) -> NDArray[np.int16]:
    """The pixels of a file that `put` has written."""
    with MemoryFile(contents[path]) as memory, memory.open() as raster:
        pixels: NDArray[np.int16] = raster.read(1)
    return pixels


def bands_of(file: Path) -> dict[str, NDArray[np.int16]]:
    """The bands of a COG by their names."""
    with rasterio.open(file) as raster:
        return dict(zip(raster.descriptions, raster.read(), strict=True))


def _job(definition: JobDefinition[Any], **parameters: Any) -> JobRun:
    return JobRun(definition, next(_RUNS), **parameters)
