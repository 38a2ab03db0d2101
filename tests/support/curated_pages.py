"""Published versions of a curated dataset of parks, with its styles and its log, for the pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.models.curated import CuratedDataset, UpdateStatus, UpdateType
from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn
from infrastructure import curated_updates_repository as updates_log
from infrastructure import curated_versions_repository as versions
from infrastructure.curated_updates_repository import Counts
from infrastructure.curated_versions_repository import CuratedVersion
from infrastructure.database import Connection
from services.curated import publication
from services.curated.handler import About, Style
from services.curated.protected_area_styles import WDPA_BY_CATEGORY
from tests.support.curated_datasets import begin, register, stage_version

# A name as a source may have it, which must not become a part of the page.
HOSTILE = "<img src=x onerror='window.broken = 1'> & Sons"
CATEGORIES = ("Ia", "Ib", "II", "III", "IV", "V", "VI", "Not Reported")
SHAPE = FeatureTable(
    columns=(
        Column(name="code", type=ColumnType.INTEGER),
        Column(name="name", type=ColumnType.TEXT),
        Column(name="iucn_cat", type=ColumnType.TEXT),
    ),
    geometry=GeometryColumn(type="Geometry", srid=4326),
)
PLAIN = Style(
    style_id="plain",
    title="All alike",
    layers=({"id": "all", "type": "fill", "paint": {"fill-color": "#3366cc"}},),
    legend=({"label": "Park", "color": "#3366cc", "kind": "fill"},),
)
ABOUT = About(key_columns=("code",), styles=(WDPA_BY_CATEGORY, PLAIN))


def park(code: int, name: str | None = None) -> tuple[Any, ...]:
    """One of the parks: squares of 4 degrees side by side from Lisbon eastwards, in three rows."""
    west, south = -10 + code % 8 * 6, 36 + code // 8 * 6
    ring = ((0, 0), (4, 0), (4, 4), (0, 4), (0, 0))
    text = ", ".join(f"{west + x} {south + y}" for x, y in ring)
    return code, name or f"Park {code}", CATEGORIES[code % len(CATEGORIES)], f"POLYGON(({text}))"


def parks(count: int = 20) -> list[tuple[Any, ...]]:
    """The first one has a hostile name."""
    return [park(code, HOSTILE if code == 0 else None) for code in range(count)]


def registered(connection: Connection, dataset_id: str, **fields: Any) -> CuratedDataset:
    """A dataset of parks."""
    return register(
        connection,
        dataset_id=dataset_id,
        **{
            "name": "Parks of Europe",
            "description": "What the parks board knows",
            "source_url": "https://data.example.org/parks.gpkg",
            "attribution": "Parks Board & <b>Co</b>",
            "target_table_name": f"curated_{dataset_id}",
            **fields,
        },
    )


def published(
    connection: Connection,
    dataset: CuratedDataset,
    rows: Sequence[Sequence[Any]],
    *,
    source_version: str,
    changes: dict[str, int] | None = None,
) -> CuratedVersion:
    """Publish rows as an update does at its end, with its log."""
    job_id = begin(connection, dataset.dataset_id, status="completed")
    counts = changes or {"added": len(rows), "updated": 0, "deleted": 0, "unchanged": 0}
    updates_log.begin(connection, dataset.dataset_id, job_id, UpdateType.SCHEDULED)
    current = versions.current(connection, dataset.target)
    version = stage_version(
        connection,
        dataset,
        job_id,
        rows,
        source_version=source_version,
        table=SHAPE,
        base_version=None if current is None else current.version,
    )
    with connection.transaction():
        publication.publish_version(
            connection,
            dataset,
            ABOUT,
            version,
            changes=plan(**counts, rows=len(rows)),
            gates=verdicts(),
            job_id=job_id,
            check=lambda: None,
        )
    return version


def held(
    connection: Connection,
    dataset: CuratedDataset,
    rows: Sequence[Sequence[Any]],
    *,
    source_version: str,
) -> CuratedVersion:
    """A version that a gate stopped, and the attempt that failed for it."""
    job_id = begin(connection, dataset.dataset_id, status="failed")
    updates_log.begin(connection, dataset.dataset_id, job_id, UpdateType.SCHEDULED)
    current = versions.current(connection, dataset.target)
    version = stage_version(
        connection,
        dataset,
        job_id,
        rows,
        source_version=source_version,
        table=SHAPE,
        base_version=None if current is None else current.version,
    )
    changes = plan(added=0, updated=1, deleted=15, unchanged=4, rows=len(rows))
    gates = verdicts(failed="row_count_change_pct")
    versions.hold(connection, version.version_id, changes, gates)
    updates_log.finish(
        connection,
        job_id,
        UpdateStatus.FAILED,
        source_version=source_version,
        error_code="gate_failed",
        error_message=f"{source_version} is held back. {gates[1]['message']}",
        details={"changes": changes, "gates": gates},
    )
    return version


def dry_run(connection: Connection, dataset: CuratedDataset, *, source_version: str) -> str:
    """An attempt that said what would change; its job."""
    job_id = begin(connection, dataset.dataset_id, status="completed")
    updates_log.begin(connection, dataset.dataset_id, job_id, UpdateType.MANUAL, dry_run=True)
    updates_log.finish(
        connection,
        job_id,
        UpdateStatus.COMPLETED,
        source_version=source_version,
        counts=Counts(quarantined=0),
        details={
            "changes": plan(added=2, updated=1, deleted=0, unchanged=19, rows=22),
            "gates": verdicts(),
        },
    )
    return job_id


def attempt(connection: Connection, dataset_id: str, status: UpdateStatus, **outcome: Any) -> str:
    """An attempt that came to this end; its job."""
    job_id = begin(connection, dataset_id, status="completed")
    updates_log.begin(connection, dataset_id, job_id, UpdateType.MANUAL)
    updates_log.finish(connection, job_id, status, **outcome)
    return job_id


def under_way(connection: Connection, dataset_id: str) -> str:
    """An attempt that goes on; its job."""
    job_id = begin(connection, dataset_id, status="running")
    updates_log.begin(connection, dataset_id, job_id, UpdateType.MANUAL)
    return job_id


def plan(*, added: int, updated: int, deleted: int, unchanged: int, rows: int) -> dict[str, Any]:
    """The plan of an update, as its review has it."""

    def keys(count: int) -> list[dict[str, Any]]:
        return [{"key": {"code": number}} for number in range(min(count, 20))]

    return {
        "by": "key",
        "added": added,
        "updated": updated,
        "deleted": deleted,
        "unchanged": unchanged,
        "added_sample": keys(added),
        "updated_sample": [{**key, "columns": ["name", "geom"]} for key in keys(updated)],
        "deleted_sample": keys(deleted),
        "rows": rows,
        "rows_before": rows - added + deleted,
        "row_count_change_pct": 0.0,
        "bbox": None,
        "bbox_before": None,
        "extent_change_pct": 12.5,
        "columns": {"missing": {}, "new": {"remarks": "text"}, "retyped": {}},
    }


def verdicts(*, failed: str | None = None) -> list[dict[str, Any]]:
    """What the gates said of a version."""
    messages = {
        "min_rows": "It has 5 rows; at least 1 are wanted.",
        "row_count_change_pct": "The number of rows changes by 75%, from 20 to 5. "
        "The limit is 20%.",
        "extent_change_pct": "12.5% of what both extents cover together is in one of them only.",
        "invalid_pct": "0 of 20 records, 0%, are in quarantine.",
        "schema_drift": "New in the source: remarks.",
    }
    return [
        {"gate": gate, "passed": gate != failed, "limit": 20, "found": 12, "message": message}
        for gate, message in messages.items()
    ]
