"""The parameters of the FATHOM jobs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.job_definition import JobParameters
from core.picking import picks
from services.data_container import DataContainer
from services.h3.parameters import Bbox

_ID = r"^[A-Za-z0-9_][A-Za-z0-9_.:-]*$"

FloodType = Literal["coastal", "fluvial", "pluvial"]
Defence = Literal["defended", "undefended"]
Scenario = Literal["ssp1_2.6", "ssp2_4.5", "ssp3_7.0", "ssp5_8.5"]


class FathomSelection(JobParameters):
    """Which of the maps are taken; what is not named is not asked for."""

    flood_types: list[FloodType] | None = Field(
        default=None, min_length=1, description="Only these types of flood"
    )
    defences: list[Defence] | None = Field(
        default=None, min_length=1, description="Only maps with, or without, flood defences"
    )
    years: list[int] | None = Field(
        default=None, min_length=1, description="Only these years", examples=[[2020, 2050]]
    )
    ssps: list[Scenario] | None = Field(
        default=None,
        min_length=1,
        description="Only these climate scenarios; maps of today have none and are taken as well",
    )
    iso3: str | None = Field(
        default=None,
        pattern=r"^[A-Z]{3}$",
        description="Only tiles that touch this country, as curated_admin0 has it",
        examples=["RWA"],
        json_schema_extra=picks("country"),
    )
    bbox: Bbox | None = Field(
        default=None,
        description="Only tiles that touch this box: west, south, east, north in degrees; west "
        "beyond east crosses the antimeridian",
        examples=[[28.8, -2.9, 30.9, -1.0]],
    )


class FathomTiles(FathomSelection):
    """Where the tiles are."""

    container_name: DataContainer = Field(
        description="Container of the tiles",
        examples=["bronze-fathom"],
        json_schema_extra=picks("container"),
    )
    prefix: str = Field(default="", max_length=900, description="Only paths that begin so")


class InventoryFathomContainer(FathomTiles):
    report_container: DataContainer = Field(
        default="silver-fathom",
        description="Container that the reports are written to; it is made where it is missing",
        json_schema_extra=picks("container"),
    )


class FathomOptions(FathomSelection):
    """What making stacks and merging them have in common."""

    target_container: DataContainer = Field(
        default="silver-fathom",
        description="Container that the COGs are written to; it is made where it is missing",
        json_schema_extra=picks("container"),
    )
    skip_existing: bool = Field(
        default=True,
        description="Leave out what the catalog has already, made of the same files",
    )
    force_reprocess: bool = Field(
        default=False, description="Make everything anew, whatever the catalog has"
    )
    dry_run: bool = Field(
        default=False, description="Only find out what would be made, and report it"
    )
    max_parallel: int = Field(
        default=4, ge=1, le=64, description="COGs that are made at the same time"
    )
    memory_mb: int = Field(
        default=1024,
        ge=512,
        le=8192,
        description="Megabytes that the child process of one COG may take",
    )
    restricted: bool = Field(
        default=False,
        description="Only those who may see restricted data see pictures, tiles and statistics; "
        "what the catalog has as restricted stays so in any case",
    )


class ProcessFathomStack(FathomTiles, FathomOptions):
    collection_id: str = Field(
        default="fathom-stacks",
        max_length=128,
        pattern=_ID,
        description="STAC collection of the stacks; it is made where it is missing",
        json_schema_extra=picks("stac_collection"),
    )
    failed_tiles: Literal["fail", "report"] = Field(
        default="fail",
        description="A tile that cannot be read: fail the job, or leave out its stack, and end "
        "with errors that name it",
    )


class ProcessFathomMerge(FathomOptions):
    source_collection_id: str = Field(
        default="fathom-stacks",
        max_length=128,
        pattern=_ID,
        description="STAC collection of the stacks that are merged",
        json_schema_extra=picks("stac_collection"),
    )
    collection_id: str = Field(
        default="fathom",
        max_length=128,
        pattern=_ID,
        description="STAC collection of the merged rasters; it is made where it is missing",
        json_schema_extra=picks("stac_collection"),
    )
    grid_size: int = Field(
        default=5,
        ge=1,
        le=20,
        description="Degrees along the side of a merged raster: so many tiles in each direction",
    )
