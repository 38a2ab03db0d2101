"""The memory that a large float32 raster takes, in a single pass and in strips.

`python -m benchmarks.raster_memory 1 10` makes rasters of so many decoded gigabytes and their
COGs by the functions of process_raster, without a stack. Peak memory is that of this process and
of the child that it works with; of strips it is the most of any one task.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import raster_files
from benchmarks.errors import BenchmarkError
from benchmarks.memory import MemoryWatch
from benchmarks.programs import run
from infrastructure.sandbox import Limits, Sandbox
from services.raster import children, encoding, windows
from services.raster.child.gdal_environment import ENVIRONMENT, PRELOAD
from services.raster.model import Band, CogPlan, Facts, RasterType
from services.raster.parameters import ProcessRaster

SINGLE_PASS = "single pass"
STRIPS = "strips"

# What a job has that says nothing of it.
_MEMORY_MB: int = ProcessRaster.model_fields["memory_mb"].default
_WINDOW_GB: float = ProcessRaster.model_fields["window_gb"].default

_GIGABYTE = 1_000_000_000
_SECONDS = 2 * 3600.0
# What is on the disk at once: source, strips, overviews while they are made, and the COG.
_DISK_FOR_EACH_BYTE = 4

_PLAN = CogPlan(
    type=RasterType.DEM,
    tier="analysis",
    compression="DEFLATE",
    predictor="FLOATING_POINT",
    overview_resampling="average",
    resampling="bilinear",
    lossless=True,
)


@dataclass(frozen=True)
class MemoryRun:
    """One COG, made once.

    Attributes:
        gigabytes: of the decoded raster.
        way: `SINGLE_PASS` or `STRIPS`.
        seconds: of making the COG; of strips, of all tasks one after the other.
        peak_bytes: the most memory that was held.
        cog_bytes: size of the COG.
        strips: how many there were, 0 for a single pass.
    """

    gigabytes: float
    way: str
    seconds: float
    peak_bytes: int
    cog_bytes: int
    strips: int = 0


def measure(
    gigabytes: float, folder: Path, *, ways: Sequence[str] = (SINGLE_PASS, STRIPS)
) -> Iterator[MemoryRun]:
    """Make the COG of one raster in each of the ways.

    Raises:
        BenchmarkError: the disk is too small.
    """
    side = round((gigabytes * _GIGABYTE / 4) ** 0.5)
    free = shutil.disk_usage(folder).free
    if free < gigabytes * _GIGABYTE * _DISK_FOR_EACH_BYTE:
        raise BenchmarkError(
            f"{gigabytes:g} GB of raster need {gigabytes * _DISK_FOR_EACH_BYTE:g} GB of disk in "
            f"{folder}, and {free / _GIGABYTE:.1f} GB are free."
        )
    source, target = folder / "source.tif", folder / "cog.tif"
    # In a process of its own: what it held is not to be counted.
    run(
        [sys.executable, "-m", "benchmarks.raster_memory", "--make", str(source), str(side)],
        {},
        _SECONDS,
    )
    for way in ways:
        made = _single_pass if way == SINGLE_PASS else _strips
        with MemoryWatch({"all": os.getpid()}) as watch:
            began = time.monotonic()
            strips = made(source, target, side)
            seconds = time.monotonic() - began
        yield MemoryRun(gigabytes, way, seconds, watch.peak["all"], target.stat().st_size, strips)
        target.unlink()
    source.unlink()


def _single_pass(source: Path, target: Path, _side: int) -> int:
    arguments = {
        "source": str(source),
        "target": str(target),
        "plan": _PLAN.model_dump(mode="json"),
        "memory_mb": _MEMORY_MB,
        "threads": encoding.threads(),
    }
    with _child(source.parent) as child:
        children.call(
            child,
            "services.raster.child.encoding:encode",
            arguments,
            check=None,
            what=source.name,
        )
    return 0


def _strips(source: Path, target: Path, side: int) -> int:
    """Each task in a child of its own, as on many workers."""
    facts = Facts(driver="GTiff", width=side, height=side, bands=(Band(number=1, dtype="float32"),))
    window_gb = min(_WINDOW_GB, side * side * 4 / _GIGABYTE * 0.99)
    strips = []
    for first, rows in windows.split(facts, _PLAN, window_gb, (side, side)):
        strip = source.with_name(f"strip-{first}.tif")
        with _child(source.parent) as child:
            windows.encode_strip(
                child, source, strip, _PLAN, (first, rows), _MEMORY_MB, check=_go_on
            )
        strips.append(strip)
    with _child(source.parent) as child:
        windows.assemble(
            child, source, strips, target, _PLAN, _MEMORY_MB, check=_go_on, progress=_ignore
        )
    return len(strips)


@contextmanager
def _child(folder: Path) -> Iterator[Sandbox]:
    limits = Limits(
        memory_bytes=_MEMORY_MB << 20,
        cpu_seconds=int(_SECONDS) * (os.cpu_count() or 1),
        wall_seconds=_SECONDS,
        written_file_bytes=256 << 30,
        open_files=1024,
    )
    with Sandbox(
        limits, environment=ENVIRONMENT, preload=PRELOAD, readable=[folder], writable=[folder]
    ) as sandbox:
        yield sandbox


def _go_on() -> None:
    pass


def _ignore(**_facts: int) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a line for each COG."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.raster_memory", description=__doc__)
    parser.add_argument("gigabytes", type=float, nargs="*", default=[1.0])
    parser.add_argument(
        "--ways", nargs="+", choices=(SINGLE_PASS, STRIPS), default=(SINGLE_PASS, STRIPS)
    )
    parser.add_argument("--make", nargs=2, metavar=("FILE", "SIDE"), help="only make a raster")
    parser.add_argument("--folder", type=Path, help="where the files are; default: a new one")
    options = parser.parse_args(arguments)
    if options.make is not None:
        raster_files.terrain(Path(options.make[0]), int(options.make[1]))
        return 0
    with tempfile.TemporaryDirectory(prefix="raster-memory-", dir=options.folder) as folder:
        for gigabytes in options.gigabytes:
            try:
                for each in measure(gigabytes, Path(folder), ways=options.ways):
                    print(
                        f"{each.gigabytes:5g} GB  {each.way:12}  {each.strips:3} strips  "
                        f"{each.seconds:7.1f} s  peak {each.peak_bytes / 1e6:6,.0f} MB  "
                        f"COG {each.cog_bytes / 1e9:.2f} GB",
                        flush=True,
                    )
            except BenchmarkError as error:
                print(error, file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
