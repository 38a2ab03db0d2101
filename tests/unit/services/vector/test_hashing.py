"""Hashes of records: the same for equal ones, in any process, and else not."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from services.vector import hashing


def of(*columns: pa.Array[Any]) -> list[int]:
    found = hashing.of_records(columns, np.zeros(len(columns[0]), dtype=np.uint64))
    return list(map(int, found))


def shapes(*texts: str | None) -> list[int]:
    geometry = np.array([None if text is None else shapely.from_wkt(text) for text in texts])
    points, owners = shapely.get_coordinates(geometry, return_index=True)
    return list(map(int, hashing.of_points(points, owners, len(geometry))))


def test_equal_rows_have_equal_hashes() -> None:
    columns = [pa.array([1, 1, 2]), pa.array(["a", "a", "a"]), pa.array([0.5, 0.5, 0.5])]
    first, second, third = of(*columns)
    assert first == second != third


def test_lists_are_equal_by_their_items_in_order() -> None:
    lists = pa.array([["a", "b"], ["a", "b"], ["b", "a"], ["ab"], [], None])
    first, second, *others = of(lists)
    assert first == second
    assert len({first, *others}) == 5
    assert of(lists.slice(1)) == [second, *others]


def test_hashes_are_the_same_in_every_process_and_batch() -> None:
    columns = [pa.array([7, 1, 1]), pa.array(["b", "a", "x" * 100]), pa.array([None, 2.5, 2.5])]
    found = of(*columns)
    assert found[1:] == of(*(column.slice(1) for column in columns))
    assert found[1:] == [-567546064708945136, 170715140018434366]
    assert shapes("POINT(1 2)", "LINESTRING(0 0,1 1)") == [
        7608603977990379097,
        13007432941585041087,
    ]


def test_what_postgresql_takes_for_equal_is_equal() -> None:
    odd = np.array([0x7FF8000000000000, 0xFFF8000000000001], dtype=np.uint64).view(np.float64)
    assert len(set(of(pa.array([0.0, -0.0])))) == 1
    assert len(set(of(pa.array(odd)))) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([pa.array([None], pa.string())], [pa.array([""])]),
        ([pa.array(["a"]), pa.array([""])], [pa.array([""]), pa.array(["a"])]),
        (
            [pa.array([None], pa.int64())],
            [pa.array([0])],
        ),
        ([pa.array([date(2020, 1, 1)])], [pa.array([date(2020, 1, 2)])]),
        ([pa.array([True])], [pa.array([False])]),
        ([pa.array([0.1])], [pa.array([0.1 + 2**-54])]),
        ([pa.array([b"\xff"])], [pa.array([b"\xfe"])]),
        ([pa.array(["ab"])], [pa.array(["ba"])]),
        ([pa.array(["a"])], [pa.array(["a\0"])]),
        ([pa.array(["x" * 65 + "a"])], [pa.array(["x" * 65 + "b"])]),
        ([pa.array(["x" * 8 + "y" * 8])], [pa.array(["y" * 8 + "x" * 8])]),
        ([pa.array(["x" * 5000 + "a"])], [pa.array(["x" * 5000 + "b"])]),
        ([pa.array([1]), pa.array([2])], [pa.array([2]), pa.array([1])]),
    ],
)
def test_different_rows_have_different_hashes(one: Any, other: Any) -> None:
    assert of(*one) != of(*other)


def test_the_geometry_counts() -> None:
    attributes = pa.array([1, 1, 1])
    found = hashing.of_records(
        [attributes], np.array(shapes("POINT(1 2)", "POINT(2 1)", None), dtype=np.uint64)
    )
    assert len(set(found.tolist())) == 3


def test_geometries_of_the_same_ordinates_are_told_apart() -> None:
    found = shapes("LINESTRING(0 0,1 1)", "LINESTRING(0 1,1 0)", "LINESTRING(0 0,1 2)", None)
    assert len(set(found)) == 4
    assert found[3] == 0


def test_geometries_do_not_depend_on_their_neighbours() -> None:
    texts = ["POINT(1 2)", None, "LINESTRING(0 0,1 1,3 3)", "POINT(4 5)"]
    assert shapes(*texts) == [shapes(text)[0] for text in texts]


@given(st.lists(st.one_of(st.none(), st.text(max_size=80)), min_size=1, max_size=30))
def test_texts_are_hashed_one_by_one(texts: list[str | None]) -> None:
    texts = [text and text.encode("utf-8", "replace").decode() for text in texts]
    found = of(pa.array(texts, pa.string()))
    assert found == [of(pa.array([text], pa.string()))[0] for text in texts]
    assert len(set(found)) == len(set(texts))


def test_places_on_a_grid_are_told_apart() -> None:
    places = np.stack(np.meshgrid(np.arange(500.0), np.arange(500.0) / 4), axis=-1).reshape(-1, 2)
    found = hashing.of_points(places, np.arange(len(places)), len(places))
    assert len(np.unique(found)) == len(places)


def test_a_million_records_have_a_million_hashes() -> None:
    numbers = np.arange(1_000_000)
    texts = pa.array(numbers // 1000).cast(pa.string())
    assert len(np.unique(of(pa.array(numbers % 1000), texts))) == 1_000_000


def test_many_kinds_of_columns_are_hashed() -> None:
    columns = [
        pa.array(["a"]).dictionary_encode(),
        pa.array([datetime(2020, 1, 1)], pa.timestamp("us", tz="UTC")),
        pa.array([3_600_000_000], pa.int64()).view(pa.time64("us")),
        pa.array(["a"], pa.large_string()),
    ]
    assert len(of(*columns)) == 1
