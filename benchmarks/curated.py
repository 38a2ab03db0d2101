"""curated_update on made-up protected areas of the WDPA's size, beside ogr2ogr's bare load.

Ours is the whole path: IBAT is asked, the archive fetched and stored, unpacked, inspected,
cleaned, staged, indexed, validated by PostGIS, held against the published version, published.
ogr2ogr reads the same layers out of the same zip on disk and loads them as they are, with the
same index: it neither repairs nor compares anything.
"""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks.app import App, moment, stage_seconds
from benchmarks.errors import BenchmarkError
from benchmarks.memory import MemoryWatch
from benchmarks.programs import run
from benchmarks.stack import BenchStack
from benchmarks.vector import OURS, VectorRun
from local.standins.archives import Form
from local.standins.ibat.server import Ibat
from local.standins.protected_area_columns import Columns
from local.standins.protected_areas import ProtectedAreas
from local.standins.register import Month

PEER = "ogr2ogr, load only"

_DATASET = "wdpa"
_PEER_TABLE = "bench_peer"
_SECONDS = 3600.0


class CuratedUpdates:
    """Updates of a data set on a running stack whose IBAT is a stand-in."""

    def __init__(self, stack: BenchStack, ibat: Ibat, polygons: int, points: int) -> None:
        self._stack = stack
        self._ibat = ibat
        self._areas = ProtectedAreas(polygons=polygons, points=points)
        self._app = App(stack)

    def close(self) -> None:
        """Close the connections."""
        self._app.close()

    def ours(self, release: int) -> VectorRun:
        """Update to a release, which is not the published one.

        Raises:
            BenchmarkError: the job does not complete, or its counts do not add up.
        """
        archive = self._archive(release)
        self._ibat.publish(_DATASET, self._areas.update_date(release), archive)
        self._stack.checkpoint()
        with MemoryWatch(self._stack.processes()) as watched:
            began = time.time()
            answer = self._app.call("POST", f"/api/curated/datasets/{_DATASET}/update", json={})
            job = self._app.wait(answer["job_id"], standstill=_SECONDS)
        if job["status"] != "completed":
            raise BenchmarkError(f"release {release}: {job['status']}: {job['error']}")
        result = job["result"]
        rows = len(self._areas.parcels(release))
        if result["action"] != "updated" or result["loaded"] != rows:
            raise BenchmarkError(f"release {release} has {rows:,} rows, and the job says {result}")
        return VectorRun(
            title=_title(release),
            contender=OURS,
            rows=result["read"],
            file_bytes=archive.stat().st_size,
            seconds=moment(job["finished_at"]) - began,
            stages=stage_seconds(job),
            peak_bytes=watched.peak["host"],
            loaded=rows,
        )

    def peer(self, release: int) -> VectorRun:
        """Load the polygons and the points of a release by ogr2ogr.

        Raises:
            BenchmarkError: ogr2ogr is missing or fails.
        """
        archive = self._archive(release)
        self._stack.checkpoint()
        self._drop()
        began, peak, loaded = time.time(), 0, 0
        for kind in ("poly", "point"):
            command = [
                *("ogr2ogr", "-f", "PostgreSQL", f"PG:{self._stack.database_url}"),
                *(f"/vsizip/{archive}", "-nln", f"{_PEER_TABLE}_{kind}"),
                *("-dialect", "OGRSQL", "-sql", f'SELECT * FROM "{self._layer(release, kind)}"'),
                *("-nlt", "PROMOTE_TO_MULTI", "-lco", "GEOMETRY_NAME=geom"),
                *("-lco", "SPATIAL_INDEX=GIST", "--config", "PG_USE_COPY", "YES"),
                *("-gt", "unlimited"),
            ]
            _, peak_bytes = run(command, {}, _SECONDS)
            peak = max(peak, peak_bytes)
        seconds = time.time() - began
        with psycopg.connect(self._stack.database_url) as connection:
            for kind in ("poly", "point"):
                row = connection.execute(
                    sql.SQL("SELECT count(*) FROM {}").format(
                        sql.Identifier(f"{_PEER_TABLE}_{kind}")
                    )
                ).fetchone()
                loaded += int(row[0]) if row else 0
        self._drop()
        return VectorRun(
            title=_title(release),
            contender=PEER,
            rows=loaded,
            file_bytes=archive.stat().st_size,
            seconds=seconds,
            stages={},
            peak_bytes=peak,
            loaded=loaded,
        )

    def _archive(self, release: int) -> Path:
        folder = self._stack.scratch / "curated" / str(release)
        made = list(folder.glob("*.zip"))
        if made:
            return made[0]
        return self._areas.release(release, Columns.SINCE_2025).write(folder, Form.FILE_GEODATABASE)

    def _layer(self, release: int, kind: str) -> str:
        month = Month.parse(self._areas.update_date(release)).short
        return f"WDPA_WDOECM_{kind}_{month}_all"

    def _drop(self) -> None:
        with psycopg.connect(self._stack.database_url) as connection:
            for kind in ("poly", "point"):
                connection.execute(
                    sql.SQL("DROP TABLE IF EXISTS {}").format(
                        sql.Identifier(f"{_PEER_TABLE}_{kind}")
                    )
                )


def _title(release: int) -> str:
    return "first version" if release == 1 else "next version"
