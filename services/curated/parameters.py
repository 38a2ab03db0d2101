"""The parameters of curated_update and curated_publish."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import Field, model_validator

from core.blob_names import BlobPath
from core.days import Day
from core.job_definition import JobParameters
from core.models.curated import UpdateType
from core.picking import picks
from services.data_container import DataContainer

_DATASET = Field(
    pattern=r"^[a-z][a-z0-9_]{0,49}$",
    description="Dataset of the registry",
    examples=["wdpa"],
    json_schema_extra=picks("dataset"),
)


class CuratedUpdate(JobParameters):
    """`due_at` makes a scheduled run the one of its kind, `request_id` a manual one."""

    dataset_id: str = _DATASET
    update_type: UpdateType = Field(
        default=UpdateType.TRIGGERED, description="What began the update"
    )
    due_at: datetime | None = Field(
        default=None, description="When a scheduled update fell due, in UTC"
    )
    request_id: str | None = Field(
        default=None, max_length=64, description="Tells one request by hand from the next"
    )
    force_update: bool = Field(
        default=False, description="Fetch and publish also what is published already"
    )
    dry_run: bool = Field(
        default=False, description="Do everything but publish, and say what would change"
    )
    from_date: Day | None = Field(
        default=None, description="Backfill: first day whose records are read again"
    )
    to_date: Day | None = Field(
        default=None, description="Backfill: last day whose records are read again"
    )
    container_name: DataContainer | None = Field(
        default=None,
        description="Container of an uploaded file to read instead of the source",
        json_schema_extra=picks("container"),
    )
    blob_name: BlobPath | None = Field(
        default=None,
        description="Path of that file",
        json_schema_extra=picks("blob", of="container_name"),
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if (self.container_name is None) != (self.blob_name is None):
            raise ValueError("container_name and blob_name go together")
        if self.from_date and self.to_date and self.from_date > self.to_date:
            raise ValueError("from_date must not be after to_date")
        return self


class CuratedPublish(JobParameters):
    """Publish a version that a gate stopped."""

    dataset_id: str = _DATASET
    version_id: int = Field(ge=1, description="The version that is held (app.curated_versions)")
    request_id: str | None = Field(
        default=None, max_length=64, description="Tells one request from the next"
    )
