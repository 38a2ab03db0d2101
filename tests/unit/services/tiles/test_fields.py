"""Which columns a table's tiles carry."""

from __future__ import annotations

from core.models.feature_table import Column, ColumnType, FeatureTable
from infrastructure.tiles_repository import MAX_TEXT, ColumnStatistics
from services.tiles.fields import fields, shown, types

TABLE = FeatureTable(
    columns=tuple(Column(name=kind.name.lower(), type=kind) for kind in ColumnType), geometry=None
)


def test_every_type_but_json_and_bytes_is_shown() -> None:
    assert {column.type for column in shown(TABLE)} == set(ColumnType) - {
        ColumnType.JSON,
        ColumnType.BYTES,
    }


def test_tilejson_knows_three_types() -> None:
    found = types(shown(TABLE))
    assert found["boolean"] == "Boolean"
    assert found["integer"] == found["real"] == "Number"
    assert found["text"] == found["text_array"] == found["date"] == "String"


def test_what_many_features_share_is_told_from_what_names_them() -> None:
    statistics = {
        "text": ColumnStatistics(bytes=5, distinct_values=11),
        "integer": ColumnStatistics(bytes=8, distinct_values=-1),
        "real": ColumnStatistics(bytes=8, distinct_values=5000),
        "text_array": ColumnStatistics(bytes=100_000, distinct_values=-0.5),
    }
    found = fields(TABLE, statistics)
    assert [column.name for column in found.shared] == ["boolean", "text"]
    assert {column.name for column in found.details} >= {"integer", "real", "text_array"}
    # A long text is cut before it goes into a tile.
    assert 8 + 8 + MAX_TEXT < found.detail_bytes < 1000


def test_of_a_table_not_yet_analysed_all_are_details() -> None:
    found = fields(TABLE, {})
    assert [column.name for column in found.shared] == ["boolean"]
    assert not found.is_empty
