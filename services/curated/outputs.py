"""What curated_update and curated_publish result in."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from core.job_definition import JobOutputs
from core.models.curated import Delivers


class RowChanges(JobOutputs):
    """How many rows a version changes; null where nothing was compared."""

    added: int | None = Field(description="Rows that are new")
    updated: int | None = Field(description="Rows with other values than before")
    deleted: int | None = Field(description="Rows that are gone")
    unchanged: int | None = Field(description="Rows that are as they were")


class GateVerdict(JobOutputs):
    """What one gate said."""

    gate: str = Field(description="Name of the gate")
    passed: bool = Field(description="Whether it lets the version pass")
    limit: JsonValue = Field(description="What it allows; null: everything")
    found: JsonValue = Field(description="What was found")
    message: str = Field(description="The verdict in words")


class CuratedOutputs(JobOutputs):
    """What came of an update. Of one that was skipped only the reason is known."""

    action: Literal["updated", "unchanged", "skipped", "planned"] = Field(
        description="updated: a version was published; unchanged: it has the rows of the one "
        "before; skipped: there was nothing new; planned: a dry run"
    )
    dataset_id: str = Field(description="The dataset", examples=["wdpa"])
    source_version: str = Field(description="Version that the source offered")
    reason: str | None = Field(description="Why the update was skipped")
    table: str | None = Field(
        description="Table of the dataset, with its schema", examples=["geo.curated_wdpa"]
    )
    source_url: str | None = Field(description="Address of the source, where it has one")
    version: int | None = Field(description="Version of the table that is published")
    delivers: Delivers | None = Field(
        description="Whether the source gave all records, or those that have changed"
    )
    changes: RowChanges | None = Field(description="What changed, or in a dry run would change")
    rows: int | None = Field(description="Rows of the table with this version")
    read: int | None = Field(description="Records that came in")
    loaded: int | None = Field(description="Records that became rows")
    quarantined: int | None = Field(description="Records that were set aside")
    gates: list[GateVerdict] | None = Field(description="What the gates said")
    report: str | None = Field(description="Path of the report of quality in the API")
    log_id: int | None = Field(description="Entry of the dataset's history")
