"""What becomes of layers: the names, columns, geometries and dimensions of their tables."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import PermanentTaskError
from core.models.feature_table import (
    Column,
    ColumnType,
    FeatureTable,
    GeometryColumn,
    TableName,
)
from services.vector.model import Chunk, Finding, Kind, SourceColumn, SourceLayer
from services.vector.parameters import ProcessVector
from services.vector.plan import LayerPlan
from services.vector.planning import plan_layers


def column(name: str, type_: ColumnType = ColumnType.TEXT, **fields: Any) -> SourceColumn:
    return SourceColumn(name=name, type=type_, **fields)


def layer(name: str = "parks", *columns: SourceColumn, **fields: Any) -> SourceLayer:
    return SourceLayer(
        **{
            "name": name,
            "kind": Kind.GEOPACKAGE,
            "driver": "GPKG",
            "member": "in.gpkg",
            "features": 4,
            "columns": list(columns),
            "geometry_types": {"Polygon": 4},
            "crs": Finding(value="EPSG:4326", confidence=1, source="file"),
            "chunks": [Chunk(first_row=0, rows=4)],
            **fields,
        }
    )


def plans(
    *layers: SourceLayer, published: dict[str, FeatureTable] | None = None, **parameters: Any
) -> list[LayerPlan]:
    return plan_layers(
        ProcessVector.model_validate({"source_url": "https://data.test/in.gpkg", **parameters}),
        list(layers),
        base_name="In",
        staged_name="staged_{}_{}".format,
        published=lambda name: (published or {}).get(str(name)),
    )


def plan(source: SourceLayer, **options: Any) -> LayerPlan:
    (only,) = plans(source, **options)
    return only


def targets(found: list[LayerPlan]) -> list[str]:
    """The layers' main tables."""
    return [str(each.tables[0].target) for each in found]


def geometries(found: LayerPlan) -> dict[str, str]:
    """The types of the geometries by the names of the tables."""
    return {
        each.target.table_name: "" if each.shape.geometry is None else each.shape.geometry.sql
        for each in found.tables
    }


def refusal(*layers: SourceLayer, **parameters: Any) -> PermanentTaskError:
    with pytest.raises(PermanentTaskError) as refused:
        plans(*layers, **parameters)
    return refused.value


class TestTableNames:
    def test_one_layer_has_the_name_of_the_file(self) -> None:
        assert targets(plans(layer("anything"))) == ["geo.in_"]

    def test_or_the_name_that_is_asked_for(self) -> None:
        assert targets(plans(layer(), table_name="forests", schema="land")) == ["land.forests"]

    def test_several_are_told_apart_by_their_own_names(self) -> None:
        found = plans(layer("Roads"), layer("Flüsse"), layer("道路"), table_name="net")
        assert targets(found) == ["geo.net_roads", "geo.net_flusse", "geo.net"]

    def test_names_that_come_out_equal_are_numbered(self) -> None:
        found = plans(layer("a b"), layer("A-B"), layer("a_b"), table_name="net")
        assert targets(found) == ["geo.net_a_b", "geo.net_a_b_2", "geo.net_a_b_3"]

    def test_no_layer_takes_the_table_beside_another(self) -> None:
        """The points of the layer a have the name a_points."""
        for order in (("a", "a_points"), ("a_points", "a")):
            found = plans(*map(layer, order), table_name="net")
            every = [str(table.target) for each in found for table in each.tables]
            assert len(set(every)) == len(every) == 6

    @pytest.mark.parametrize("count", [2, 40])
    def test_long_names_stay_distinct_and_fit(self, count: int) -> None:
        found = plans(*(layer("x" * 90) for _ in range(count)), table_name="t" * 51)
        every = [table.target.table_name for each in found for table in each.tables]
        assert len(set(every)) == len(every)
        assert max(map(len, every)) <= 63

    def test_every_table_is_staged_by_itself(self) -> None:
        found = plans(layer("a"), layer("b"), layer("c", geometry_types={"None": 2}))
        staged = [table.staged for each in found for table in each.tables]
        assert len(set(staged)) == len(staged) == 7


