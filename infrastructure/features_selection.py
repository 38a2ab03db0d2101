"""Which rows of a published table a request asks for, and that as SQL.

The planner can use the table's GiST index for a box, its primary key for the place where a page
begins, and an index on a column for a value or a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg import sql

from core.models.feature_table import GEOMETRY_COLUMN, ColumnType, FeatureTable

WGS84 = 4326

# Reprojection puts a point on the edge of a box a hair's breadth beside it. What is served has
# nine digits, so it cannot be told from the edge.
_REPROJECTION_DEGREES = 5e-10

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Area:
    """A box: least x, least y, greatest x, greatest y, in CRS84 or in the table's own CRS.

    `stored` are bounds in the table's own CRS that enclose a box in another; None where no such
    bounds are known.
    """

    box: Bounds
    srid: int = WGS84
    stored: Bounds | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` to `end`, both included, in UTC; None is open. An instant has them equal."""

    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Selection:
    """All that is given must hold.

    `areas` are alternatives (a box across the antimeridian has two parts). `heights` are the
    least and the greatest z. `values` are columns and what they must equal, each as its
    `ColumnType` has it; a column of lists must hold the item. `after` is the gid behind which
    a page begins.
    """

    areas: tuple[Area, ...] = ()
    heights: tuple[float, float] | None = None
    period: Period | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    after: int | None = None

    @property
    def is_filter(self) -> bool:
        """Whether it leaves rows away, other than those of earlier pages."""
        return bool(self.areas or self.heights or self.period or self.values)


@dataclass(frozen=True, slots=True)
class Condition:
    """An SQL expression and the parameters that it names."""

    expression: sql.Composable
    parameters: Mapping[str, Any]


def condition(selection: Selection, shape: FeatureTable, datetime_column: str | None) -> Condition:
    """The selection as a condition on a table of this shape.

    As OGC API - Features asks, a feature that has no geometry matches every box, and one that
    has no time every period (/req/core/fc-bbox-response C, /req/core/fc-time-response C).
    """
    parameters: dict[str, Any] = {}
    parts = [
        *_places(selection, shape, parameters),
        *_times(selection.period, shape, datetime_column, parameters),
        *_values(selection.values, shape, parameters),
    ]
    if selection.after is not None:
        parts.append(sql.SQL("gid > %(after)s"))
        parameters["after"] = selection.after
    return Condition(sql.SQL(" AND ").join(parts) if parts else sql.SQL("true"), parameters)


def _places(
    selection: Selection, shape: FeatureTable, parameters: dict[str, Any]
) -> Iterator[sql.Composable]:
    geometry = shape.geometry
    if geometry is None or not selection.areas:
        return
    column = sql.Identifier(GEOMETRY_COLUMN)
    alternatives: list[sql.Composable] = [sql.SQL("{} IS NULL").format(column)]
    for number, area in enumerate(selection.areas):
        box = _envelope(f"area{number}", area.box, area.srid, parameters)
        if area.srid == geometry.srid:
            alternatives.append(sql.SQL("ST_Intersects({}, {})").format(column, box))
            continue
        # Inside coalesce, since the planner takes an intersection of what it has no statistics of
        # for the rarest of things, and then reads all of a large box to find the first page.
        served = sql.SQL(
            "coalesce(ST_Intersects(ST_Transform({}, {}), ST_Expand({}, {})), false)"
        ).format(column, sql.Literal(area.srid), box, sql.Literal(_REPROJECTION_DEGREES))
        if area.stored is not None:
            near = _envelope(f"stored{number}", area.stored, geometry.srid, parameters)
            served = sql.SQL("({} && {} AND {})").format(column, near, served)
        alternatives.append(served)
    yield sql.SQL("({})").format(sql.SQL(" OR ").join(alternatives))
    if selection.heights is not None and geometry.has_z:
        parameters["lowest"], parameters["highest"] = selection.heights
        yield sql.SQL(
            "({0} IS NULL OR (ST_ZMax({0}) >= %(lowest)s AND ST_ZMin({0}) <= %(highest)s))"
        ).format(column)


def _envelope(name: str, bounds: Bounds, srid: int, parameters: dict[str, Any]) -> sql.Composable:
    names = [f"{name}_{side}" for side in ("west", "south", "east", "north")]
    parameters.update(zip(names, bounds, strict=True))
    west, south, east, north = (
        sql.SQL("{}::float8").format(sql.Placeholder(each)) for each in names
    )
    # Unlike ST_MakeEnvelope, this makes a point or a line of a box without width or height: as a
    # polygon it would be invalid, and meet nothing.
    return sql.SQL(
        "ST_Envelope(ST_SetSRID(ST_MakeLine(ST_MakePoint({}, {}), ST_MakePoint({}, {})), {}))"
    ).format(west, south, east, north, sql.Literal(srid))


def _times(
    period: Period | None,
    shape: FeatureTable,
    datetime_column: str | None,
    parameters: dict[str, Any],
) -> Iterator[sql.Composable]:
    kinds = {column.name: column.type for column in shape.columns}
    if period is None or datetime_column is None or datetime_column not in kinds:
        return
    column, kind = sql.Identifier(datetime_column), kinds[datetime_column]
    bounds: list[sql.Composable] = []
    for name, operator, moment in (("start", ">=", period.start), ("end", "<=", period.end)):
        if moment is not None:
            parameters[name] = _as_stored(moment, kind)
            bounds.append(
                sql.SQL("{} {} {}::{}").format(
                    column, sql.SQL(operator), sql.Placeholder(name), sql.SQL(kind.value)
                )
            )
    yield sql.SQL("({} IS NULL OR ({}))").format(column, sql.SQL(" AND ").join(bounds))


def _as_stored(moment: datetime, kind: ColumnType) -> Any:
    """The moment as a column of this type has it; times without a zone are taken as UTC.

    A day begins and ends in UTC, and a moment falls on one day.
    """
    moment = moment.astimezone(UTC)
    if kind is ColumnType.DATE:
        return moment.date()
    return moment.replace(tzinfo=None) if kind is ColumnType.TIMESTAMP else moment


def _values(
    values: Mapping[str, Any], shape: FeatureTable, parameters: dict[str, Any]
) -> Iterator[sql.Composable]:
    kinds = {column.name: column.type for column in shape.columns}
    for number, (name, value) in enumerate(values.items()):
        parameters[f"value{number}"] = value
        if kinds[name] is ColumnType.TEXT_ARRAY:
            # As a list, since a GIN index knows lists within lists, and not items of them.
            yield sql.SQL("{} @> ARRAY[{}::text]").format(
                sql.Identifier(name), sql.Placeholder(f"value{number}")
            )
            continue
        yield sql.SQL("{} = {}::{}").format(
            sql.Identifier(name),
            sql.Placeholder(f"value{number}"),
            sql.SQL(kinds[name].value),
        )
