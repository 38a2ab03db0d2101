"""Layers as a survey finds them, and datasets as the registry has them, without either."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from core.models.curated import CuratedDataset
from core.models.feature_table import ColumnType
from services.vector.model import Chunk, Finding, Kind, SourceColumn, SourceLayer


def layer(
    *names: str, types: Mapping[str, ColumnType] | None = None, **geometry_types: int
) -> SourceLayer:
    """A layer with such attributes, texts unless told, and so many records of each geometry."""
    records = sum(geometry_types.values())
    return SourceLayer(
        name="layer",
        kind=Kind.FILE_GEODATABASE,
        driver="OpenFileGDB",
        member="release.gdb",
        features=records,
        columns=[
            SourceColumn(name=name, type=(types or {}).get(name, ColumnType.TEXT)) for name in names
        ],
        geometry_types=geometry_types,
        crs=Finding(value="EPSG:4326", confidence=1, source="file"),
        chunks=[Chunk(first_row=0, rows=records)] if records else [],
    )


def dataset(dataset_id: str, table: str, *, source_version: str | None = None) -> CuratedDataset:
    """A dataset that was registered just now."""
    now = datetime.now(UTC)
    return CuratedDataset(
        dataset_id=dataset_id,
        name=dataset_id,
        target_table_name=table,
        handler=dataset_id,
        revision=1,
        schedule_from=now,
        source_version=source_version,
        rejected_version=None,
        last_checked_at=None,
        last_updated_at=None,
        last_job_id=None,
        created_at=now,
        updated_at=now,
    )