class TestDimensions:
    @pytest.mark.parametrize(
        ("types", "main"),
        [
            ({"Point": 5, "Polygon": 4}, 0),
            ({"Point": 5, "MultiPoint": 1, "LineString": 5}, 0),
            ({"Point": 3, "LineString": 3, "Polygon": 3}, 2),
            ({"CurvePolygon": 1, "CompoundCurve": 2}, 1),
            ({"GeometryCollection": 7}, 2),
            ({"GeometryCollection": 7, "Point": 1}, 0),
        ],
    )
    def test_the_plain_name_is_for_the_most_frequent_then_the_highest(
        self, types: dict[str, int], main: int
    ) -> None:
        tables = plan(layer(geometry_types=types), table_name="t").tables
        assert tables[0].dimension == main
        assert sorted(str(table.dimension) for table in tables) == ["0", "1", "2"]
        suffixes = {0: "points", 1: "lines", 2: "polygons"}
        for table in tables[1:]:
            assert table.dimension is not None
            assert table.target.table_name == f"t_{suffixes[table.dimension]}"

    @pytest.mark.parametrize("kind", ["LineString", "MultiLineString"])
    def test_a_published_table_keeps_its_dimension(self, kind: Any) -> None:
        there = FeatureTable(columns=(), geometry=GeometryColumn(type=kind, srid=4326))
        found = plan(layer(), table_name="t", published={"geo.t": there})
        assert found.tables[0].dimension == 1
        assert geometries(found)["t_polygons"] == "geometry(MultiPolygon,4326)"

    @pytest.mark.parametrize(
        "there",
        [
            FeatureTable(columns=(), geometry=None),
            FeatureTable(columns=(), geometry=GeometryColumn(type="Geometry", srid=4326)),
        ],
    )
    def test_one_that_has_none_decides_nothing(self, there: FeatureTable) -> None:
        found = plan(layer(), table_name="t", published={"geo.t": there})
        assert found.tables[0].dimension == 2

    def test_without_any_geometry_there_is_one_table(self) -> None:
        found = plan(layer(geometry_types={"None": 4}), table_name="t")
        assert geometries(found) == {"t": ""}
        assert found.tables[0].dimension is None


class TestGeometries:
    def test_are_multi_as_the_features_of_a_layer_differ(self) -> None:
        assert geometries(plan(layer(), table_name="t")) == {
            "t": "geometry(MultiPolygon,4326)",
            "t_points": "geometry(Point,4326)",
            "t_lines": "geometry(MultiLineString,4326)",
        }

    def test_are_of_any_type_without_promotion(self) -> None:
        """A repair can make two polygons of one."""
        found = plan(layer(), table_name="t", promote_to_multi=False, target_crs="EPSG:3857")
        assert geometries(found)["t"] == "geometry(Geometry,3857)"
        assert found.cleaning.promote_to_multi is False

    @pytest.mark.parametrize(
        ("types", "wanted"),
        [
            ({"Point": 3, "None": 1, "Polygon": 1}, "Point"),
            ({"Point": 3, "MultiPoint": 1}, "MultiPoint"),
            ({"Point": 3, "GeometryCollection": 1}, "MultiPoint"),
        ],
    )
    def test_points_stay_single_where_none_can_be_several(
        self, types: dict[str, int], wanted: str
    ) -> None:
        found = plan(layer(geometry_types=types), table_name="t")
        points = {table.dimension: table.shape.geometry for table in found.tables}[0]
        assert points is not None
        assert points.type == wanted
        assert found.cleaning.promote_points is (wanted == "MultiPoint")

    @pytest.mark.parametrize(
        ("has_z", "worth_keeping", "drop_z", "kept"),
        [
            (False, None, "auto", False),
            (False, None, False, False),
            (True, True, "auto", True),
            (True, False, "auto", False),
            (True, None, "auto", True),
            (True, False, False, True),
            (True, True, True, False),
        ],
    )
    def test_heights_are_kept_where_they_say_something_or_are_asked_for(
        self, has_z: bool, worth_keeping: bool | None, drop_z: Any, kept: bool
    ) -> None:
        details = {} if worth_keeping is None else {"heights": {"worth_keeping": worth_keeping}}
        found = plan(layer(has_z=has_z, details=details), drop_z=drop_z)
        assert {t.shape.geometry.has_z for t in found.tables if t.shape.geometry} == {kept}
        # All geometries of a table have heights, or none has.
        assert (found.cleaning.drop_z, found.cleaning.add_z) == (not kept, kept)

    @pytest.mark.parametrize(
        ("kind", "oriented"),
        [(Kind.GEOJSON, True), (Kind.KML, True), (Kind.SHAPEFILE, False), (Kind.GML, False)],
    )
    def test_rings_are_turned_where_the_format_says_how(self, kind: Kind, oriented: bool) -> None:
        assert plan(layer(kind=kind)).cleaning.orient_rings is oriented


