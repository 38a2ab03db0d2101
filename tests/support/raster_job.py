"""Runs process_raster in this process, on servers of the tests' own."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from core.errors import GeoforgeError
from infrastructure import blob_storage, stac_repository
from infrastructure.stac_repository import JsonObject
from jobs.process_raster import JOB
from tests.support.run_job import JobRun, TaskFailed

CONTAINER = "bronze-rasters"
_RUNS = itertools.count()


def put(name: str, file: Path) -> str:
    """Write a file as a blob; its name."""
    blob_storage.ensure_container(CONTAINER)
    blob_storage.write_bytes(CONTAINER, name, file.read_bytes())
    return name


def job(blob: str, **parameters: Any) -> JobRun:
    """A job that was not run before."""
    return JobRun(
        JOB, next(_RUNS), **{"container_name": CONTAINER, "blob_name": blob, **parameters}
    )


def publish(blob: str, **parameters: Any) -> JsonObject:
    """Run a job to its end; its result."""
    result = job(blob, **parameters).run()
    assert result is not None
    return result


def refusal(blob: str, **parameters: Any) -> GeoforgeError:
    """What a job fails with."""
    with pytest.raises(TaskFailed) as failed:
        job(blob, **parameters).run()
    cause = failed.value.__cause__
    assert isinstance(cause, GeoforgeError), cause
    return cause


def item_of(result: JsonObject) -> JsonObject:
    """The Item that the catalog holds of a job's result."""
    with stac_repository.snapshot() as catalog:
        item = catalog.item(result["collection_id"], result["item_id"])
    assert item is not None
    return item


def cog_of(result: JsonObject, folder: Path) -> Path:
    """The published COG, as a file."""
    file = folder / "published.tif"
    cog = result["cog"]
    file.write_bytes(blob_storage.read_bytes(cog["container"], cog["path"]))
    return file
