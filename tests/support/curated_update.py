"""Updates of a curated dataset whose rows a test writes by hand, from staging to the end.

`Staged` stands where stages 1 to 3 leave a job: its log is open, its layers are staged and
counted, its plan is in the workspace. What comes after that is the app's own.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from config import get_settings
from core.job_definition import JsonObject, TaskResult
from core.models.curated import CuratedDataset, Delivers, UpdateStatus, UpdateType
from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn
from core.models.vector_report import RecordCounts
from infrastructure import (
    blob_storage,
    database,
    publishing_repository,
    vector_report_repository,
)
from infrastructure import curated_updates_repository as updates_log
from infrastructure.copy_binary import encode_rows
from infrastructure.database import Connection
from jobs.curated_update import JOB
from services.curated import finalizing, handlers
from services.curated.handler import About, Handler, RemoteVersion, Style
from services.curated.parameters import CuratedUpdate
from services.publishing import attachments, checks, publish, staging
from services.vector.model import (
    Chunk,
    CleaningOptions,
    Finding,
    Kind,
    ReadOptions,
    SourceColumn,
    SourceLayer,
)
from services.vector.plan import ColumnPlan, LayerPlan, TablePlan
from services.vector.planning import Plan
from services.vector.source_files import SourceRef

SITES = FeatureTable(
    columns=(
        Column(name="site", type=ColumnType.TEXT),
        Column(name="name", type=ColumnType.TEXT),
        Column(name="area", type=ColumnType.REAL),
        Column(name="iso3", type=ColumnType.TEXT_ARRAY),
        Column(name="source_version", type=ColumnType.TEXT),
    ),
    geometry=GeometryColumn(type="Geometry", srid=4326),
)
STYLE = Style(
    style_id="sites",
    title="Sites",
    layers=({"id": "fill", "type": "fill", "paint": {"fill-color": "#080"}},),
    legend=({"label": "Site", "color": "#080", "kind": "fill"},),
)
_ARROW = {
    ColumnType.TEXT: pa.string(),
    ColumnType.REAL: pa.float64(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.TEXT_ARRAY: pa.list_(pa.string()),
}
_numbers = itertools.count(1)

# site, name, area, iso3, WKT.
SiteRow = tuple[Any, ...]


class SiteHandler(Handler):
    """Knows of sites; what it says of them can be changed by a test."""

    name = "sites"
    title = "Sites"
    offers = "v2"

    def __init__(self, **about: Any) -> None:
        self._about = About(
            **{
                "key_columns": ("site",),
                "ignored": ("source_version",),
                "indexed": ("iso3", "name"),
                "styles": (STYLE,),
                **about,
            }
        )

    def check(self, run: Any) -> RemoteVersion:
        return RemoteVersion(self.offers)

    def fetch(self, run: Any, remote: RemoteVersion, files: Any) -> SourceRef:
        raise NotImplementedError

    def describe(self, dataset: CuratedDataset) -> About:
        return self._about


def use_handler(monkeypatch: Any, **about: Any) -> None:
    """Let every dataset's handler be the one for sites."""
    handler = SiteHandler(**about)
    monkeypatch.setattr(handlers, "get", lambda name: handler)
    monkeypatch.setattr(handlers, "find", lambda name: handler)


def square(x: float, y: float = 0.0, size: float = 1.0) -> str:
    """A square by its lower left corner, as WKT."""
    return str(shapely.box(x, y, x + size, y + size).wkt)


