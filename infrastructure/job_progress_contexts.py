"""What jobs of a kind show of their work beside tasks and rates: files made, bytes written.

Workers do not know of each other, and a task may be tried twice. So each says what it has done
itself, under its own name, and the database adds up: one that says so again takes its earlier
words back::

    progress = RasterCollectionProgress(context.job_id)
    progress.working_on("dem/tile_12.tif")
    progress.cog_created("create_cog:12", bytes_out=81_000_000)

As with `infrastructure.job_progress`, trouble with it never fails a task, and with
METRICS_ENABLED=false nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from config import get_metrics_settings
from infrastructure import job_progress, metrics_repository
from infrastructure.database import Connection

_GIGABYTE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ProgressContext:
    """Figures of one job under one name, `NAME`, among those that the job shows."""

    NAME: ClassVar[str]

    job_id: str

    def _show(self, **figures: Any) -> None:
        """Set figures that are the job's and not a task's; the last writer of one wins."""
        self._write(
            lambda connection: metrics_repository.merge_context(
                connection, self.job_id, self.NAME, figures
            )
        )

    def _contribute(self, task: str, **amounts: float) -> None:
        """Say what `task` has added to the sums of the job, in all and up to now."""
        self._write(
            lambda connection: metrics_repository.contribute(
                connection, self.job_id, self.NAME, task, amounts
            )
        )

    def _write(self, write: Callable[[Connection], None]) -> None:
        if get_metrics_settings().enabled:
            with job_progress.never_failing(f"{self.NAME} context"):
                metrics_repository.transact(write)


@dataclass(frozen=True, slots=True)
class RasterCollectionProgress(ProgressContext):
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
            "begin", files_processed=0, cogs_created=0, input_size_gb=0, output_size_gb=0
        )

    def working_on(self, path: str) -> None:
        """Name the file that a worker has begun with."""
        self._show(current_file=path)

    def refused(self, task: str, *, files: int = 1, bytes_in: int = 0) -> None:
        """Count files of which no COG will be made."""
        self._contribute(task, files_processed=files, input_size_gb=_gigabytes(bytes_in))

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
