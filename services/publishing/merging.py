"""The table that is left when rows of one shape are added to a table of another. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from core.errors import PermanentTaskError
from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn, TableName

# What can take the values of what: each type takes those before it.
_WIDENING = (ColumnType.INTEGER, ColumnType.REAL, ColumnType.TEXT)


def merged(
    target: TableName,
    published: FeatureTable,
    incoming: FeatureTable,
    *,
    empty: Collection[str] = (),
) -> FeatureTable:
    """The published columns, widened where needed, then the new ones.

    `empty` are incoming columns without any value: those fit every type. Raises
    `PermanentTaskError` (columns_differ, geometry_differs) naming both types.
    """
    arriving = {column.name: column for column in incoming.columns}
    columns = [
        _merged_column(target, column, arriving[column.name])
        if column.name in arriving and column.name not in empty
        else column
        for column in published.columns
    ]
    known = {column.name for column in columns}
    columns += [column for column in incoming.columns if column.name not in known]
    return FeatureTable(
        columns=tuple(columns),
        geometry=_merged_geometry(target, published.geometry, incoming.geometry),
    )


def differences(published: FeatureTable, incoming: FeatureTable) -> Mapping[str, list[str]]:
    """What whoever adds rows may want to know: {columns_added, columns_missing}, where any."""
    before = [column.name for column in published.columns]
    after = [column.name for column in incoming.columns]
    found = {
        "columns_added": [name for name in after if name not in before],
        "columns_missing": [name for name in before if name not in after],
    }
    return {name: columns for name, columns in found.items() if columns}


def _merged_column(target: TableName, old: Column, new: Column) -> Column:
    if new.type is old.type or old.type is ColumnType.TEXT:
        return old
    if old.type in _WIDENING and new.type in _WIDENING:
        wider = max(old.type, new.type, key=_WIDENING.index)
        return old.model_copy(update={"type": wider})
    raise PermanentTaskError(
        f"Column {old.name!r} of {target} holds {old.type}, and the new rows have {new.type} "
        f"there. Set column_types to {{{old.name!r}: ...}}, or replace the table.",
        code="columns_differ",
        column=old.name,
        table=str(target),
    )


def _merged_geometry(
    target: TableName, old: GeometryColumn | None, new: GeometryColumn | None
) -> GeometryColumn | None:
    if old is None and new is None:
        return None
    if new is None:
        return old
    if old is None:
        raise _differs(target, "has no geometries, and the new rows have some")
    if old.srid != new.srid:
        raise _differs(
            target, f"is in EPSG:{old.srid} and the new rows in EPSG:{new.srid}: set target_crs"
        )
    if new.has_z and not old.has_z:
        raise _differs(target, "has no heights, and the new rows have some: set drop_z to true")
    if old.type in (new.type, "Geometry"):
        return old
    if old.type.removeprefix("Multi") == new.type.removeprefix("Multi"):
        multi = old if old.type.startswith("Multi") else new
        return old.model_copy(update={"type": multi.type})
    raise _differs(target, f"holds {old.type}, and the new rows {new.type}")


def _differs(target: TableName, how: str) -> PermanentTaskError:
    return PermanentTaskError(
        f"The geometries do not fit: {target} {how}, or replace the table.",
        code="geometry_differs",
        table=str(target),
    )
