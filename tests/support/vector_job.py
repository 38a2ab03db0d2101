"""Runs process_vector in this process, on servers of the tests' own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from infrastructure import blob_storage, database
from infrastructure.database import Row
from jobs.process_vector import JOB
from tests.support.run_job import JobRun

CONTAINER = "bronze-vectors"
_RUNS = itertools.count()


def put(name: str, data: bytes | str | Mapping[str, Any]) -> str:
    """Write a blob (a mapping as JSON); its name."""
    if isinstance(data, Mapping):
        data = json.dumps(data)
    blob_storage.ensure_container(CONTAINER)
    blob_storage.write_bytes(CONTAINER, name, data.encode() if isinstance(data, str) else data)
    return name


def job(blob: str, **parameters: Any) -> JobRun:
    """A job that was not run before."""
    return JobRun(
        JOB, next(_RUNS), **{"container_name": CONTAINER, "blob_name": blob, **parameters}
    )


def publish(blob: str, **parameters: Any) -> dict[str, Any]:
    """Run a job to its end; its result, whose counts add up."""
    result = job(blob, **parameters).run()
    assert result is not None
    assert result["read"] == result["loaded"] + result["quarantined"]
    return result


def collection(*features: Mapping[str, Any]) -> dict[str, Any]:
    """A GeoJSON FeatureCollection."""
    return {"type": "FeatureCollection", "features": list(features)}


def feature(geometry_type: str, coordinates: Any, **properties: Any) -> dict[str, Any]:
    """A GeoJSON feature."""
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": geometry_type, "coordinates": coordinates},
    }


def square(x: float, y: float, size: float = 1.0) -> Sequence[Any]:
    """A polygon's coordinates: a square by its lower left corner."""
    ring = [[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]]
    return [ring]


def rows(query: str, *values: Any) -> list[Row]:
    """The rows of a query on the app's database."""
    with database.transaction() as connection:
        return connection.execute(query, values).fetchall()  # type: ignore[arg-type]