class TestColumns:
    def test_keep_their_order_and_tell_their_source(self) -> None:
        found = plan(layer("parks", column("Név"), column("Size m²", ColumnType.REAL)))
        assert found.tables[0].shape.columns == (
            Column(name="nev", type=ColumnType.TEXT, comment="Név"),
            Column(name="size_m2", type=ColumnType.REAL, comment="Size m²"),
        )

    def test_markup_is_followed_by_its_text(self) -> None:
        """Under a name that no attribute of the source has."""
        source = [
            column("description", html=True),
            column("description_text"),
            column("count", ColumnType.JSON, html=True),
        ]
        found = plan(layer("parks", *source))
        assert [(p.column.name, p.source, p.plain_text) for p in found.columns] == [
            ("description", "description", False),
            ("description_text_2", "description", True),
            ("description_text", "description_text", False),
            ("count", "count", False),
        ]
        assert found.columns[1].column.comment == "Plain text of description"

    @pytest.mark.parametrize("named", ["Code No", "code_no"])
    def test_types_that_the_user_names_win(self, named: str) -> None:
        source = layer("parks", column("Code No", ColumnType.INTEGER, confidence=0.7))
        found = plan(source, column_types={named: "text"})
        assert found.columns[0].column.type is ColumnType.TEXT
        assert found.layer.columns[0].confidence == 1.0
        assert found.layer.columns[0].evidence == ["column_types says text"]

    def test_a_time_keeps_its_zone(self) -> None:
        source = layer("parks", column("seen", ColumnType.TIMESTAMPTZ))
        found = plan(source, column_types={"seen": "timestamp"})
        assert found.columns[0].column.type is ColumnType.TIMESTAMPTZ

    def test_types_of_columns_that_are_not_there_are_refused(self) -> None:
        error = refusal(layer("parks", column("code")), column_types={"cod": "text"})
        assert (error.error_code, error.details["field"]) == ("unknown_column", "column_types")
        assert "'cod'" in error.message
        assert "'code'" in error.message

    def test_a_type_may_be_for_one_layer_of_several(self) -> None:
        found = plans(layer("a", column("x")), layer("b", column("y")), column_types={"y": "real"})
        assert [each.columns[0].column.type for each in found] == [ColumnType.TEXT, ColumnType.REAL]


class TestKeys:
    @pytest.mark.parametrize("named", ["Parcel ID", "parcel_id"])
    def test_may_be_named_as_in_the_source_or_as_in_the_table(self, named: str) -> None:
        found = plan(layer("parks", column("Parcel ID")), mode="upsert", key_columns=[named])
        assert found.key_columns == ["parcel_id"]

    def test_that_no_column_has_are_refused(self) -> None:
        error = refusal(layer("parks", column("Parcel ID")), mode="upsert", key_columns=["id"])
        assert (error.error_code, error.details["field"]) == ("unknown_column", "key_columns")
        assert "'parks' has no column 'id'. It has 'Parcel ID'." in error.message

    def test_of_a_layer_without_columns_are_refused(self) -> None:
        error = refusal(layer(), mode="upsert", key_columns=["id"])
        assert "It has none." in error.message


def test_targets_are_looked_up_in_the_schema_of_the_job() -> None:
    asked: list[str] = []

    def published(name: TableName) -> None:
        asked.append(str(name))

    plan_layers(
        ProcessVector.model_validate({"source_url": "https://data.test/a", "schema": "land"}),
        [layer()],
        base_name="a",
        staged_name="staged_{}_{}".format,
        published=published,
    )
    assert asked == ["land.a"]
