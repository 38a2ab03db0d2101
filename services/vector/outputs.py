"""What process_vector results in."""

from __future__ import annotations

from pydantic import Field

from core.job_definition import JobOutputs


class LoadedTable(JobOutputs):
    """One table that was published."""

    table: str = Field(description="The table with its schema", examples=["geo.parks"])
    schema_name: str = Field(description="Schema of the table", examples=["geo"])
    table_name: str = Field(description="Name of the table in its schema", examples=["parks"])
    layer: str = Field(description="Layer of the file that its rows come from")
    loaded: int = Field(description="Records of the file that are in it")
    rows: int = Field(description="All rows that it has now")
    added: int = Field(description="Rows that are new")
    updated: int = Field(description="Rows that took the place of earlier ones")
    unchanged: int = Field(description="Rows that were there already")
    version: int = Field(description="Version of the table that was published")
    bbox: tuple[float, float, float, float] | None = Field(
        description="Extent: west, south, east, north in degrees; null without any geometry"
    )


class VectorOutputs(JobOutputs):
    """The counts of a file, and the tables that it became."""

    read: int = Field(description="Records of the file")
    loaded: int = Field(description="Records that are in the tables")
    quarantined: int = Field(description="Records that were set aside")
    repaired: int = Field(description="Records in which something was repaired")
    quarantined_by_reason: dict[str, int] = Field(
        description="How many records were set aside for which reason"
    )
    tables: list[LoadedTable] = Field(description="The tables, in the order of their names")
    report: str = Field(description="Path of the report of quality in the API")
