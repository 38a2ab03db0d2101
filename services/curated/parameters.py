"""The parameters of curated_update and curated_publish."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from core.job_definition import JobParameters
from core.models.curated import UpdateType

_DATASET = Field(
    pattern=r"^[a-z][a-z0-9_]{0,49}$", description="Dataset of the registry", examples=["wdpa"]
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


class CuratedPublish(JobParameters):
    """Publish a version that a gate stopped."""

    dataset_id: str = _DATASET
    version_id: int = Field(ge=1, description="The version that is held (app.curated_versions)")
    request_id: str | None = Field(
        default=None, max_length=64, description="Tells one request from the next"
    )
