"""Runs process_raster_collection in this process, on servers of the tests' own."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from affine import Affine

from infrastructure import blob_storage, stac_repository
from jobs.process_raster_collection import JOB
from tests.support import rasters
from tests.support.run_job import JobRun

SOURCE, TARGET = "bronze-rasters", "silver-rasters"
_RUNS = itertools.count()
# So that the rasters of a collection lie beside each other, as tiles do.
_TILE_METRES = 30 * 256


def put(path: str, data: bytes) -> str:
    """Write a blob; its path."""
    blob_storage.ensure_container(SOURCE)
    blob_storage.write_bytes(SOURCE, path, data)
    return path


def put_raster(
    path: str, pixels: rasters.Pixels, folder: Path, *, place: int = 0, **more: Any
) -> str:
    """Write a GeoTIFF as a blob, `place` tiles east of the first; its path."""
    west = rasters.UTM.c + place * _TILE_METRES
    transform = Affine(30, 0, west, 0, -30, rasters.UTM.f)
    local = folder / f"{next(_RUNS)}.tif"
    rasters.write(local, pixels, transform=transform, **more)
    return put(path, local.read_bytes())


def job(**parameters: Any) -> JobRun:
    """A job that was not run before."""
    return JobRun(JOB, next(_RUNS), **{"container_name": SOURCE, **parameters})


def result_of(run: JobRun) -> dict[str, Any]:
    """Run a job to its end; its result, whose counts add up."""
    result = run.run()
    assert result is not None
    assert result["read"] == result["published"] + result["refused"]
    return result


def report(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the report says of each file, by its path."""
    lines = blob_storage.read_bytes(result["report"]["container"], result["report"]["path"])
    records = [json.loads(line) for line in lines.splitlines()]
    assert len({each["path"] for each in records}) == len(records) == result["read"]
    return {each["path"]: each for each in records}


def items(collection_id: str) -> dict[str, dict[str, Any]]:
    """The collection's Items as the catalog has them, by id."""
    with stac_repository.snapshot() as catalog:
        page = catalog.search({"collections": [collection_id], "limit": 1000})
    return {each["id"]: each for each in page["features"]}


def collection(collection_id: str) -> dict[str, Any]:
    """The Collection as the catalog has it."""
    with stac_repository.snapshot() as catalog:
        found = catalog.collection(collection_id)
    assert found is not None
    return found


def blob_of(href: str) -> bytes:
    """What an asset's address leads to."""
    base = blob_storage.container_client(TARGET).url
    return blob_storage.read_bytes(TARGET, href.removeprefix(f"{base}/"))
