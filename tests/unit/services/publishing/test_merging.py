"""What a table becomes when rows of another shape are added."""

from __future__ import annotations

import pytest

from core.errors import PermanentTaskError
from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn, TableName
from services.publishing.merging import differences, merged

TARGET = TableName(table_name="parks")


def table(geometry: GeometryColumn | None = None, **columns: ColumnType) -> FeatureTable:
    return FeatureTable(
        columns=tuple(Column(name=name, type=kind) for name, kind in columns.items()),
        geometry=geometry,
    )


def geometry(type_: str, srid: int = 4326, z: bool = False) -> GeometryColumn:
    return GeometryColumn.model_validate({"type": type_, "srid": srid, "has_z": z})


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        (ColumnType.INTEGER, ColumnType.INTEGER, ColumnType.INTEGER),
        (ColumnType.INTEGER, ColumnType.REAL, ColumnType.REAL),
        (ColumnType.REAL, ColumnType.INTEGER, ColumnType.REAL),
        (ColumnType.REAL, ColumnType.TEXT, ColumnType.TEXT),
        (ColumnType.TEXT, ColumnType.DATE, ColumnType.TEXT),
    ],
)
def test_types_widen(old: ColumnType, new: ColumnType, result: ColumnType) -> None:
    assert merged(TARGET, table(a=old), table(a=new)) == table(a=result)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ColumnType.DATE, ColumnType.TEXT),
        (ColumnType.BOOLEAN, ColumnType.INTEGER),
        (ColumnType.INTEGER, ColumnType.DATE),
        (ColumnType.JSON, ColumnType.TEXT),
    ],
)
def test_types_that_do_not_fit_are_both_named(old: ColumnType, new: ColumnType) -> None:
    with pytest.raises(PermanentTaskError, match=f"{old.value}.*{new.value}"):
        merged(TARGET, table(a=old), table(a=new))
    assert merged(TARGET, table(a=old), table(a=new), empty={"a"}) == table(a=old)


def test_new_columns_come_last_and_differences_are_told() -> None:
    old, new = (
        table(a=ColumnType.TEXT, b=ColumnType.DATE),
        table(c=ColumnType.REAL, a=ColumnType.TEXT),
    )
    assert merged(TARGET, old, new) == table(
        a=ColumnType.TEXT, b=ColumnType.DATE, c=ColumnType.REAL
    )
    assert differences(old, new) == {"columns_added": ["c"], "columns_missing": ["b"]}
    assert differences(old, old) == {}


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        (geometry("Polygon"), geometry("MultiPolygon"), geometry("MultiPolygon")),
        (geometry("MultiPolygon"), geometry("Polygon"), geometry("MultiPolygon")),
        (geometry("Geometry"), geometry("Point"), geometry("Geometry")),
        (geometry("Point", z=True), geometry("Point"), geometry("Point", z=True)),
        (geometry("Point"), None, geometry("Point")),
    ],
)
def test_geometries_are_promoted(
    old: GeometryColumn, new: GeometryColumn | None, result: GeometryColumn
) -> None:
    assert merged(TARGET, table(old), table(new)).geometry == result


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (geometry("Point"), geometry("Polygon"), "holds Point.*Polygon"),
        (geometry("Point"), geometry("Geometry"), "holds Point.*Geometry"),
        (geometry("Point"), geometry("Point", srid=3857), "EPSG:4326.*EPSG:3857.*target_crs"),
        (geometry("Point"), geometry("Point", z=True), "drop_z"),
        (None, geometry("Point"), "no geometries"),
    ],
)
def test_geometries_that_do_not_fit_are_refused(
    old: GeometryColumn | None, new: GeometryColumn, says: str
) -> None:
    with pytest.raises(PermanentTaskError, match=says):
        merged(TARGET, table(old), table(new))
