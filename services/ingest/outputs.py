"""What ingest_collection results in."""

from __future__ import annotations

from pydantic import Field

from core.job_definition import JobOutputs
from infrastructure.source_catalog_repository import Entry
from infrastructure.stac_loader import CollectionChange
from services.ingest.quarantine import Reason


class QuarantinedItem(JobOutputs):
    """An Item that was found and is not registered."""

    href: str = Field(description="Where it was found, or the link to it")
    item_id: str | None = Field(description="Its id, where it has one")
    reason: Reason = Field(description="Why it is not registered, for programs")
    message: str = Field(description="Why it is not registered, in words")


class AssetCounts(JobOutputs):
    """What became of the assets."""

    total: int = Field(description="All assets")
    copied: int = Field(description="Assets that were copied")
    skipped: int = Field(description="Assets that were there already")
    external: int = Field(description="Assets that lie elsewhere and stay there")
    bytes_copied: int = Field(description="Bytes that were copied")


class InvalidCog(JobOutputs):
    """A file that is not a valid COG."""

    item_id: str = Field(description="Item that it belongs to")
    asset: str = Field(description="Name of the asset")
    path: str = Field(description="Path of the file in its container")
    reasons: list[str] = Field(description="What is wrong with it")


class CogCounts(JobOutputs):
    """What was found about GeoTIFFs among the assets."""

    checked: int = Field(description="GeoTIFFs that were looked into")
    valid: int = Field(description="Those that are valid COGs")
    invalid_count: int = Field(description="Those that are not")
    invalid: list[InvalidCog] = Field(description="The first of those that are not")


class SourceEntry(JobOutputs):
    """The collection's entry in the catalog of H3 sources."""

    id: str = Field(description="Name of the entry")
    entry: Entry = Field(description="What became of it")


class IngestLinks(JobOutputs):
    """Where the collection is found in the API."""

    collection: str = Field(description="The Collection")
    items: str = Field(description="Its Items")


class IngestOutputs(JobOutputs):
    """The collection, and what became of its Items and files."""

    collection_id: str = Field(description="Id of the STAC Collection")
    changed: bool = Field(description="Whether anything is other than before")
    message: str = Field(description="What came of it, in words")
    items_read: int = Field(description="Items that were found")
    items_registered: int = Field(description="Items that are in the catalog now")
    items_new: int = Field(description="Those of them that are new")
    items_updated: int = Field(description="Those of them that replaced an earlier one")
    items_unchanged: int = Field(description="Those of them that were there already")
    items_quarantined: int = Field(description="Items that were set aside")
    quarantine_by_reason: dict[str, int] = Field(
        description="How many Items were set aside for which reason"
    )
    quarantined: list[QuarantinedItem] = Field(description="The first of those set aside")
    assets: AssetCounts = Field(description="What became of the assets")
    cogs: CogCounts = Field(description="Which GeoTIFFs are valid COGs")
    collection: CollectionChange = Field(description="What became of the Collection itself")
    source_catalog: SourceEntry = Field(description="Its entry in the catalog of H3 sources")
    warnings: list[str] = Field(description="What there is to be known, in words")
    links: IngestLinks = Field(description="Where the collection is found in the API")
