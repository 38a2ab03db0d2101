"""Curated datasets: reference data that geoforge keeps current by itself.

`CuratedDefinition` is what a user says of a dataset, `CuratedDataset` that with what geoforge
knows of it. `source_config` holds what only the dataset's handler understands.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from core.addresses import SourceUrl
from core.models.feature_table import TableName
from core.own_words import or_else
from core.schedules import Schedule, ScheduleError

# Where a dataset without a schedule of its own is due: at 2 AM UTC.
NIGHTLY = "0 2 * * *"
JOB_TYPE = "curated_update"

_RESERVED_SCHEMAS = (
    "app", "pgstac", "geo_staging", "geo_versions", "geo_overviews", "information_schema", "h3",
)  # fmt: skip
_SETTING_NAME = re.compile(r"[A-Z][A-Z0-9_]{1,62}")

# A version of a source is the whole of it, or what has changed.
Delivers = Literal["snapshot", "increment"]


class SourceType(StrEnum):
    """How the source gives its data away."""

    API_BULK_DOWNLOAD = "api_bulk_download"
    API_PAGINATED = "api_paginated"
    MANUAL = "manual"


class UpdateStrategy(StrEnum):
    """Swap the whole table, or change the rows that differ."""

    FULL_REPLACE = "full_replace"
    UPSERT = "upsert"


class UpdateType(StrEnum):
    """Who began an update: the scheduler, a user here, or a job that was submitted as such."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    TRIGGERED = "triggered"


class UpdateStatus(StrEnum):
    """started -> downloading -> processing -> one of the four ends."""

    STARTED = "started"
    DOWNLOADING = "downloading"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class Drift(StrEnum):
    """How the columns of a new version can differ from those of the published one."""

    MISSING = "missing"
    NEW = "new"
    RETYPED = "retyped"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Gates(_Model):
    """What a new version must keep to be published without a person's word. None: no limit.

    The changes are against the published version; a first version has nothing to be held against.
    """

    min_rows: int = Field(default=1, ge=0, description="Fewest rows of a version")
    row_count_change_pct: float | None = Field(
        default=20.0, ge=0, description="Most change of the number of rows, in percent"
    )
    extent_change_pct: float | None = Field(
        default=25.0,
        ge=0,
        le=100,
        description="Most of the two bounding boxes' union that only one of them covers, percent",
    )
    invalid_pct: float | None = Field(
        default=5.0,
        ge=0,
        le=100,
        description="Most records in quarantine, in percent of those read, but for those that "
        "were superseded; an increment counts as 100 records at least",
    )
    refused_drift: tuple[Drift, ...] = Field(
        default=(Drift.MISSING, Drift.RETYPED), description="Changes of columns that are refused"
    )


_DatasetId = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_]{0,49}$"),
    or_else(
        "must be a name of lower-case letters, digits and _ that begins with a letter, of up to "
        "50 characters, such as wdpa"
    ),
]
_HandlerName = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_]{0,49}$"),
    or_else("must be the name of a handler: lower-case letters, digits and _, such as wdpa"),
]
_TableText = Annotated[
    str,
    Field(pattern=r"^curated_[a-z0-9_]{1,50}$"),
    or_else(
        "must begin with curated_ and go on with up to 50 lower-case letters, digits or _, such "
        "as curated_lakes"
    ),
]
_SchemaName = Annotated[
    str,
    Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$"),
    or_else(
        "must be a name of lower-case letters, digits and _ that does not begin with a digit, of "
        "up to 63 characters, such as geo"
    ),
]


