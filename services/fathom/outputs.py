"""What the jobs on FATHOM's flood maps result in."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.job_definition import JobOutputs
from infrastructure.stac_loader import CollectionChange
from services.fathom.grouping import Counts, Problem
from services.raster.outputs import CollectionLinks, ItemChanges, ReportPlace


class InventoryReport(ReportPlace):
    """A report, and how large it is."""

    bytes: int = Field(description="Size of the report")


class InventoryReports(JobOutputs):
    """The reports in full, as lines of JSON."""

    stacks: InventoryReport = Field(description="A line for each stack")
    problems: InventoryReport = Field(description="A line for each problem")


class InventoryOutputs(JobOutputs):
    """What a container holds. A stack is one map on one tile, its files the return periods."""

    message: str = Field(description="What was found, in words")
    container: str = Field(description="Container that was listed")
    prefix: str = Field(description="How the paths begin that were listed")
    counts: Counts = Field(description="What became of the files that were listed")
    stacks: int = Field(description="Stacks that the files make up")
    bytes: int = Field(description="Size of all files of stacks")
    tiles: int = Field(description="Tiles with any stack")
    maps: int = Field(description="Maps with any stack")
    by_flood_type: dict[str, int] = Field(description="How many stacks are of which type of flood")
    by_defence: dict[str, int] = Field(description="How many are with or without flood defences")
    by_year: dict[str, int] = Field(description="How many are of which year")
    by_ssp: dict[str, int] = Field(description="How many are of which climate scenario")
    by_version: dict[str, int] = Field(description="How many are of which version")
    by_map: dict[str, int] = Field(description="How many are of which map, the most first")
    incomplete: int = Field(description="Stacks that lack return periods")
    missing_return_periods: dict[str, int] = Field(
        description="How many stacks lack which return period"
    )
    unparsed_by_reason: dict[str, int] = Field(
        description="How many names say too little, for which reason"
    )
    problems: int = Field(description="Problems that were found")
    first_problems: list[Problem] = Field(description="The first of them")
    reports: InventoryReports = Field(description="The reports in full")


class MadeCog(JobOutputs):
    """A COG that was made and published."""

    index: int = Field(description="Its number in this job")
    item_id: str = Field(description="Id of its Item")
    bytes_in: int = Field(description="Size of the files that it was made of")
    bytes_out: int = Field(description="Size of the COG")
    seconds: float = Field(description="Seconds that its making took")
    shallower: int = Field(description="Pixels in which a rarer flood is shallower")
    water: int = Field(description="Pixels of permanent water")
    seams: int = Field(description="Pixels in which files that overlap differ")
    missing: list[str] = Field(description="Return periods that it lacks")
    sha256: str = Field(description="SHA-256 of the COG, in hexadecimal")
    status: Literal["made"]


class FailedCog(JobOutputs):
    """A COG that was not made."""

    item_id: str = Field(description="Id that its Item would have")
    code: str = Field(description="Why, for programs")
    message: str = Field(description="Why, in words")
    status: Literal["failed"]


class CogsOutputs(JobOutputs):
    """COGs that were made of groups of files, or of a dry run, that would be."""

    collection_id: str = Field(description="Id of the STAC Collection", examples=["fathom"])
    dry_run: bool = Field(description="Whether nothing was written")
    would_fail: bool = Field(description="Whether the job of a dry run would fail")
    message: str = Field(description="What came of it, in words")
    groups: int = Field(description="COGs that were asked for")
    would_make: int = Field(description="COGs that were to be made")
    made: int = Field(description="COGs that were made and published")
    skipped: int = Field(description="COGs that the catalog had already, made of the same files")
    failed: int = Field(description="COGs that could not be made")
    failed_by_reason: dict[str, int] = Field(description="How many failed for which reason")
    failures: list[FailedCog] = Field(description="The first that failed")
    sources: int = Field(description="Files of which COGs were to be made")
    bytes: int = Field(description="Size of those files")
    bytes_in: int = Field(description="Size of the files of which COGs were made")
    bytes_out: int = Field(description="Size of the COGs")
    missing_return_periods: dict[str, int] = Field(
        description="How many COGs lack which return period"
    )
    not_monotonic: int = Field(description="COGs in which a rarer flood is shallower somewhere")
    shallower_pixels: int = Field(description="Pixels in which it is")
    water_pixels: int = Field(description="Pixels of permanent water")
    differing_seam_pixels: int = Field(description="Pixels in which files that overlap differ")
    collection: CollectionChange | None = Field(
        description="What became of the Collection; null where nothing was published"
    )
    items: ItemChanges = Field(description="What became of the Items")
    item_ids: list[str] = Field(description="Ids of the first Items made, or that would be")
    first: list[MadeCog | str] = Field(
        description="The first COGs that were made; of a dry run the ids of what would be"
    )
    report: ReportPlace | None = Field(
        description="What became of every COG, as lines of JSON; null of a dry run"
    )
    links: CollectionLinks | None = Field(
        description="Where the collection is to be seen; null where there is none"
    )


class SourceProblem(JobOutputs):
    """Why files are in no stack."""

    code: str = Field(description="Why, for programs")
    message: str = Field(description="Why, in words")


class StacksOutputs(CogsOutputs):
    """The stacks, and the files that they were looked for in."""

    files: Counts = Field(description="What became of the files that were listed")
    unparsed_by_reason: dict[str, int] = Field(
        description="How many names say too little, for which reason"
    )
    first_problems: list[SourceProblem] = Field(description="The first problems")


class SourceItems(JobOutputs):
    """What became of the Items of the source collection."""

    stacks: int = Field(description="Stacks that were taken")
    deselected: int = Field(description="Stacks that were not asked for")
    other: int = Field(description="Items that are no stacks")


class MergedOutputs(CogsOutputs):
    """The merged rasters, and the stacks that they were made of."""

    source_items: SourceItems = Field(description="What became of the source collection's Items")
