"""What becomes of the layers of a dataset: one table, whatever the source is made of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from core.errors import PermanentTaskError
from core.models.curated import CuratedDataset
from core.models.feature_table import ColumnType
from services.curated import mapping, planning
from services.curated.file_store import FileStore
from services.curated.handler import About, Field, Handler, LayerUse, RemoteVersion, Run
from services.vector.model import Chunk, Finding, Kind, SourceColumn, SourceLayer
from services.vector.plan import LayerPlan
from services.vector.planning import Plan
from services.vector.source_files import SourceRef
from services.vector.survey import Found
from tests.support.settings import app_settings

REF = SourceRef(container="curated", path="lakes/1/lakes.gpkg", blobs=())
TEXT, INTEGER, REAL = ColumnType.TEXT, ColumnType.INTEGER, ColumnType.REAL
NAME = Field("name", sources=("NAME",))
AREA = Field("area", REAL, ("AREA",), optional=True)


class Lakes(Handler):
    """A handler that says what a test wants; layers that are called `other` are left out."""

    name: ClassVar[str] = "lakes"
    title: ClassVar[str] = "Lakes"

    def __init__(self, about: About, **uses: LayerUse) -> None:
        self._about = about
        self._uses = uses

    def check(self, run: Run) -> RemoteVersion:
        raise NotImplementedError

    def fetch(self, run: Run, remote: RemoteVersion, files: FileStore) -> SourceRef:
        raise NotImplementedError

    def describe(self, dataset: CuratedDataset) -> About:
        return self._about

    def transform(self, dataset: CuratedDataset, layer: SourceLayer) -> LayerUse | None:
        if layer.name == "other":
            return None
        return self._uses.get(layer.name, LayerUse(fields=self._about.fields))


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    with app_settings():
        yield


def dataset(**fields: Any) -> CuratedDataset:
    now = datetime.now(UTC)
    known = dict.fromkeys(
        (
            "source_version",
            "rejected_version",
            "last_checked_at",
            "last_updated_at",
            "last_job_id",
        )
    )
    return CuratedDataset.model_validate(
        {
            "dataset_id": "lakes",
            "name": "Lakes",
            "target_table_name": "curated_lakes",
            "handler": "lakes",
            "revision": 1,
            "schedule_from": now,
            "created_at": now,
            "updated_at": now,
            **known,
            **fields,
        }
    )


def layer(name: str = "lakes", *columns: SourceColumn, **fields: Any) -> SourceLayer:
    return SourceLayer(
        **{
            "name": name,
            "kind": Kind.GEOPACKAGE,
            "driver": "GPKG",
            "member": f"{name}.gpkg",
            "features": 3,
            "columns": list(columns) or [column("NAME")],
            "geometry_types": {"Polygon": 3},
            "crs": Finding(value="EPSG:4326", confidence=1, source="file"),
            "chunks": [Chunk(first_row=0, rows=3)],
            **fields,
        }
    )


def column(name: str, type_: ColumnType = TEXT, **fields: Any) -> SourceColumn:
    return SourceColumn(name=name, type=type_, **fields)


def plan(
    handler: Handler, *layers: SourceLayer, refusals: tuple[str, ...] = (), **fields: Any
) -> Plan:
    about = dataset(**fields)
    return planning.plan_found(
        about,
        handler,
        REF,
        Found(layers=list(layers), refusals=list(refusals)),
        parameters=planning.reading(about, handler, REF),
        source_version="2",
        staged_name="staged_{}".format,
    )


def refusal(handler: Handler, *layers: SourceLayer, **options: Any) -> PermanentTaskError:
    with pytest.raises(PermanentTaskError) as refused:
        plan(handler, *layers, **options)
    return refused.value


def geometry(found: Plan) -> str | None:
    [shape] = {table.shape for each in found.layers for table in each.tables}
    return None if shape.geometry is None else shape.geometry.sql


def dimensions(found: LayerPlan) -> set[int | None]:
    assert found.cleaning.dimensions is not None
    return set(found.cleaning.dimensions)


ANY = Lakes(About())
FIELDS = Lakes(About(fields=(NAME, AREA), key_columns=("name",)))


class TestLayers:
    def test_each_is_staged_alone_for_the_one_table(self) -> None:
        found = plan(FIELDS, layer("north"), layer("south"))
        tables = [table for each in found.layers for table in each.tables]
        assert [table.staged for table in tables] == ["staged_0", "staged_1"]
        assert {str(table.target) for table in tables} == {"geo.curated_lakes"}
        assert [each.index for each in found.layers] == [0, 1]
        assert all(each.key_columns == ["name"] for each in found.layers)

    def test_those_that_are_not_wanted_are_left_out_with_a_note(self) -> None:
        found = plan(FIELDS, layer("other"), layer("north"))
        assert [each.layer.name for each in found.layers] == ["north"]
        assert [note.code for note in found.notes] == ["layer_left_out"]
        assert "other" in found.notes[0].message

    def test_where_none_is_wanted_those_that_there_are_are_named(self) -> None:
        error = refusal(FIELDS, layer("other", features=7, geometry_types={"None": 7}))
        assert error.error_code == "no_layer_wanted"
        assert "'other' (7 records without a geometry)" in error.message

    def test_without_fields_there_can_be_one(self) -> None:
        error = refusal(ANY, layer("a"), layer("b", geometry_types={"Point": 1_000}))
        assert (error.error_code, error.details["field"]) == (
            "several_layers",
            "source_config.layer",
        )
        assert "'a' (3 polygons), 'b' (1,000 points)" in error.message

    def test_a_handler_of_one_layer_takes_no_more_and_names_those_that_fit(self) -> None:
        handler = Lakes(About(fields=(NAME,), one_layer=True))
        assert len(plan(handler, layer("north"), layer("other")).layers) == 1
        error = refusal(handler, layer("north"), layer("south"), layer("other"))
        assert error.error_code == "several_layers"
        assert "'north' (3 polygons), 'south' (3 polygons)." in error.message

    def test_no_part_may_be_unreadable_unless_one_layer_is_named(self) -> None:
        error = refusal(FIELDS, layer(), refusals=("south.shp: cut short",))
        assert error.error_code == "partly_unreadable"
        assert "south.shp: cut short" in error.message
        plan(FIELDS, layer(), refusals=("x: y",), source_config={"layer": "lakes"})

    def test_layers_with_other_columns_are_a_fault_of_the_handler(self) -> None:
        handler = Lakes(About(fields=(NAME,)), south=LayerUse(fields=(AREA,)))
        with pytest.raises(ValueError, match="same columns"):
            plan(handler, layer("north"), layer("south"))


class TestColumns:
    def test_without_fields_are_those_of_the_source(self) -> None:
        handler = Lakes(About(key_columns=("Lake ID",)))
        [found] = plan(handler, layer("lakes", column("Lake ID", INTEGER), column("Name"))).layers
        assert [(each.source, each.column.name) for each in found.columns] == [
            ("Lake ID", "lake_id"),
            ("Name", "name"),
        ]
        assert found.key_columns == ["lake_id"]

    def test_a_key_that_the_source_lacks_is_refused_with_what_there_is(self) -> None:
        error = refusal(FIELDS, layer("lakes", column("TITLE"), column("CODE")))
        assert error.error_code == "key_missing"
        assert "'NAME'" in error.message
        assert "TITLE, CODE" in error.message
        error = refusal(Lakes(About(key_columns=("name",))), layer("lakes", column("title")))
        assert error.error_code == "unknown_column"

    def test_notes_that_are_the_same_for_several_layers_are_counted(self) -> None:
        south = Field("depth", REAL, ("DEPTH",))
        handler = Lakes(About(fields=(NAME, south)))
        parts = [layer("part", column("NAME"), column("NEW")) for _ in range(3)]
        notes = {note.code: note for note in plan(handler, *parts).notes}
        assert notes.keys() == {"columns_missing", "attributes_new"}
        assert notes["columns_missing"].count == 3
        assert "depth" in notes["columns_missing"].message
        assert "NEW" in notes["attributes_new"].message


class TestGeometry:
    @pytest.mark.parametrize(
        ("types", "expected"),
        [
            ({"Polygon": 2, "MultiPolygon": 1, "None": 1}, "geometry(MultiPolygon,4326)"),
            ({"LineString": 2}, "geometry(MultiLineString,4326)"),
            ({"Point": 2, "None": 1}, "geometry(Point,4326)"),
            ({"Point": 2, "MultiPoint": 1}, "geometry(MultiPoint,4326)"),
            ({"Point": 2, "Polygon": 1}, "geometry(Geometry,4326)"),
            ({"None": 3}, None),
        ],
    )
    def test_is_what_the_records_have_where_nothing_is_said(
        self, types: dict[str, int], expected: str | None
    ) -> None:
        assert geometry(plan(ANY, layer(geometry_types=types))) == expected

    def test_takes_no_other_dimension_than_its_own(self) -> None:
        [found] = plan(ANY, layer(geometry_types={"Polygon": 1})).layers
        assert dimensions(found) == {2, None}
        [found] = plan(ANY, layer(geometry_types={"Polygon": 1, "Point": 1})).layers
        assert dimensions(found) == {0, 1, 2, None}

    def test_each_layer_brings_what_the_handler_says(self) -> None:
        handler = Lakes(
            About(fields=(NAME,), geometry="Geometry"),
            areas=LayerUse(fields=(NAME,), dimensions=(2,)),
            points=LayerUse(fields=(NAME,), dimensions=(0, None)),
        )
        points = layer("points", geometry_types={"MultiPoint": 1})
        found = plan(handler, layer("areas"), points)
        assert geometry(found) == "geometry(Geometry,4326)"
        assert [dimensions(each) for each in found.layers] == [{2}, {0, None}]
        assert all(each.cleaning.promote_points for each in found.layers)
        assert all(each.cleaning.promote_to_multi for each in found.layers)

    def test_what_the_layers_do_not_bring_does_not_count(self) -> None:
        handler = Lakes(About(fields=(NAME,)), lakes=LayerUse(fields=(NAME,), dimensions=(2,)))
        stray = layer(geometry_types={"Polygon": 5, "Point": 1})
        assert geometry(plan(handler, stray)) == "geometry(MultiPolygon,4326)"

    def test_several_points_do_not_fit_where_single_ones_are_described(self) -> None:
        handler = Lakes(About(fields=(NAME,), geometry="Point"))
        [found] = plan(handler, layer(geometry_types={"Point": 2})).layers
        assert not found.cleaning.promote_points
        error = refusal(handler, layer(geometry_types={"MultiPoint": 2}))
        assert error.error_code == "geometry_differs"

    def test_heights_are_left_out(self) -> None:
        [found] = plan(ANY, layer(has_z=True, details={"heights": {"worth_keeping": True}})).layers
        assert found.cleaning.drop_z
        assert not found.cleaning.add_z


class TestReading:
    def test_is_what_source_config_says(self) -> None:
        about = dataset(source_config={"source_crs": "EPSG:2154", "version": "2", "layer": "a"})
        parameters = planning.reading(about, ANY, REF)
        assert (parameters.source_crs, parameters.layer) == ("EPSG:2154", "a")
        assert (parameters.container_name, parameters.blob_name) == ("curated", REF.path)

    def test_names_the_entry_that_is_wrong(self) -> None:
        with pytest.raises(PermanentTaskError) as refused:
            planning.reading(dataset(source_config={"x_column": 3, "y_column": "y"}), ANY, REF)
        assert refused.value.error_code == "invalid_source_config"
        assert refused.value.details["field"] == "source_config.x_column"
        with pytest.raises(PermanentTaskError, match="x_column and y_column go together"):
            planning.reading(dataset(source_config={"x_column": "lon"}), ANY, REF)


class TestSourceColumns:
    def columns(self, handler: Handler, *layers: SourceLayer) -> dict[str, str]:
        return mapping.source_columns(plan(handler, *layers), dataset(), handler)

    def test_without_fields_are_the_attributes(self) -> None:
        found = self.columns(ANY, layer("lakes", column("Lake ID", INTEGER), column("Name")))
        assert found == {"Lake ID": "bigint", "Name": "text"}

    def test_of_fields_are_those_that_are_filled_and_what_is_new(self) -> None:
        attributes = (column("Name"), column("AREA", REAL), column("Shape_Area", REAL))
        found = self.columns(FIELDS, layer("lakes", *attributes))
        assert found == {"name": "text", "unmapped attribute shape_area": "double precision"}

    @pytest.mark.parametrize(
        ("type_", "inferred", "expected"),
        [
            # What can all be read as the column's type is no change.
            (INTEGER, REAL, "bigint"),
            (REAL, INTEGER, "double precision"),
            (TEXT, INTEGER, "text"),
            # Of what cannot, values may be lost.
            (INTEGER, TEXT, "text"),
            (ColumnType.DATE, TEXT, "text"),
        ],
    )
    def test_have_the_type_of_the_column_where_the_values_fit_it(
        self, type_: ColumnType, inferred: ColumnType, expected: str
    ) -> None:
        handler = Lakes(About(fields=(Field("a", type_, ("A",)),)))
        assert self.columns(handler, layer("lakes", column("A", inferred))) == {"a": expected}

    def test_an_attribute_without_values_is_of_any_type(self) -> None:
        handler = Lakes(About(fields=(Field("a", INTEGER, ("A",)),)))
        empty = column("A", TEXT, rows=5, nulls=5)
        assert self.columns(handler, layer("lakes", empty)) == {"a": "bigint"}

    def test_what_differs_between_layers_is_told(self) -> None:
        handler = Lakes(About(fields=(Field("a", INTEGER, ("A",)),)))
        layers = [layer("x", column("A", TEXT)), layer("y", column("A", INTEGER))]
        assert self.columns(handler, *layers) == {"a": "bigint | text"}

    def test_attributes_of_a_field_that_another_one_fills_come_and_go(self) -> None:
        code = Field("iso_a3", sources=("ISO_A3",), otherwise=("ADM0_A3",))
        handler = Lakes(About(fields=(code,)))
        for names in (("ISO_A3", "ADM0_A3"), ("ADM0_A3",), ("ISO_A3",)):
            attributes = (column(name) for name in names)
            assert self.columns(handler, layer("x", *attributes)) == {"iso_a3": "text"}

    def test_an_attribute_that_fills_in_may_have_another_type(self) -> None:
        year = Field("year", INTEGER, ("A",), otherwise=("B",))
        found = layer("x", column("A", INTEGER), column("B", TEXT))
        assert self.columns(Lakes(About(fields=(year,))), found) == {"year": "bigint | text"}
