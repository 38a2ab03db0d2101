"""Parts of the same data, seen as one layer."""

from __future__ import annotations

from typing import Any

import pytest

from core.models.feature_table import ColumnType
from services.curated import merging
from services.curated.handler import Field
from services.vector.model import Chunk, Finding, Kind, Note, SourceColumn, SourceLayer

TEXT, INTEGER, REAL = ColumnType.TEXT, ColumnType.INTEGER, ColumnType.REAL


def column(name: str, type_: ColumnType = TEXT, rows: int = 3, nulls: int = 0) -> SourceColumn:
    return SourceColumn(name=name, type=type_, rows=rows, nulls=nulls, distinct=2, exact=True)


def layer(*columns: SourceColumn, rows: int = 3, **fields: Any) -> SourceLayer:
    return SourceLayer(
        **{
            "name": "part",
            "kind": Kind.CSV,
            "driver": "delimited",
            "member": "part.csv",
            "features": rows,
            "columns": list(columns) or [column("id", rows=rows)],
            "geometry_types": {"Point": rows} if rows else {},
            "crs": Finding(value="EPSG:4326", confidence=1, source="parameter"),
            "chunks": [Chunk(first_row=0, rows=rows)] if rows else [],
            **fields,
        }
    )


def test_records_and_chunks_are_numbered_through() -> None:
    chunks = [Chunk(first_row=0, rows=2), Chunk(first_row=2, rows=1, part={"start": 7})]
    whole = merging.together("lakes", [layer(chunks=chunks), layer(rows=0), layer(rows=5)])
    assert (whole.name, whole.member, whole.features) == ("lakes", "3 files", 8)
    assert [chunk.first_row for chunk in whole.chunks] == [0, 2, 3]
    assert whole.chunks[1].part == {"start": 7}
    assert whole.geometry_types == {"Point": 8}


def test_one_whose_records_nobody_has_counted_takes_the_numbers_of_its_chunks() -> None:
    chunks = [Chunk(first_row=0, rows=50), Chunk(first_row=50, rows=50)]
    whole = merging.together("lakes", [layer(features=None, chunks=chunks), layer()])
    assert whole.chunks[-1].first_row == 100


@pytest.mark.parametrize(
    ("types", "together"),
    [
        ((INTEGER, INTEGER), INTEGER),
        ((INTEGER, REAL), REAL),
        ((INTEGER, TEXT), TEXT),
        ((ColumnType.DATE, ColumnType.TIMESTAMP), TEXT),
    ],
)
def test_an_attribute_has_a_type_that_all_its_values_can_have(
    types: tuple[ColumnType, ...], together: ColumnType
) -> None:
    whole = merging.together("lakes", [layer(column("depth", type_)) for type_ in types])
    assert [each.type for each in whole.columns] == [together]


def test_what_was_inferred_counts_and_not_what_somebody_wants_it_to_be() -> None:
    told = column("depth").model_copy(update={"inferred": INTEGER})
    [depth] = merging.together("lakes", [layer(told), layer(told)]).columns
    assert (depth.type, depth.inferred) == (INTEGER, None)


def test_where_an_attribute_is_empty_says_nothing_of_its_type() -> None:
    empty, none = layer(column("depth", nulls=3)), layer(column("depth", rows=0), rows=0)
    [depth] = merging.together("lakes", [empty, layer(column("depth", INTEGER)), none]).columns
    assert (depth.type, depth.rows, depth.nulls) == (INTEGER, 6, 3)
    assert depth.evidence == ["bigint in 1 part"]
    [depth] = merging.together("lakes", [empty, none]).columns
    assert (depth.type, depth.rows, depth.nulls) == (TEXT, 3, 3)


def test_attributes_of_any_part_are_there() -> None:
    whole = merging.together("lakes", [layer(column("a")), layer(column("b"), column("a"))])
    assert [each.name for each in whole.columns] == ["a", "b"]


def test_notes_that_say_the_same_are_one() -> None:
    notes = [
        Note(code="cut", message="records cut", count=2),
        Note(code="cut", message="records cut"),
        Note(code="cut", message="another thing"),
    ]
    assert merging.merged_notes(notes) == [
        Note(code="cut", message="records cut", count=3),
        Note(code="cut", message="another thing"),
    ]
    whole = merging.together("lakes", [layer(notes=notes[:1]), layer(notes=notes[1:])])
    assert whole.notes == merging.merged_notes(notes)


def test_extents_are_joined_where_they_are_in_the_same_crs() -> None:
    here, there = layer(bbox=(1, 2, 3, 4)), layer(bbox=(-1, 3, 2, 9))
    elsewhere = layer(
        bbox=(4e5, 5e6, 5e5, 6e6), crs=Finding(value="EPSG:2154", confidence=1, source="file")
    )
    assert merging.together("lakes", [here, there, elsewhere]).bbox == (-1, 2, 3, 9)
    assert merging.together("lakes", [layer(), layer()]).bbox is None


def test_only_details_that_all_records_share_are_told() -> None:
    def of(dialect: str) -> SourceLayer:
        return layer(details={"dialect": dialect, "_header_end": 9, "z": 1})

    assert merging.together("lakes", [of("a"), of("a"), layer(rows=0)]).details == {
        "dialect": "a",
        "z": 1,
    }
    assert merging.together("lakes", [of("a"), of("b")]).details == {"z": 1}


def test_a_layer_without_records_has_the_attributes_of_the_fields() -> None:
    fields = (
        Field("id", INTEGER, ("code", "old_code")),
        Field("name", sources=("name",)),
        Field("version", constant="1"),
    )
    found = merging.nothing("lakes", fields)
    assert [each.name for each in found.columns] == ["code", "name"]
    assert (found.chunks, found.features) == ([], 0)
