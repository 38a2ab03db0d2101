"""FATHOM's flood maps of a small country: every tile stacked, every map merged.

Made-up tiles (`local.demo.fathom_tiles`) of the number that there are of Rwanda: 6 tiles of 39
maps, so 234 stacks of 8 files and 39 merged rasters of 6 stacks. Each job is submitted over HTTP;
its clock stops when its Items are in the catalog. The tiles are smaller than the real ones, whose
3,600 pixels a side only the largest machine would want to make up.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from benchmarks.app import App, moment, stage_seconds
from benchmarks.errors import BenchmarkError
from benchmarks.memory import MemoryWatch
from benchmarks.stack import BenchStack
from local.demo import fathom_tiles
from local.stack.settings import STORAGE
from services.fathom.names import RETURN_PERIODS, FathomMap
from services.fathom.tiles import Tile

_SOURCE = "bench-fathom"
_TARGET = "bench-fathom-cogs"
_UPLOADS = 8
_SNAPSHOTS = 500
_STANDSTILL_SECONDS = 900.0
# The smallest grid in which all of Rwanda lies in one cell.
_GRID_DEGREES = 9


@dataclass(frozen=True)
class FathomRun:
    """One job over all tiles, or all stacks.

    Attributes:
        title: which job, and of how many pixels a tile is.
        sources: files that it read.
        cogs: those that it made.
        bytes_in: of all sources.
        bytes_out: of all COGs.
        seconds: from the request that submits the job to its last commit.
        stages: seconds of each stage, by name.
        peak_bytes: the most memory that the host with its children held.
        before_bytes: what they held before.
        looks: how many different counts of done tiles the dashboard was told while it ran.
    """

    title: str
    sources: int
    cogs: int
    bytes_in: int
    bytes_out: int
    seconds: float
    stages: dict[str, float]
    peak_bytes: int
    before_bytes: int
    looks: int


class FathomRuns:
    """Stacks and merged rasters of made-up tiles on a running stack."""

    def __init__(self, stack: BenchStack) -> None:
        self._stack = stack
        self._app = App(stack)
        self._numbers = itertools.count(1)

    def close(self) -> None:
        """Close the connections."""
        self._app.close()

    def country(self, pixels: int, tiles: int, maps: int) -> list[FathomRun]:
        """Stack and merge a delivery.

        Args:
            pixels: along a side of a tile.
            tiles: how many of those of the country, 6 at most.
            maps: how many of those that there are of it, 39 at most.

        Raises:
            BenchmarkError: a job does not complete, or its counts are not those of the delivery.
        """
        number = next(self._numbers)
        prefix = f"{number}-{pixels}/"
        chosen_tiles = fathom_tiles.COUNTRY[:tiles]
        chosen_maps = list(itertools.islice(fathom_tiles.scenarios(), maps))
        self._put(prefix, chosen_tiles, chosen_maps, pixels)
        stacks, merged = f"bench-stacks-{number}", f"bench-merged-{number}"
        size = f"{tiles} tiles x {maps} maps, {pixels:,} pixels a side"
        return [
            self._run(
                f"stack {size}",
                "process_fathom_stack",
                {"container_name": _SOURCE, "prefix": prefix, "collection_id": stacks},
                sources=tiles * maps * len(RETURN_PERIODS),
                cogs=tiles * maps,
            ),
            self._run(
                f"merge {size}",
                "process_fathom_merge",
                {
                    "source_collection_id": stacks,
                    "collection_id": merged,
                    "grid_size": _GRID_DEGREES,
                },
                sources=tiles * maps,
                cogs=maps,
            ),
        ]

    def _run(
        self, title: str, job_type: str, parameters: dict[str, Any], *, sources: int, cogs: int
    ) -> FathomRun:
        self._stack.checkpoint()
        with MemoryWatch(self._stack.processes()) as watched:
            began = time.time()
            job_id = self._app.submit(job_type, {**parameters, "target_container": _TARGET})
            job = self._app.wait(job_id, standstill=_STANDSTILL_SECONDS)
        if job["status"] != "completed":
            raise BenchmarkError(f"{title}: the job ended as {job['status']}: {job['error']}")
        result = job["result"]
        if (result["sources"], result["made"]) != (sources, cogs):
            raise BenchmarkError(
                f"{title}: {sources:,} sources are {cogs:,} COGs, and the job counts {result}"
            )
        return FathomRun(
            title=title,
            sources=sources,
            cogs=cogs,
            bytes_in=result["bytes_in"],
            bytes_out=result["bytes_out"],
            seconds=moment(job["finished_at"]) - began,
            stages=stage_seconds(job),
            peak_bytes=watched.peak["host"],
            before_bytes=watched.before["host"],
            looks=self._looks(job_id),
        )

    def _looks(self, job_id: str) -> int:
        """Different counts of done tiles in the job's snapshots, which the dashboard draws."""
        told = self._app.call(
            "GET", f"/api/metrics/jobs/{job_id}", params={"type": "snapshot", "limit": _SNAPSHOTS}
        )
        figures = (row["payload"].get("context", {}).get("fathom_etl") for row in told["metrics"])
        return len({shown["tiles_merged"] for shown in figures if shown})

    def _put(
        self, prefix: str, tiles: Sequence[Tile], maps: Sequence[FathomMap], pixels: int
    ) -> None:
        """Put a delivery into blob storage."""
        service = BlobServiceClient.from_connection_string(self._stack.environment[STORAGE])
        container = service.get_container_client(_SOURCE)
        with suppress(ResourceExistsError):
            container.create_container()

        def put(file: tuple[str, bytes]) -> None:
            path, content = file
            container.upload_blob(f"{prefix}{path}", content, overwrite=True)

        made = fathom_tiles.files(maps, tiles, pixels=pixels)
        with ThreadPoolExecutor(_UPLOADS) as threads:
            while chunk := list(itertools.islice(made, 100)):
                list(threads.map(put, chunk))
