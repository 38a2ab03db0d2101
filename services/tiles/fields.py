"""Which of a table's columns its tiles carry, and how much room their values take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.models.feature_table import Column, ColumnType, FeatureTable
from infrastructure.tiles_repository import MAX_TEXT, ColumnStatistics

# A value that many features share is in a tile once. What has more different values than these
# tells features apart (names, codes, areas), and is written anew for almost each.
_MOST_SHARED_VALUES = 256

# What an attribute takes beside its value: the numbers of its key and its value in the tile, and
# the value's own header.
_ATTRIBUTE_BYTES = 6
# What the value of a column of which nothing is known takes.
_UNKNOWN_BYTES = 20

_MVT_TYPES: Mapping[ColumnType, str] = {
    ColumnType.BOOLEAN: "Boolean",
    ColumnType.INTEGER: "Number",
    ColumnType.REAL: "Number",
    ColumnType.TEXT: "String",
    ColumnType.TEXT_ARRAY: "String",
    ColumnType.DATE: "String",
    ColumnType.TIME: "String",
    ColumnType.TIMESTAMP: "String",
    ColumnType.TIMESTAMPTZ: "String",
}


@dataclass(frozen=True, slots=True)
class Fields:
    """The columns of a tile. `shared` ones are those that maps are coloured by: every feature has
    them. `details` take room, `detail_bytes` for each feature: where there is a crowd, only the
    largest have them."""

    shared: tuple[Column, ...]
    details: tuple[Column, ...]
    detail_bytes: int

    @property
    def is_empty(self) -> bool:
        return not (self.shared or self.details)


def shown(shape: FeatureTable) -> tuple[Column, ...]:
    """The columns whose values a tile can hold: neither JSON nor bytes."""
    return tuple(column for column in shape.columns if column.type in _MVT_TYPES)


def fields(shape: FeatureTable, statistics: Mapping[str, ColumnStatistics]) -> Fields:
    """The columns of a table's tiles, by what PostgreSQL knows of their values."""
    shared: list[Column] = []
    details: list[Column] = []
    for column in shown(shape):
        (shared if _is_shared(column, statistics.get(column.name)) else details).append(column)
    sizes = [_size(statistics.get(column.name)) + _ATTRIBUTE_BYTES for column in details]
    return Fields(tuple(shared), tuple(details), sum(sizes))


def types(columns: Sequence[Column]) -> dict[str, str]:
    """The columns with their types as TileJSON has them: String, Number or Boolean."""
    return {column.name: _MVT_TYPES[column.type] for column in columns}


def _is_shared(column: Column, known: ColumnStatistics | None) -> bool:
    if column.type is ColumnType.BOOLEAN:
        return True
    return known is not None and 0 < known.distinct_values <= _MOST_SHARED_VALUES


def _size(known: ColumnStatistics | None) -> int:
    return _UNKNOWN_BYTES if known is None else min(known.bytes, MAX_TEXT)
