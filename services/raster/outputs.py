"""What process_raster and process_raster_collection result in."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.job_definition import JobOutputs
from infrastructure.stac_loader import CollectionChange
from services.raster.model import Caveat, RasterType, Subtype, Verification

Tier = Literal["visualization", "analysis", "archive"]


class StoredCogFacts(JobOutputs):
    """The COG: where it is, and how it was made."""

    container: str = Field(description="Container that it is in")
    path: str = Field(description="Its path in the container, as blob_name of other jobs")
    href: str = Field(description="Its address")
    bytes: int = Field(description="Size of the file")
    decoded_bytes: int = Field(description="Bytes of its pixels, without compression")
    sha256: str = Field(description="SHA-256 of the file, in hexadecimal")
    width: int = Field(description="Columns of pixels")
    height: int = Field(description="Rows of pixels")
    overviews: list[int] = Field(description="By how much each overview is smaller")
    tier: Tier = Field(description="What it is made for")
    compression: str = Field(description="Its compression")
    lossless: bool = Field(description="Whether every value is kept")
    strips: int = Field(description="Strips in which it was encoded; 0: in one go")
    encode_seconds: float = Field(description="Seconds that its making took")
    verify_seconds: float | None = Field(description="Seconds that the comparison took")


class RasterLinks(JobOutputs):
    """Where the raster is to be seen."""

    item: str = Field(description="The Item in the API")
    collection: str = Field(description="Its Collection in the API")
    preview: str = Field(description="A picture of it")
    tilejson: str = Field(description="Its tiles, as TileJSON")


class RasterOutputs(JobOutputs):
    """The raster, what it is, and where its COG and its Item are."""

    collection_id: str = Field(description="Id of the STAC Collection", examples=["elevation"])
    item_id: str = Field(description="Id of the Item in the Collection")
    type: RasterType = Field(description="What the raster is")
    subtype: Subtype | None = Field(description="What it is more closely, where that can be told")
    confidence: float = Field(description="How sure its type is, 0 to 1")
    conflict: str | None = Field(
        description="How what was said of it and what it looks like differ"
    )
    warnings: list[Caveat] = Field(description="What its user should know")
    notes: list[str] = Field(description="How its COG was made, in words")
    source_bytes: int = Field(description="Size of the file that was read")
    cog: StoredCogFacts = Field(description="The COG")
    verification: Verification | None = Field(
        description="The comparison of the COG with the file; null where none was wanted"
    )
    links: RasterLinks = Field(description="Where the raster is to be seen")
    collection: CollectionChange = Field(description="What became of the Collection")
    item: Literal["created", "updated", "unchanged"] = Field(description="What became of the Item")


class PublishedFile(JobOutputs):
    """A file that became an Item."""

    path: str = Field(description="Path of the file")
    status: Literal["published"]
    item_id: str = Field(description="Id of the Item")
    type: RasterType = Field(description="What the raster is")
    bytes_in: int = Field(description="Size of the file")
    bytes_out: int = Field(description="Size of the COG")
    sha256: str = Field(description="SHA-256 of the COG, in hexadecimal")


class RefusedFile(JobOutputs):
    """A file of which no Item became."""

    path: str = Field(description="Path of the file")
    status: Literal["refused"]
    code: str = Field(description="Why, for programs")
    message: str = Field(description="Why, in words")


class ItemChanges(JobOutputs):
    """What became of the Items."""

    new: int = Field(description="Items that are new")
    updated: int = Field(description="Items that replaced an earlier one")
    unchanged: int = Field(description="Items that were there already")


class ReportPlace(JobOutputs):
    """Where a report is kept."""

    container: str = Field(description="Container of the report")
    path: str = Field(description="Its path in the container")


class CollectionLinks(JobOutputs):
    """Where a collection is to be seen."""

    collection: str = Field(description="The Collection in the API")
    items: str = Field(description="Its Items in the API")
    map: str = Field(description="The map of it")


class RasterCollectionOutputs(JobOutputs):
    """The collection, and what became of each file."""

    collection_id: str = Field(description="Id of the STAC Collection", examples=["elevation"])
    message: str = Field(description="What came of it, in words")
    read: int = Field(description="Files that were read")
    published: int = Field(description="Files that became Items")
    refused: int = Field(description="Files of which no Item became")
    skipped: int = Field(description="Blobs that are no rasters")
    by_type: dict[str, int] = Field(description="How many of the rasters are of which type")
    refused_by_reason: dict[str, int] = Field(
        description="How many files were refused for which reason"
    )
    skipped_by_reason: dict[str, int] = Field(
        description="How many blobs were passed over for which reason"
    )
    joined: int = Field(description="Files that took the type of the others")
    crs: str | None = Field(description="CRS of the COGs; null where they differ or have none")
    bytes_in: int = Field(description="Size of the files together")
    bytes_out: int = Field(description="Size of the COGs together")
    collection: CollectionChange = Field(description="What became of the Collection")
    items: ItemChanges = Field(description="What became of the Items")
    item_ids: list[str] = Field(description="Ids of the Items, of the first files")
    files: list[PublishedFile | RefusedFile] = Field(
        description="What became of the first files, those that were refused before others"
    )
    report: ReportPlace = Field(description="What became of all files, as lines of JSON")
    warnings: list[str] = Field(description="What there is to be known, in words")
    links: CollectionLinks = Field(description="Where the collection is to be seen")