class CuratedDefinition(_Model):
    """What a user says of a dataset."""

    dataset_id: _DatasetId = Field(
        description="Name of the dataset in addresses", examples=["wdpa"]
    )
    name: str = Field(min_length=1, max_length=200, description="Name for people")
    description: str | None = Field(default=None, max_length=4000, description="What it holds")
    source_type: SourceType = Field(
        default=SourceType.API_BULK_DOWNLOAD,
        description="How the source gives its data; manual is updated by hand only",
    )
    source_url: SourceUrl | None = Field(default=None, description="Address of the source")
    source_config: dict[str, Any] = Field(
        default_factory=dict, description="What the dataset's handler must know beside the address"
    )
    handler: _HandlerName | None = Field(
        default=None,
        description="Which handler knows the source; default: that of the dataset's name where "
        "there is one, else vector_file, which reads any vector file",
    )
    job_type: str = Field(default=JOB_TYPE, description="Job type that updates it")
    update_strategy: UpdateStrategy = Field(
        default=UpdateStrategy.FULL_REPLACE,
        description="full_replace swaps the table; upsert changes the rows that differ by key",
    )
    update_schedule: str | None = Field(
        default=None,
        max_length=120,
        description="When it is due, in UTC: five fields of cron, or six of NCRONTAB with seconds "
        "first; default: nightly at 2 AM",
        examples=["0 2 1 * *"],
    )
    credential_key: str | None = Field(
        default=None,
        description="Name of the setting that holds the credentials; never the secret itself",
        examples=["IBAT_AUTH_KEY"],
    )
    target_table_name: _TableText = Field(description="Table; begins with curated_")
    target_schema: _SchemaName = Field(default="geo", description="Schema of the table")
    enabled: bool = Field(
        default=False, description="Whether the scheduler updates it, if it has a schedule"
    )
    restricted: bool = Field(
        default=False, description="Whether its rows may be shown to holders of a function key only"
    )
    gates: Gates = Field(default_factory=Gates, description="What stops a version")
    keep_versions: int = Field(
        default=2, ge=0, le=50, description="Earlier versions that are kept for a rollback"
    )
    licence: str | None = Field(default=None, max_length=500, description="Terms of the data")
    attribution: str | None = Field(default=None, max_length=500, description="Whom to credit")

    @property
    def target(self) -> TableName:
        return TableName(schema_name=self.target_schema, table_name=self.target_table_name)

    @property
    def schedule(self) -> Schedule | None:
        """When it is due; None where it is updated by hand only."""
        if self.source_type is SourceType.MANUAL:
            return None
        return Schedule.parse(self.update_schedule or NIGHTLY)

    @field_validator("target_schema")
    @classmethod
    def _is_for_data(cls, schema: str) -> str:
        if schema in _RESERVED_SCHEMAS or schema.startswith("pg_"):
            raise ValueError(f"must not be {schema!r}, which geoforge or PostgreSQL works in")
        return schema

    @field_validator("update_schedule")
    @classmethod
    def _is_a_schedule(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                Schedule.parse(text)
            except ScheduleError as error:
                raise ValueError(str(error)) from None
        return text

    @field_validator("credential_key")
    @classmethod
    def _names_a_setting(cls, name: str | None) -> str | None:
        # The value is not repeated: it may be the secret that must not be here.
        if name is not None and not _SETTING_NAME.fullmatch(name):
            raise ValueError(
                "must be the name of a setting, such as IBAT_AUTH_KEY, and not the secret itself"
            )
        return name

    @model_validator(mode="after")
    def _manual_has_no_schedule(self) -> Self:
        if self.source_type is SourceType.MANUAL and self.update_schedule is not None:
            raise ValueError("update_schedule: a dataset whose source_type is manual has none")
        return self


class CuratedDataset(CuratedDefinition):
    """A dataset as it is registered.

    `revision` grows with every change of the definition. Only what falls due after
    `schedule_from` is run: when it was enabled, or its schedule changed. `rejected_version` is
    the source's version that an operator rolled back: it is not fetched again by itself.
    `source_version` is what is published.
    """

    handler: str
    revision: int
    schedule_from: datetime
    source_version: str | None
    rejected_version: str | None
    last_checked_at: datetime | None
    last_updated_at: datetime | None
    last_job_id: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def definition_digest(self) -> str:
        """SHA-256 of what the definition says of the source and of how it is read.

        Under another one, the same version of the source may become other rows.
        """
        reading = [self.handler, self.source_url, self.source_config]
        return hashlib.sha256(json.dumps(reading, sort_keys=True).encode()).hexdigest()
