"""What jobs of a kind show of their work beside tasks and rates: cells, tiles, files, bytes.

Workers do not know of each other, and a task may be tried twice. So each says what its task has
done in all so far, under the task's name, and the database adds up: a later word takes the
place of the earlier one, and a second attempt the place of the first::

    tracker = H3AggregationTracker(context.job_id)
    tracker.working_on("nasadem 10 E 50 N")
    tracker.cells_processed("compute_stats:12", cells=40_000, stats=120_000)

A tracker is made where a task begins and may be used from any of its threads, as often as one
likes: words are collected, and written every METRICS_SAMPLE_INTERVAL and when the task ends (see
`infrastructure.job_figures`). Trouble with it never fails a task, and with METRICS_ENABLED=false
nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from core.models.metrics import Attempt
from infrastructure import job_figures, job_progress

_GIGABYTE = 1_000_000_000

# The sums of a job are there, as zeros, from its beginning.
_BEGIN = "begin"


@dataclass(frozen=True, slots=True)
class ProgressTracker:
    """Figures of one job under one name, `NAME`, among those that the job shows.

    Contributions are those of `attempt`, by default of the attempt at a task that is being made
    where the tracker is made.
    """

    NAME: ClassVar[str]

    job_id: str

    attempt: Attempt | None = field(default_factory=job_figures.speaker)

    def _show(self, **figures: Any) -> None:
        """Set figures that are the job's and not a task's; the last writer of one wins."""
        job_progress.show(self.job_id, self.NAME, **figures)

    def _contribute(self, task: str, **amounts: float) -> None:
        """Say what `task` has added to the sums of the job, in all and up to now."""
        job_progress.contribute(self.job_id, self.NAME, task, self.attempt, amounts)


@dataclass(frozen=True, slots=True)
class H3AggregationTracker(ProgressTracker):
    """The cells of a raster's aggregation.

    Shows cells_total, cells_processed, stats_computed (values, of all cells and statistics),
    tiles_discovered, tiles_processed and current_tile. A tile is the part of the Earth that one
    task computes. Whoever reads these figures sees cells_rate_per_sec beside them, which
    `core.models.metrics` makes of the sums.
    """

    NAME: ClassVar[str] = "h3_aggregation"

    def begin(self, cells_total: int, tiles_discovered: int) -> None:
        """Say how many cells there are to compute, in how many tiles."""
        self._show(cells_total=cells_total, tiles_discovered=tiles_discovered)
        self._contribute(_BEGIN, cells_processed=0, stats_computed=0, tiles_processed=0)

    def working_on(self, tile: str) -> None:
        """Name the tile that a worker has begun with."""
        self._show(current_tile=tile)

    def cells_processed(self, task: str, cells: int, stats: int) -> None:
        """Say how many cells, and values of them, the task has computed so far."""
        self._contribute(task, cells_processed=cells, stats_computed=stats)

    def tile_processed(self, task: str, tiles: int = 1) -> None:
        """Count the task's tile: all of its cells are computed."""
        self._contribute(task, tiles_processed=tiles)


@dataclass(frozen=True, slots=True)
class FathomETLTracker(ProgressTracker):
    """The tiles of FATHOM flood maps that become stacks, or that are merged.

    Shows tiles_total, tiles_merged, bytes_processed (read of the tiles), current_region and
    regions_completed. A region is what one COG is made of.
    """

    NAME: ClassVar[str] = "fathom_etl"

    def begin(self, tiles_total: int) -> None:
        """Say how many tiles there are, in all regions."""
        self._show(tiles_total=tiles_total)
        self._contribute(_BEGIN, tiles_merged=0, bytes_processed=0, regions_completed=0)

    def working_on(self, region: str) -> None:
        """Name the region that a worker has begun with."""
        self._show(current_region=region)

    def tile_done(self, task: str, tiles: int, bytes_processed: int) -> None:
        """Say how many tiles, and bytes of them, the task has brought into its COG so far."""
        self._contribute(task, tiles_merged=tiles, bytes_processed=bytes_processed)

    def region_completed(self, task: str, regions: int = 1) -> None:
        """Count the task's region: its COG is made."""
        self._contribute(task, regions_completed=regions)


@dataclass(frozen=True, slots=True)
class RasterCollectionTracker(ProgressTracker):
    """The files of a collection of rasters.

    Shows files_total, files_processed (published or refused, or about to be), cogs_created,
    input_size_gb and output_size_gb (of the files processed and the COGs created; decimal
    gigabytes) and current_file.
    """

    NAME: ClassVar[str] = "raster_collection"

    def begin(self, files_total: int) -> None:
        """Say how many files there are."""
        self._show(files_total=files_total)
        self._contribute(
            _BEGIN, files_processed=0, cogs_created=0, input_size_gb=0, output_size_gb=0
        )

    def working_on(self, path: str) -> None:
        """Name the file that a worker has begun with."""
        self._show(current_file=path)

    def refused(self, task: str, *, files: int = 1, bytes_in: int = 0) -> None:
        """Count files of which no COG will be made."""
        self._contribute(
            task,
            files_processed=files,
            cogs_created=0,
            input_size_gb=_gigabytes(bytes_in),
            output_size_gb=0,
        )

    def cog_created(self, task: str, *, bytes_in: int, bytes_out: int) -> None:
        """Count a file of which the COG is made."""
        self._contribute(
            task,
            files_processed=1,
            cogs_created=1,
            input_size_gb=_gigabytes(bytes_in),
            output_size_gb=_gigabytes(bytes_out),
        )


def _gigabytes(size: int) -> float:
    """Exact to the byte, so that sums of it are."""
    return round(size / _GIGABYTE, 9)
