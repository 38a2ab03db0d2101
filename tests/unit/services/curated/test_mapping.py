"""Which attributes fill which columns, and what is said of a source's columns."""

from __future__ import annotations

from typing import Any

import pytest

from core.models.feature_table import ColumnType
from services.curated.handler import SOURCE_VERSION, Field
from services.curated.mapping import Mapped, mapped
from services.vector.model import Chunk, Finding, Kind, SourceColumn, SourceLayer


def layer(**attributes: ColumnType) -> SourceLayer:
    return SourceLayer(
        name="areas",
        kind=Kind.GEOPACKAGE,
        driver="GPKG",
        member="in.gpkg",
        features=3,
        columns=[SourceColumn(name=name, type=type_) for name, type_ in attributes.items()],
        geometry_types={"Polygon": 3},
        crs=Finding(value="EPSG:4326", confidence=1, source="file"),
        chunks=[Chunk(first_row=0, rows=3)],
    )


def of(*fields: Field, **attributes: ColumnType) -> Mapped:
    return mapped(layer(**attributes), fields, source_version="May 2023")


def sources(found: Mapped) -> dict[str, str | None]:
    return {plan.column.name: plan.source for plan in found.columns}


def read_as(found: Mapped) -> dict[str, ColumnType]:
    return {column.name: column.type for column in found.layer.columns}


TEXT, INTEGER, REAL = ColumnType.TEXT, ColumnType.INTEGER, ColumnType.REAL


class TestAttributes:
    def test_are_found_whatever_the_case_of_their_letters(self) -> None:
        found = of(Field("site_id", INTEGER, ("SITE_ID", "WDPAID")), Wdpaid=REAL)
        assert sources(found) == {"site_id": "Wdpaid"}
        assert found.missing == []

    def test_the_first_that_is_there_is_read(self) -> None:
        found = of(Field("realm", sources=("REALM", "MARINE")), MARINE=TEXT, REALM=TEXT)
        assert sources(found) == {"realm": "REALM"}
        assert found.unmapped == [], "the other one is known"

    def test_one_that_is_written_the_same_comes_before_others(self) -> None:
        found = of(Field("name", sources=("NAME",)), name=TEXT, NAME=TEXT)
        assert sources(found) == {"name": "NAME"}

    def test_columns_are_in_the_order_of_the_fields(self) -> None:
        found = of(Field("b", sources=("B",)), Field("a", sources=("A",)), A=TEXT, B=TEXT)
        assert list(sources(found)) == ["b", "a"]

    def test_what_is_missing_and_what_is_new_are_told(self) -> None:
        fields = (
            Field("a", sources=("A",)),
            Field("b", sources=("B",), optional=True),
            Field("c", sources=("C",)),
            Field("version", constant=SOURCE_VERSION),
        )
        found = of(*fields, A=TEXT, Shape_Area=REAL)
        assert [field.name for field in found.missing] == ["c"]
        assert found.unmapped == ["Shape_Area"]
        assert sources(found) == {"a": "A", "b": None, "c": None, "version": None}
        assert [plan.constant for plan in found.columns] == [None, None, None, "May 2023"]


class TestOtherwise:
    CODE = Field("iso_a3", sources=("ISO_A3",), otherwise=("ISO_A3_EH", "ADM0_A3"))

    def asked(self, field: Field, **attributes: ColumnType) -> list[str | None]:
        """The attributes that fill the field, in the order in which they are asked."""
        [plan] = of(field, **attributes).columns
        return [plan.source, *plan.otherwise]

    def test_the_others_are_asked_in_their_order(self) -> None:
        found = of(self.CODE, ADM0_A3=TEXT, iso_a3=TEXT, ISO_A3_EH=TEXT)
        assert (found.missing, found.unmapped) == ([], [])
        [plan] = found.columns
        assert (plan.source, plan.otherwise) == ("iso_a3", ["ISO_A3_EH", "ADM0_A3"])

    def test_one_that_the_layer_lacks_is_passed_over(self) -> None:
        assert self.asked(self.CODE, ISO_A3=TEXT, ADM0_A3=TEXT) == ["ISO_A3", "ADM0_A3"]

    def test_they_stand_in_for_an_attribute_that_is_missing(self) -> None:
        assert self.asked(self.CODE, ADM0_A3=TEXT, ISO_A3_EH=TEXT) == ["ISO_A3_EH", "ADM0_A3"]
        assert of(self.CODE, ADM0_A3=TEXT).missing == []

    def test_a_field_without_any_of_them_is_missing(self) -> None:
        assert of(self.CODE, NAME=TEXT).missing == [self.CODE]

    def test_an_attribute_is_asked_once(self) -> None:
        twice = Field("code", sources=("A", "B"), otherwise=("B", "C"))
        assert self.asked(twice, B=TEXT, C=TEXT) == ["B", "C"]

    def test_all_are_read_in_the_same_way(self) -> None:
        number = Field("x", REAL, sources=("A",), otherwise=("B",))
        assert read_as(of(number, A=INTEGER, B=INTEGER)) == {"A": REAL, "B": REAL}


class TestTypes:
    def test_are_the_fields_and_what_was_inferred_is_kept(self) -> None:
        found = of(Field("site_id", INTEGER, ("WDPAID",)), WDPAID=REAL)
        [column] = found.layer.columns
        assert (column.type, column.inferred) == (INTEGER, REAL)
        assert found.columns[0].column.type is INTEGER

    @pytest.mark.parametrize("inferred", [INTEGER, REAL, ColumnType.DATE, ColumnType.BOOLEAN])
    def test_of_texts_are_read_as_they_are_written(self, inferred: ColumnType) -> None:
        """A release whose codes happen to look like numbers or dates has texts all the same."""
        assert read_as(of(Field("code", sources=("A",)), A=inferred)) == {"A": TEXT}
        listed = Field("code", ColumnType.TEXT_ARRAY, ("A",), split=";")
        assert read_as(of(listed, A=inferred)) == {"A": TEXT}

    @pytest.mark.parametrize(("inferred", "expected"), [(REAL, INTEGER), (TEXT, TEXT)])
    def test_of_numbers_with_replaced_values(
        self, inferred: ColumnType, expected: ColumnType
    ) -> None:
        year = Field("year", INTEGER, ("Y",), values={"0": None})
        assert read_as(of(year, Y=inferred)) == {"Y": expected}

    def test_of_an_attribute_that_fills_columns_of_several_types_are_texts(self) -> None:
        fields = (Field("number", INTEGER, ("A",)), Field("part", REAL, ("A",)))
        assert read_as(of(*fields, A=REAL)) == {"A": TEXT}

    def test_of_what_nobody_wants_stay(self) -> None:
        found = of(Field("a", sources=("A",)), A=TEXT, B=ColumnType.DATE)
        assert read_as(found)["B"] is ColumnType.DATE


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": ColumnType.TEXT_ARRAY, "sources": ("A",)},
        {"type": TEXT, "sources": ("A",), "split": ";"},
        {"constant": "x", "sources": ("A",)},
        {"constant": "x", "otherwise": ("A",)},
    ],
)
def test_a_field_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="bad: "):
        Field("bad", **wrong)
