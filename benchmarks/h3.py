"""The cells of a raster filled beside exactextract and rasterstats: the same raster and cells.

What is held against the others is the code that the tasks of h3_raster_aggregation run, in one
process, block by block: it lists the cells, makes their outlines, reads the raster from its file
and computes. The others are given outlines and pixels ready made. The whole job, which also
puts the statistics into the database, is measured beside.

`python -m benchmarks.h3` measures all but the job, and needs no stack.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from benchmarks import h3_rasters
from benchmarks.app import App, moment, stage_seconds
from benchmarks.errors import BenchmarkError
from benchmarks.h3_blocks import STATISTICS
from benchmarks.memory import MemoryWatch
from benchmarks.programs import Answer, run, run_peer
from benchmarks.stack import BenchStack
from local.stack.settings import STORAGE
from services.h3 import cells

EXACT, CENTROID, JOB = "geoforge, exact", "geoforge, centroid", "geoforge, the job"
EXACTEXTRACT, EXACTEXTRACT_WKB = "exactextract", "exactextract, given WKB"
RASTERSTATS = "rasterstats"

CONTENDERS = (EXACT, CENTROID, EXACTEXTRACT, EXACTEXTRACT_WKB, RASTERSTATS, JOB)
"""In an order in which each finds what it needs of those before it."""

_FORMS = {EXACTEXTRACT: "geojson", EXACTEXTRACT_WKB: "wkb"}
_RASTERSTATS_CELLS = 2_000
_CONTAINER = "bench-h3"
_SECONDS = 3600.0
_STANDSTILL_SECONDS = 1800.0
_HEXAGON = 6


@dataclass(frozen=True)
class Case:
    """A raster and the cells that are filled from it.

    Attributes:
        title: what it is.
        name: of its files.
        make: writes the raster.
        resolution: of the cells.
        border: only cells in this GeoJSON geometry; None for all of the raster's.
    """

    title: str
    name: str
    make: Callable[[Path], None]
    resolution: int
    border: dict[str, Any] | None = None


def world(columns: int, resolution: int) -> Case:
    """All of the Earth."""
    return Case(
        f"{columns:,} x {columns // 2:,} pixels to resolution {resolution}",
        f"world_{columns}_{resolution}",
        lambda file: h3_rasters.world(file, columns),
        resolution,
    )


def country(resolution: int) -> Case:
    """A country at a kilometre."""
    return Case(
        f"a country at 1 km to resolution {resolution}",
        f"country_{resolution}",
        h3_rasters.country,
        resolution,
        h3_rasters.border(),
    )


@dataclass(frozen=True)
class ZonalRun:
    """The cells of a case, filled once.

    Attributes:
        title: the case.
        contender: `EXACT`, `CENTROID`, `JOB`, or a peer.
        cells: how many were filled.
        pixels: that were read; 0 for peers.
        seconds: that it took.
        peak_bytes: the most memory that the process held; of the job, the host with its children.
        off: the largest difference from the means of the exact weighting, in their own unit;
            None where they were not compared.
        stages: seconds of each stage of the job.
    """

    title: str
    contender: str
    cells: int
    pixels: int
    seconds: float
    peak_bytes: int
    off: float | None = None
    stages: dict[str, float] = field(default_factory=dict)

    @property
    def cells_per_second(self) -> float:
        return self.cells / self.seconds


class ZonalRuns:
    """Rasters, and what was computed of them, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fill(self, case: Case, contender: str) -> ZonalRun:
        """Fill the case's cells, by anything but `JOB`.

        Raises:
            BenchmarkError: it fails, or a peer comes before `EXACT`.
        """
        if contender in _FORMS:
            return self._exactextract(case, contender)
        if contender == RASTERSTATS:
            return self._rasterstats(case)
        return self._ours(case, "exact" if contender == EXACT else "centroid")

    def raster(self, case: Case) -> Path:
        """The case's raster, made at the first call."""
        file = self._folder / f"{case.name}.tif"
        if not file.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            case.make(file)
        return file

    def _ours(self, case: Case, weighting: str) -> ZonalRun:
        command = [sys.executable, "-m", "benchmarks.h3_blocks", str(self.raster(case))]
        command += [str(self._file(case, f"{weighting}.npz")), str(case.resolution), weighting]
        if case.border is not None:
            border = self._file(case, "border.json")
            border.write_text(json.dumps(case.border), "utf-8")
            command += ["--area", str(border)]
        output, peak_bytes = run(command, {}, _SECONDS)
        measured = json.loads(output.splitlines()[-1])
        contender = EXACT if weighting == "exact" else CENTROID
        return ZonalRun(case.title, contender, **measured, peak_bytes=peak_bytes)

    def _exactextract(self, case: Case, contender: str) -> ZonalRun:
        """The same cells, and the means compared. Cells that are cut at the antimeridian, or have
        other than six vertices, are left out."""
        outlines, means = self._outlines(case), self._file(case, "theirs.npy")
        answer = self._peer(
            "exactextract_zonal", case, outlines, str(means), _FORMS[contender], *STATISTICS
        )
        exact, theirs = np.load(outlines)["means"], np.load(means)
        if (np.isnan(exact) != np.isnan(theirs)).any():
            raise BenchmarkError(f"{case.title}: {contender} finds values in other cells")
        return ZonalRun(
            case.title,
            contender,
            answer.measured["cells"],
            0,
            answer.measured["seconds"],
            answer.peak_bytes,
            off=float(np.nanmax(np.abs(exact - theirs))),
        )

    def _rasterstats(self, case: Case) -> ZonalRun:
        """Some of the cells, spread evenly."""
        rings = np.load(self._outlines(case))["rings"]
        sample = self._file(case, "sample.npz")
        np.savez(sample, rings=rings[:: max(1, len(rings) // _RASTERSTATS_CELLS)])
        answer = self._peer("rasterstats_zonal", case, sample, *STATISTICS)
        return ZonalRun(
            case.title,
            RASTERSTATS,
            answer.measured["cells"],
            0,
            answer.measured["seconds"],
            answer.peak_bytes,
        )

    def _outlines(self, case: Case) -> Path:
        """The outlines of the cells that ours has filled, with its means, made at the first
        call."""
        file, filled = self._file(case, "outlines.npz"), self._file(case, "exact.npz")
        if file.exists():
            return file
        if not filled.exists():
            raise BenchmarkError(f"{case.title}: the cells have not been filled exactly before")
        ours = np.load(filled)
        order = np.argsort(ours["index"])
        rings, chosen = _hexagons(ours["index"][order])
        np.savez(file, rings=rings, means=ours["mean"][order][chosen])
        return file

    def _peer(self, program: str, case: Case, *arguments: object) -> Answer:
        return run_peer(
            program,
            str(self.raster(case)),
            *(str(argument) for argument in arguments),
            environment={},
            seconds=_SECONDS,
        )

    def _file(self, case: Case, name: str) -> Path:
        return self._folder / f"{case.name}_{name}"


class ZonalJobs:
    """The same, and jobs on a running stack."""

    def __init__(self, stack: BenchStack) -> None:
        self._runs = ZonalRuns(stack.scratch / "h3")
        self._stack = stack
        self._app = App(stack)

    def close(self) -> None:
        """Close the connections."""
        self._app.close()

    def fill(self, case: Case, contender: str) -> ZonalRun:
        """Fill the case's cells.

        Raises:
            BenchmarkError: it fails, or a peer comes before `EXACT`.
        """
        return self._job(case) if contender == JOB else self._runs.fill(case, contender)

    def _job(self, case: Case) -> ZonalRun:
        """Through h3_raster_aggregation, with the exact weighting."""
        name = self._put(case)
        self._stack.checkpoint()
        with MemoryWatch(self._stack.processes()) as watched:
            began = time.time()
            job_id = self._app.submit(
                "h3_raster_aggregation",
                {
                    "theme": "benchmark",
                    "dataset_id": case.name.replace("_", "-"),
                    "resolution": case.resolution,
                    "container_name": _CONTAINER,
                    "blob_name": name,
                    "weighting": "exact",
                    "statistics": list(STATISTICS),
                    **({} if case.border is None else {"polygon": case.border}),
                },
            )
            job = self._app.wait(job_id, standstill=_STANDSTILL_SECONDS)
        if job["status"] != "completed":
            raise BenchmarkError(f"{case.title}: the job ended as {job['status']}: {job['error']}")
        return ZonalRun(
            case.title,
            JOB,
            job["result"]["cells"],
            0,
            moment(job["finished_at"]) - began,
            watched.peak["host"],
            stages=stage_seconds(job),
        )

    def _put(self, case: Case) -> str:
        """The blob of the case's raster."""
        file = self._runs.raster(case)
        service = BlobServiceClient.from_connection_string(self._stack.environment[STORAGE])
        container = service.get_container_client(_CONTAINER)
        with suppress(ResourceExistsError):
            container.create_container()
        blob = container.get_blob_client(file.name)
        if not blob.exists():
            with file.open("rb") as data:
                blob.upload_blob(data, max_concurrency=2)
        return file.name


def _hexagons(
    index: npt.NDArray[np.uint64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """The rings of those cells that are one hexagon, and which these are."""
    found = cells.outlines(index, -180.0)
    pieces = np.bincount(found.cell, minlength=len(index))
    whole = (found.vertices == _HEXAGON) & (pieces[found.cell] == 1)
    return np.stack([found.x[whole], found.y[whole]], axis=2)[:, :_HEXAGON], found.cell[whole]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a line for each run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.h3", description=__doc__)
    parser.add_argument("--columns", type=int, nargs="+", default=[8_640])
    parser.add_argument("--resolution", type=int, default=5, help="of the world's cells")
    parser.add_argument("--country", type=int, default=8, help="resolution of the country's cells")
    options = parser.parse_args(arguments)
    cases = [world(columns, options.resolution) for columns in options.columns]
    with tempfile.TemporaryDirectory(prefix="h3-benchmark-") as folder:
        runs = ZonalRuns(Path(folder))
        for case in [*cases, country(options.country)]:
            for contender in (each for each in CONTENDERS if each != JOB):
                try:
                    print(_line(runs.fill(case, contender)), flush=True)
                except BenchmarkError as error:
                    print(error, file=sys.stderr)
                    return 1
    return 0


def _line(each: ZonalRun) -> str:
    off = "" if each.off is None else f"  means within {each.off:.1e}"
    return (
        f"{each.title:45} {each.contender:25} {each.cells:10,} cells {each.seconds:8.1f} s "
        f"{each.cells_per_second:10,.0f} cells/s  peak {each.peak_bytes / 1e6:6,.0f} MB{off}"
    )


if __name__ == "__main__":
    sys.exit(main())
