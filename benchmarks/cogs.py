"""process_raster beside `gdal_translate -of COG`: the same raster, the same settings.

Ours is a job, submitted over HTTP. What is held against gdal_translate, which reads its file from
disk and writes another, is the time in which our child process does the same: the job also
fetches the raster, finds out what it is, compares the COG with it pixel by pixel, draws it and
publishes it, and what each of that takes is shown beside.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from benchmarks import raster_files
from benchmarks.app import App, moment, stage_seconds
from benchmarks.errors import BenchmarkError
from benchmarks.memory import MemoryWatch
from benchmarks.programs import run
from benchmarks.stack import BenchStack
from local.stack.settings import STORAGE

OURS = "geoforge"
PEER = "gdal_translate -of COG"

_CONTAINER = "bench-rasters"
_SECONDS = 3600.0
_STANDSTILL_SECONDS = 1800.0


@dataclass(frozen=True)
class Kind:
    """A kind of raster, and the settings with which both make its COG.

    Attributes:
        title: what it is.
        make: writes one of so many pixels a side.
        pixel_bytes: bytes of a pixel of all bands.
        parameters: those of process_raster.
        options: the creation options of GDAL's COG driver that they amount to.
    """

    title: str
    make: Callable[[Path, int], None]
    pixel_bytes: int
    parameters: dict[str, Any]
    options: Sequence[str]


TERRAIN = Kind(
    "elevations, float32, DEFLATE",
    raster_files.terrain,
    4,
    {"raster_type": "dem", "compression": "DEFLATE"},
    ("COMPRESS=DEFLATE", "PREDICTOR=FLOATING_POINT", "OVERVIEW_RESAMPLING=AVERAGE"),
)
PICTURE = Kind(
    "picture, 3 x uint8, JPEG 85",
    raster_files.picture,
    3,
    {"raster_type": "rgb"},
    ("COMPRESS=JPEG", "QUALITY=85", "OVERVIEW_RESAMPLING=CUBIC"),
)
CLASSES = Kind(
    "land cover, uint8, DEFLATE",
    raster_files.classes,
    1,
    {"raster_type": "categorical"},
    ("COMPRESS=DEFLATE", "PREDICTOR=STANDARD", "OVERVIEW_RESAMPLING=MODE"),
)
KINDS = (TERRAIN, PICTURE, CLASSES)


@dataclass(frozen=True)
class CogRun:
    """One COG, made once.

    Attributes:
        title: what the raster is.
        contender: geoforge or gdal_translate.
        raw_bytes: bytes of all its pixels.
        seconds: of making the COG: encoding it, with its overviews.
        cog_bytes: size of the COG.
        peak_bytes: the most memory that the host with its children held (gdal_translate: its
            process).
        verify_seconds: of comparing it with the source; None for gdal_translate.
        job_seconds: from the request that submits the job to its end.
        stages: seconds of each stage of the job.
        strips: how many tasks encoded it; 0 for a single pass.
    """

    title: str
    contender: str
    raw_bytes: int
    seconds: float
    cog_bytes: int
    peak_bytes: int
    verify_seconds: float | None = None
    job_seconds: float | None = None
    stages: dict[str, float] = field(default_factory=dict)
    strips: int = 0


class CogRuns:
    """COGs of generated rasters on a running stack."""

    def __init__(self, stack: BenchStack) -> None:
        self._stack = stack
        self._app = App(stack)

    def close(self) -> None:
        """Close the connections."""
        self._app.close()

    def file(self, kind: Kind, side: int) -> Path:
        """A raster of the benchmark, made at the first call and put into blob storage."""
        path = self._stack.scratch / "rasters" / f"{kind.make.__name__}_{side}.tif"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            kind.make(path, side)
            service = BlobServiceClient.from_connection_string(self._stack.environment[STORAGE])
            container = service.get_container_client(_CONTAINER)
            with suppress(ResourceExistsError):
                container.create_container()
            with path.open("rb") as data:
                container.upload_blob(path.name, data, overwrite=True, max_concurrency=2)
        return path

    def ours(self, kind: Kind, side: int) -> CogRun:
        """Make and publish a COG through process_raster.

        Raises:
            BenchmarkError: the job does not complete.
        """
        path = self.file(kind, side)
        self._stack.checkpoint()
        with MemoryWatch(self._stack.processes()) as watched:
            began = time.time()
            job_id = self._app.submit(
                "process_raster",
                {
                    "container_name": _CONTAINER,
                    "blob_name": path.name,
                    "collection_id": "bench-rasters",
                    **kind.parameters,
                },
            )
            job = self._app.wait(job_id, standstill=_STANDSTILL_SECONDS)
        if job["status"] != "completed":
            raise BenchmarkError(f"{kind.title}: the job ended as {job['status']}: {job['error']}")
        cog = job["result"]["cog"]
        return CogRun(
            title=_title(kind, side),
            contender=OURS,
            raw_bytes=side * side * kind.pixel_bytes,
            seconds=cog["encode_seconds"],
            cog_bytes=cog["bytes"],
            peak_bytes=watched.peak["host"],
            verify_seconds=cog["verify_seconds"],
            job_seconds=moment(job["finished_at"]) - began,
            stages=stage_seconds(job),
            strips=cog["strips"],
        )

    def peer(self, kind: Kind, side: int) -> CogRun:
        """Make a COG by gdal_translate.

        Raises:
            BenchmarkError: gdal_translate is missing or fails.
        """
        path = self.file(kind, side)
        target = path.with_suffix(".peer.tif")
        target.unlink(missing_ok=True)
        command = ["gdal_translate", "-q", "-of", "COG", str(path), str(target)]
        threads = os.cpu_count() or 1
        for option in (*kind.options, "BLOCKSIZE=512", f"NUM_THREADS={threads}"):
            command += ["-co", option]
        began = time.time()
        _, peak_bytes = run(command, {"GDAL_CACHEMAX": "256"}, _SECONDS)
        seconds = time.time() - began
        made = CogRun(
            title=_title(kind, side),
            contender=PEER,
            raw_bytes=side * side * kind.pixel_bytes,
            seconds=seconds,
            cog_bytes=target.stat().st_size,
            peak_bytes=peak_bytes,
        )
        target.unlink()
        return made


def _title(kind: Kind, side: int) -> str:
    return f"{side:,} x {side:,} of {kind.title}"
