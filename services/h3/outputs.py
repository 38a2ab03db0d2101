"""What h3_raster_aggregation results in."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from core.job_definition import JobOutputs
from services.h3.model import Weighting


class FailedBlock(JobOutputs):
    """Cells that were not computed."""

    block: int = Field(description="Number of the block of cells")
    box: tuple[float, float, float, float] = Field(
        description="West, south, east, north of its cells, in degrees"
    )
    cells: int = Field(description="Cells that it has")
    error: dict[str, Any] | None = Field(description="Why it failed: code, message and more")


class DatasetLinks(JobOutputs):
    """Where the statistics are to be seen."""

    stats: str = Field(description="The statistics in the API")
    map: str = Field(description="The map of them")


class H3Outputs(JobOutputs):
    """The dataset, and what this job has added to it."""

    dataset_id: str = Field(description="Name under which the statistics are asked for")
    theme: str = Field(description="Theme of the dataset")
    resolution: int = Field(description="H3 resolution of the cells")
    band: int = Field(description="Number of the band that was read, from 1")
    weighting: Weighting = Field(description="How pixels on the edge of a cell count")
    cells: int = Field(description="Cells that were wanted")
    cells_with_data: int = Field(description="Cells with at least one valid pixel")
    cells_without_data: int = Field(description="Cells without a valid pixel")
    cells_failed: int = Field(description="Cells that were not computed")
    cells_beyond: int = Field(description="Cells in which no raster has a pixel")
    rows: int = Field(description="Statistics that the cells hold now")
    rows_written: int = Field(description="Statistics that are new or have changed")
    rows_unchanged: int = Field(description="Statistics that were there already")
    rows_removed: int = Field(description="Statistics that are gone")
    statistics: list[str] = Field(description="Names of the statistics", examples=[["mean"]])
    pixels_read: int = Field(description="Pixels that were read")
    valid_pixels: float = Field(description="Pixels with data, by their shares in the cells")
    failed: list[FailedBlock] = Field(description="The first blocks of cells that failed")
    complete: bool = Field(description="Whether all cells were computed")
    notes: list[str] = Field(description="What there is to be known, in words")
    links: DatasetLinks = Field(description="Where the statistics are to be seen")