def site(number: int, name: str | None = None, **changed: Any) -> SiteRow:
    """Site `number`: a square, 2 degrees beside the one before, in rows of 80."""
    values = {
        "name": name or f"Site {number}",
        "area": float(number),
        "iso3": ["KEN"],
        "geom": square(-80 + 2 * (number % 80), -40 + 2 * (number // 80)),
        **changed,
    }
    return (f"S{number}", values["name"], values["area"], values["iso3"], values["geom"])


class Memory:
    """A job's files, in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def read_bytes(self, name: str) -> bytes:
        return self.files[name]


@dataclass
class Staged:
    """A job that has been through the first three stages; a task context of the fourth."""

    dataset: CuratedDataset
    job_id: str
    parameters: CuratedUpdate
    workspace: Any
    stages: Mapping[str, Sequence[JsonObject]]
    log_id: int
    attempt: int = 1
    task: JsonObject = field(default_factory=dict)

    def results(self, stage: str) -> Iterator[TaskResult]:
        for number, result in enumerate(self.stages.get(stage, ())):
            yield TaskResult(number, {}, result)

    def check(self) -> None:
        """Nobody asks to stop."""

    def progress(self, **figures: Any) -> None:
        """Nobody looks."""

    def finalize(self) -> JsonObject:
        """What the last stage returns, which is as the job type declares it."""
        result = finalizing.finalize(self)
        assert JOB.misfits(result) == []
        return result


def staged(
    connection: Connection,
    dataset: CuratedDataset,
    rows: Sequence[SiteRow] = (),
    source_version: str = "v1",
    *,
    layers: Sequence[Sequence[SiteRow]] | None = None,
    dry_run: bool = False,
    read: int | None = None,
    source_columns: Mapping[str, ColumnType] | None = None,
    shape: FeatureTable = SITES,
    key_columns: Sequence[str] = ("site",),
    delivers: Delivers | None = None,
    deletions: Sequence[str] = (),
    job_id: str | None = None,
) -> Staged:
    """Stage the rows of one layer, or of several, and open the log of their job.

    `read` says how many records the first layer had; the others of them are in quarantine.
    `deletions` are the contents of files, which are stored.
    """
    job_id = job_id or hashlib.sha256(f"{dataset.dataset_id} {next(_numbers)}".encode()).hexdigest()
    published = publishing_repository.table(connection, dataset.target)
    log_id = updates_log.begin(
        connection, dataset.dataset_id, job_id, UpdateType.MANUAL, dry_run=dry_run
    )
    vector_report_repository.begin_report(connection, job_id, {"files": ["sites.gpkg"]}, {})
    types = source_columns or {each.name: each.type for each in shape.columns}
    plans = []
    with connection.transaction():
        for index, records in enumerate(layers or [rows]):
            plans.append(_layer(dataset, job_id, index, shape, types, key_columns))
            _fill(connection, plans[-1].tables[0], records, source_version)
            extra = (read or len(records)) - len(records) if index == 0 else 0
            counts = RecordCounts(
                read=len(records) + extra,
                loaded=len(records),
                quarantined={"bad_value": extra} if extra else {},
            )
            vector_report_repository.record_chunk(connection, job_id, index, 0, counts)
    plan = Plan(
        source=SourceRef(container="curated", path="sites.gpkg", blobs=()),
        read=ReadOptions(),
        layers=plans,
        notes=[],
    )
    workspace = Memory()
    workspace.files["plan.json"] = plan.model_dump_json().encode()
    return Staged(
        dataset=dataset,
        job_id=job_id,
        parameters=CuratedUpdate(dataset_id=dataset.dataset_id, dry_run=dry_run),
        workspace=workspace,
        stages={
            "check_source": [
                {
                    "action": "update",
                    "source_version": source_version,
                    "remote": {
                        "version": source_version,
                        "size": None,
                        "licence": "Public domain",
                        "facts": {},
                        "delivers": delivers,
                    },
                    "base_version": None if published is None else published.version,
                    "table_is_there": attachments.oid_of(connection, dataset.target) is not None,
                }
            ],
            "fetch_data": [
                {
                    "files": [{"blob": "sites.gpkg", "bytes": 1, "sha256": "0"}],
                    "definition_digest": dataset.definition_digest,
                },
                *(
                    {
                        "kind": "deletions",
                        "files": [_stored(job_id, number, content)],
                        "definition_digest": dataset.definition_digest,
                    }
                    for number, content in enumerate(deletions)
                ),
            ],
        },
        log_id=log_id,
    )


def _stored(job_id: str, number: int, content: str) -> JsonObject:
    """A file of deletions in the container of curated files, as stage 2 tells of it."""
    container, blob = get_settings().curated_container, f"sites/{job_id}/{number}.csv"
    blob_storage.ensure_container(container)
    blob_storage.write_bytes(container, blob, content.encode())
    return {
        "container": container,
        "blob": blob,
        "bytes": len(content.encode()),
        "etag": "",
        "sha256": hashlib.sha256(content.encode()).hexdigest(),
    }


def fails(connection: Connection, job: Staged, error: Any) -> None:
    """End a job's entry in the log as the engine's hook does when its task has failed."""
    updates_log.finish(
        connection,
        job.job_id,
        UpdateStatus.FAILED,
        error_code=error.error_code,
        error_message=error.message,
    )


def publish_beside(connection: Connection, dataset: CuratedDataset, rows: Sequence[SiteRow]) -> int:
    """Publish a version of the table that the registry knows nothing of; its number."""
    job_id = hashlib.sha256(f"beside {next(_numbers)}".encode()).hexdigest()
    table = TablePlan(
        dimension=None, target=dataset.target, staged=staging.staged_name(job_id, 0), shape=SITES
    )
    with connection.transaction():
        _fill(connection, table, rows, "by hand")
        checks.finish(connection, table.staged, SITES, key_columns=("site",))
        done = publish.publish(
            connection,
            dataset.target,
            table.staged,
            SITES,
            mode="replace",
            key_columns=("site",),
            provenance=publish.Provenance(job_id=job_id, source="by hand"),
        )
    return done.version


def contents(dataset: CuratedDataset) -> dict[str, tuple[Any, ...]]:
    """The published rows by their key, geometries as hexadecimal EWKB."""
    with database.transaction() as connection:
        rows = connection.execute(
            f"SELECT site, name, area, iso3, source_version, geom::text AS geom"
            f" FROM {dataset.target}"
        ).fetchall()
    found = {row["site"]: tuple(row.values()) for row in rows}
    assert len(found) == len(rows)
    return found


def _layer(
    dataset: CuratedDataset,
    job_id: str,
    index: int,
    shape: FeatureTable,
    types: Mapping[str, ColumnType],
    key_columns: Sequence[str],
) -> LayerPlan:
    crs = Finding(value="EPSG:4326", confidence=1, source="file")
    return LayerPlan(
        index=index,
        layer=SourceLayer(
            name=f"layer {index}",
            kind=Kind.GEOPACKAGE,
            driver="GPKG",
            member="sites.gpkg",
            features=None,
            columns=[SourceColumn(name=name, type=type_) for name, type_ in types.items()],
            geometry_types={"Polygon": 1},
            crs=crs,
            chunks=[Chunk(first_row=0, rows=None)],
        ),
        columns=[ColumnPlan(source=each.name, column=each) for each in shape.columns],
        cleaning=CleaningOptions(source_crs="EPSG:4326", target_crs="EPSG:4326"),
        key_columns=list(key_columns),
        tables=[
            TablePlan(
                dimension=None,
                target=dataset.target,
                staged=staging.staged_name(job_id, index),
                shape=shape,
            )
        ],
    )


def _fill(
    connection: Connection, table: TablePlan, rows: Sequence[SiteRow], source_version: str
) -> None:
    staging.create(connection, table.staged, table.shape)
    values = [(*row[:-1], source_version) for row in rows]
    columns = [
        pa.array([row[position] for row in values], _ARROW[column.type])
        for position, column in enumerate(table.shape.columns)
    ]
    wkt = np.array([row[-1] for row in rows], dtype=object)
    with staging.copy_into(connection, table.staged, table.shape) as write:
        write(
            encode_rows(
                table.shape,
                gid=np.arange(1, len(rows) + 1),
                columns=columns,
                geometry=shapely.to_wkb(shapely.from_wkt(wkt)),
                hashes=np.arange(len(rows), dtype=np.int64),
            )
        )
