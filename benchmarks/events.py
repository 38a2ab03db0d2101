"""curated_update on made-up events of ACLED's number, read page by page, beside ogr2ogr's load.

Ours is the whole path: the API is asked for each slice of days, its pages are stored, inspected,
cleaned, staged, indexed, validated, held against the published events, published. Then some
thousand events change, and the next update brings those. ogr2ogr reads the events as CSV from its
disk, where they are already, and loads them with the same spatial index.
"""

from __future__ import annotations

import shutil
import time
from datetime import timedelta
from pathlib import Path

import psycopg
from azure.storage.blob import BlobServiceClient
from psycopg import sql

from benchmarks.app import App, moment, stage_seconds
from benchmarks.errors import BenchmarkError
from benchmarks.memory import MemoryWatch
from benchmarks.programs import run
from benchmarks.stack import BenchStack
from benchmarks.vector import OURS, VectorRun
from local.stack.settings import STORAGE
from local.standins.acled.server import Acled

PEER = "ogr2ogr, load only"
# The rate that is kept to is the source's to name: this one does not hold anybody up.
SETTINGS = {"ACLED_REQUESTS_PER_MINUTE": "60000"}

_DATASET = "acled"
_TABLE = "geo.curated_acled_events"
_CONTAINER = "geoforge-curated"
_PEER_TABLE = "bench_peer"
_SECONDS = 3600.0
# As far as updates lie apart that come twice a week.
_DAYS_APART = timedelta(days=3)


class EventUpdates:
    """Updates of the events on a running stack whose ACLED is a stand-in."""

    def __init__(self, stack: BenchStack, acled: Acled) -> None:
        self._stack = stack
        self._acled = acled
        self._app = App(stack)
        self._days = 0

    def close(self) -> None:
        """Close the connections."""
        self._app.close()

    def everything(self) -> VectorRun:
        """Read and publish all events.

        Raises:
            BenchmarkError: the job does not complete, or the table is not as the source.
        """
        return self._update("all events", len(self._acled.events))

    def changes(self, count: int) -> VectorRun:
        """Let so many events change, and publish that. A tenth are new, a tenth are deleted.

        Raises:
            BenchmarkError: the job does not complete, or the table is not as the source.
        """
        tenth = count // 10
        self._days += 1
        self._acled.clock.advance(_DAYS_APART)
        self._acled.events.churn(
            inserts=tenth, edits=count - 2 * tenth, deletes=tenth, seed=self._days
        )
        return self._update(f"{count:,} changes", count)

    def peer(self) -> VectorRun:
        """Load what was fetched by ogr2ogr.

        Raises:
            BenchmarkError: nothing was fetched, or ogr2ogr is missing or fails.
        """
        folder = self._stack.scratch / "events"
        file = self._fetched(folder)
        self._drop()
        command = [
            *("ogr2ogr", "-f", "PostgreSQL", f"PG:{self._stack.database_url}", str(file)),
            *("-nln", _PEER_TABLE, "-oo", "X_POSSIBLE_NAMES=longitude"),
            *("-oo", "Y_POSSIBLE_NAMES=latitude", "-a_srs", "EPSG:4326"),
            *("-lco", "GEOMETRY_NAME=geom", "-lco", "SPATIAL_INDEX=GIST"),
            *("--config", "PG_USE_COPY", "YES", "-gt", "unlimited"),
        ]
        self._stack.checkpoint()
        began = time.time()
        _, peak = run(command, {}, _SECONDS)
        seconds = time.time() - began
        loaded = self._count(_PEER_TABLE)
        size = file.stat().st_size
        self._drop()
        shutil.rmtree(folder)
        return VectorRun(
            title="all events",
            contender=PEER,
            rows=loaded,
            file_bytes=size,
            seconds=seconds,
            stages={},
            peak_bytes=peak,
            loaded=loaded,
        )

    def _update(self, title: str, rows: int) -> VectorRun:
        self._acled.forget_requests()
        self._stack.checkpoint()
        with MemoryWatch(self._stack.processes()) as watched:
            began = time.time()
            answer = self._app.call("POST", f"/api/curated/datasets/{_DATASET}/update", json={})
            job = self._app.wait(answer["job_id"], standstill=_SECONDS)
        if job["status"] != "completed":
            raise BenchmarkError(f"{title}: {job['status']}: {job['error']}")
        self._compare(title)
        result = job["result"]
        [entry] = self._app.call("GET", f"/api/curated/datasets/{_DATASET}/history?limit=1")[
            "history"
        ]
        return VectorRun(
            title=title,
            contender=OURS,
            rows=rows,
            file_bytes=entry["source_bytes"],
            seconds=moment(job["finished_at"]) - began,
            stages=stage_seconds(job),
            peak_bytes=watched.peak["host"],
            loaded=result["loaded"],
            requests=len(self._acled.requests),
        )

    def _compare(self, title: str) -> None:
        """Raise `BenchmarkError` where the table does not hold the source's events."""
        with psycopg.connect(self._stack.database_url) as connection:
            found = connection.execute(
                f"SELECT count(*), sum(timestamp)::bigint FROM {_TABLE}"
            ).fetchone()
        expected = (len(self._acled.events), self._acled.events.checksum())
        if found != expected:
            raise BenchmarkError(f"{title}: the table has {found}, and the source {expected}")

    def _fetched(self, folder: Path) -> Path:
        """All events that the first update has fetched, as one CSV."""
        folder.mkdir(parents=True)
        service = BlobServiceClient.from_connection_string(self._stack.environment[STORAGE])
        container = service.get_container_client(_CONTAINER)
        parts = [
            blob.name
            for blob in container.list_blobs(name_starts_with=f"{_DATASET}/")
            if "/events_" in blob.name
        ]
        if not parts:
            raise BenchmarkError("no events were fetched that ogr2ogr could load")
        file = folder / "events.csv"
        with file.open("wb") as joined:
            for number, name in enumerate(parts):
                content = container.download_blob(name).readall()
                header, _, rows = content.partition(b"\n")
                joined.write(rows if number else header + b"\n" + rows)
        return file

    def _count(self, table: str) -> int:
        with psycopg.connect(self._stack.database_url) as connection:
            row = connection.execute(
                sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            ).fetchone()
        return int(row[0]) if row else 0

    def _drop(self) -> None:
        with psycopg.connect(self._stack.database_url) as connection:
            connection.execute(
                sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(_PEER_TABLE))
            )
