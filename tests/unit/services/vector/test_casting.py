"""Arrow arrays in the types of columns: what loses nothing stays, the rest is null and counted."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from core.models.feature_table import ColumnType
from services.vector.casting import ARROW_TYPES, cast

_NOON = datetime(2020, 1, 1, 12)


@pytest.mark.parametrize(
    ("array", "wanted", "values", "unfit"),
    [
        (pa.array([1.0, 2.5, None]), ColumnType.INTEGER, [1, None, None], 1),
        (pa.array([1.0, float("nan")]), ColumnType.INTEGER, [1, None], 1),
        (pa.array([2**53, -(2**53)]), ColumnType.REAL, [2.0**53, -(2.0**53)], 0),
        (pa.array([2**53 + 1, 1]), ColumnType.REAL, [None, 1.0], 1),
        (pa.array([2**63], pa.uint64()), ColumnType.INTEGER, [None], 1),
        (pa.array([1, 0]), ColumnType.BOOLEAN, [True, False], 0),
        (pa.array([True, False]), ColumnType.INTEGER, [1, 0], 0),
        (pa.array([1.0, 2.5]), ColumnType.TEXT, ["1", "2.5"], 0),
        (
            pa.array([1e15, -0.0, 1e20, None]),
            ColumnType.TEXT,
            [f"1{'0' * 15}", "0", "1e+20", None],
            0,
        ),
        (pa.array([date(2020, 1, 1)]), ColumnType.TIMESTAMP, [datetime(2020, 1, 1)], 0),
        (pa.array([_NOON]), ColumnType.DATE, [date(2020, 1, 1)], 0),
        (pa.array([_NOON]), ColumnType.TIMESTAMPTZ, [_NOON.replace(tzinfo=UTC)], 0),
        (pa.array(["a", None, "a"]).dictionary_encode(), ColumnType.TEXT, ["a", None, "a"], 0),
        (pa.array(["a"], pa.large_string()), ColumnType.TEXT, ["a"], 0),
        (pa.array([b"a", b"\xff"]), ColumnType.TEXT, ["a", None], 1),
        (pa.array([20200101]), ColumnType.DATE, [None], 1),
    ],
)
def test_values_that_fit_stay_and_others_are_counted(
    array: pa.Array[Any], wanted: ColumnType, values: list[Any], unfit: int
) -> None:
    found, count = cast(array, wanted)

    assert found.type == ARROW_TYPES[wanted]
    assert (found.to_pylist(), count) == (values, unfit)


def test_an_array_of_the_type_is_not_copied() -> None:
    array = pa.array([1, 2])

    assert cast(array, ColumnType.INTEGER)[0] is array


def test_every_type_of_column_has_one_in_arrow() -> None:
    assert set(ARROW_TYPES) == set(ColumnType)
