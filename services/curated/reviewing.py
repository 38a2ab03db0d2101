"""What a staged version would change, and what the gates say of that. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from psycopg import sql

from core.errors import PermanentTaskError
from core.job_definition import JsonObject
from core.models.curated import CuratedDataset, UpdateStrategy
from core.models.feature_table import TableName
from infrastructure import (
    curated_versions_repository,
    publishing_repository,
    vector_report_repository,
)
from infrastructure.curated_versions_repository import CuratedVersion
from infrastructure.database import Connection
from infrastructure.publishing_repository import PublishedTable
from services.curated import comparing
from services.curated.comparing import Difference, Rows
from services.curated.gates import Figures, Verdict, judge
from services.curated.handler import About
from services.publishing import attachments, checks, extent
from services.publishing.definitions import identifier, identifiers, staged
from services.publishing.extent import Extent
from services.vector.model import Reason

_NOTHING = Extent(rows=0, geometries=0, bbox=None)


@dataclass(frozen=True, slots=True)
class Review:
    """What a version would make of the published table; `figures` are of the table then."""

    difference: Difference
    figures: Figures
    verdicts: tuple[Verdict, ...]

    @property
    def refused(self) -> list[Verdict]:
        """The verdicts of the gates that do not let it pass."""
        return [verdict for verdict in self.verdicts if not verdict.passed]

    @property
    def changes(self) -> JsonObject:
        """The plan as it is kept and shown: counts and samples of rows, and the figures."""
        figures = self.figures
        return {
            **self.difference.as_json(),
            "rows_before": figures.published_rows,
            "rows": figures.rows,
            "row_count_change_pct": _rounded(figures.row_count_change_pct),
            "bbox_before": figures.published_bbox,
            "bbox": figures.bbox,
            "extent_change_pct": _rounded(figures.extent_change_pct),
            "columns": {kind.value: columns for kind, columns in figures.drift.items()},
        }

    @property
    def gates(self) -> list[JsonObject]:
        """The verdicts as they are kept and shown."""
        return [verdict.as_json() for verdict in self.verdicts]


def removes_missing(dataset: CuratedDataset, version: CuratedVersion) -> bool:
    """Whether rows that do not come in again go."""
    is_replaced = dataset.update_strategy is UpdateStrategy.FULL_REPLACE
    return is_replaced or version.delivers == "snapshot"


def review(
    connection: Connection,
    dataset: CuratedDataset,
    about: About,
    version: CuratedVersion,
    check: Callable[[], None],
) -> Review:
    """Hold a staged version against what is published, and judge it by the dataset's gates.

    Raises `PermanentTaskError` (keys_not_unique) where an upsert cannot tell rows apart that are
    published without a key.
    """
    assert version.staged is not None
    published = _published(connection, dataset.target)
    is_whole = removes_missing(dataset, version)
    if published is None:
        difference = comparing.first_version(version.rows)
        before = _NOTHING
    else:
        with checks.in_parallel(connection):
            before = extent.look_up(connection, dataset.target, published.shape)
        in_place = dataset.update_strategy is UpdateStrategy.UPSERT
        difference = comparing.compare(
            connection,
            Rows(
                dataset.target,
                published.shape,
                _keys_to_match(connection, dataset.target, published, version)
                if in_place
                else published.key_columns,
            ),
            Rows(staged(version.staged), version.shape, version.key_columns),
            ignored=about.ignored,
            keeps_missing_rows=not is_whole,
            keeps_missing_columns=in_place,
            deletions=None if version.deletions is None else staged(version.deletions),
            check=check,
        )
    current = curated_versions_repository.current(connection, dataset.target)
    figures = Figures(
        read=version.read,
        faulty=version.quarantined - _superseded(connection, version),
        rows=before.rows + difference.added - difference.deleted,
        bbox=version.bbox if is_whole else extent.together(before.bbox, version.bbox),
        columns=version.source_columns,
        is_increment=not is_whole,
        published_rows=None if published is None else before.rows,
        published_bbox=before.bbox,
        published_columns=None if current is None else current.source_columns,
    )
    return Review(difference, figures, tuple(judge(dataset.gates, figures)))


def _superseded(connection: Connection, version: CuratedVersion) -> int:
    """How many of the version's records are in quarantine for a newer word on them."""
    layers = vector_report_repository.totals(connection, version.job_id).values()
    return sum(layer.quarantined.get(Reason.SUPERSEDED, 0) for layer in layers)


def _published(connection: Connection, target: TableName) -> PublishedTable | None:
    """What is recorded of the published table, None also where it was dropped by someone."""
    if attachments.oid_of(connection, target) is None:
        return None
    return publishing_repository.table(connection, target)


def _keys_to_match(
    connection: Connection, target: TableName, published: PublishedTable, version: CuratedVersion
) -> tuple[str, ...]:
    """By what an upsert finds rows of the published table: one that has no key yet gets it.

    Raises `PermanentTaskError` (keys_not_unique), as publishing would.
    """
    keys, names = version.key_columns, {column.name for column in published.shape.columns}
    if published.key_columns or not keys or not names.issuperset(keys):
        return published.key_columns
    repeated = connection.execute(
        sql.SQL(
            "SELECT FROM {} WHERE ({}) IS NOT NULL GROUP BY {} HAVING count(*) > 1 LIMIT 1"
        ).format(
            identifier(target), sql.SQL("ROW({})").format(identifiers(keys)), identifiers(keys)
        )
    )
    if repeated.rowcount:
        raise PermanentTaskError(
            f"Rows of {target} share a key ({', '.join(keys)}), so that an upsert cannot tell them "
            "apart. Set update_strategy to full_replace.",
            code="keys_not_unique",
            table=str(target),
        )
    return keys


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
