"""The parameters of ingest_collection."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from core.blob_names import BlobPath
from core.job_definition import JobParameters
from core.picking import picks
from services.data_container import DataContainer


class IngestCollection(JobParameters):
    source_container: DataContainer = Field(
        description="Container that holds the collection, its items' sidecars and their assets",
        json_schema_extra=picks("container"),
    )
    target_container: DataContainer = Field(
        description="Container that the assets are copied to, under the same paths",
        examples=["silver-cdl"],
        json_schema_extra=picks("container"),
    )
    collection_json_path: BlobPath = Field(
        default="collection.json",
        description="Path of the STAC Collection inside source_container",
        json_schema_extra=picks("blob", of="source_container"),
    )
    collection_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:-]*$",
        description="Register the collection under this id instead of its own",
        examples=["usda-cdl"],
        json_schema_extra=picks("stac_collection"),
    )
    batch_size: int = Field(
        default=100, ge=1, le=500, description="Items whose assets one copy task takes on"
    )
    overwrite: bool = Field(
        default=False,
        description="Replace target blobs and registered items that differ; without it such "
        "items are quarantined and the existing ones stay",
    )
    skip_existing: bool = Field(
        default=True,
        description="Leave target blobs alone that hold the same version already; without it "
        "they are copied again",
    )
    create_target_container: bool = Field(
        default=True, description="Create target_container where it is missing"
    )
    strict: bool = Field(
        default=False,
        description="Fail before anything is copied if any item would have to be quarantined",
    )
    h3_theme: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Theme of the collection's entry in h3.source_catalog",
        examples=["landcover"],
    )

    @field_validator("target_container")
    @classmethod
    def _is_another_container(cls, target: str, info: ValidationInfo) -> str:
        if target == info.data.get("source_container"):
            raise ValueError("must differ from source_container")
        return target
