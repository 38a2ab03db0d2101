"""process_vector beside `ogr2ogr -makevalid`: the same file, from storage or disk to a table.

Ours is the whole path: submitted over HTTP, fetched from blob storage, inspected, cleaned,
staged, checked for duplicates, indexed, validated by PostGIS, published. ogr2ogr reads the
file from disk, repairs what is invalid and loads it by COPY, and builds the same index.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient
from psycopg import sql

from benchmarks.app import App, moment, stage_seconds
from benchmarks.errors import BenchmarkError
from benchmarks.memory import MemoryWatch
from benchmarks.programs import run
from benchmarks.stack import BenchStack
from local.stack.settings import STORAGE

OURS = "geoforge"

_CONTAINER = "bench-vectors"
_PEER_TABLE = "bench_peer"
_SECONDS = 3600.0
_STANDSTILL_SECONDS = 900.0


@dataclass(frozen=True)
class VectorRun:
    """One file, published once.

    Attributes:
        title: what the file is.
        contender: geoforge or ogr2ogr.
        rows: records in the file.
        file_bytes: its size.
        seconds: from the request that submits the job to its last commit; of ogr2ogr: its run
            and the index.
        stages: seconds of each stage of the job, by name.
        peak_bytes: the most memory that the host with its children held (ogr2ogr: its process).
        loaded: rows of the table.
        requests: how often the source was asked, where it is one that counts.
    """

    title: str
    contender: str
    rows: int
    file_bytes: int
    seconds: float
    stages: dict[str, float]
    peak_bytes: int
    loaded: int
    requests: int | None = None


class VectorLoads:
    """Loads of generated files on a running stack."""

    def __init__(self, stack: BenchStack) -> None:
        self._stack = stack
        self._app = App(stack)

    def close(self) -> None:
        """Close the connections."""
        self._app.close()

    def file(self, name: str, make: Callable[[Path], None]) -> Path:
        """A file of the benchmark, made at the first call and put into blob storage."""
        path = self._stack.scratch / "vector" / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            make(path)
            service = BlobServiceClient.from_connection_string(self._stack.environment[STORAGE])
            container = service.get_container_client(_CONTAINER)
            with suppress(ResourceExistsError):
                container.create_container()
            with path.open("rb") as data:
                container.upload_blob(path.name, data, overwrite=True)
        return path

    def ours(self, title: str, path: Path, rows: int) -> VectorRun:
        """Publish a file through process_vector.

        Raises:
            BenchmarkError: the job does not complete, or its counts do not add up.
        """
        self._stack.checkpoint()
        table = path.name.split(".")[0]
        with MemoryWatch(self._stack.processes()) as watched:
            began = time.time()
            job_id = self._app.submit(
                "process_vector",
                {"container_name": _CONTAINER, "blob_name": path.name, "table_name": table},
            )
            job = self._app.wait(job_id, standstill=_STANDSTILL_SECONDS)
        if job["status"] != "completed":
            raise BenchmarkError(f"{title}: the job ended as {job['status']}: {job['error']}")
        result = job["result"]
        if result["read"] != rows or result["loaded"] + result["quarantined"] != rows:
            raise BenchmarkError(f"{title}: {rows:,} records, and the job counts {result}")
        return VectorRun(
            title=title,
            contender=OURS,
            rows=rows,
            file_bytes=path.stat().st_size,
            seconds=moment(job["finished_at"]) - began,
            stages=stage_seconds(job),
            peak_bytes=watched.peak["host"],
            loaded=result["loaded"],
        )

    def peer(self, title: str, path: Path, rows: int) -> VectorRun:
        """Load a file by ogr2ogr, repaired and indexed.

        Raises:
            BenchmarkError: ogr2ogr is missing or fails.
        """
        self._stack.checkpoint()
        self._drop()
        command = [
            *("ogr2ogr", "-f", "PostgreSQL", f"PG:{self._stack.database_url}", str(path)),
            *("-nln", _PEER_TABLE, "-makevalid", "-nlt", "PROMOTE_TO_MULTI"),
            *("-lco", "GEOMETRY_NAME=geom", "-lco", "SPATIAL_INDEX=GIST"),
            *("--config", "PG_USE_COPY", "YES", "-gt", "unlimited"),
        ]
        began = time.time()
        _, peak_bytes = run(command, {}, _SECONDS)
        seconds = time.time() - began
        with psycopg.connect(self._stack.database_url) as connection:
            row = connection.execute(
                sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(_PEER_TABLE))
            ).fetchone()
        self._drop()
        return VectorRun(
            title=title,
            contender="ogr2ogr -makevalid",
            rows=rows,
            file_bytes=path.stat().st_size,
            seconds=seconds,
            stages={},
            peak_bytes=peak_bytes,
            loaded=int(row[0]) if row else 0,
        )

    def _drop(self) -> None:
        with psycopg.connect(self._stack.database_url) as connection:
            connection.execute(
                sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(_PEER_TABLE))
            )
