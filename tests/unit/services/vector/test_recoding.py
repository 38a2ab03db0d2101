"""Values put in place of others, whatever type they come in; texts taken apart."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.vector.recoding import recoded, split

REALMS = {"0": "Terrestrial", "1": "Coastal", "2": "Marine"}


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array(["0", "1", "2", None, "sea"]), ["Terrestrial", "Coastal", "Marine", None, "sea"]),
        (pa.array(["0.0", "1.0", "01"]), ["Terrestrial", "Coastal", "01"]),
        (pa.array([0, 1, None, 7]), ["Terrestrial", "Coastal", None, "7"]),
        (pa.array([0.0, 2.0, None, 7.5]), ["Terrestrial", "Marine", None, "7.5"]),
        (pa.array([False, True, None]), ["Terrestrial", "Coastal", None]),
        (pa.array(["2", None]).dictionary_encode(), ["Marine", None]),
        (pa.array(["x", "1"], pa.large_string()), ["x", "Coastal"]),
        (pa.array(["x", "0", "1"]).slice(1), ["Terrestrial", "Coastal"]),
        (pa.array([], pa.string()), []),
    ],
)
def test_values_are_found_by_what_they_mean(array: pa.Array[Any], expected: list[Any]) -> None:
    assert recoded(array, REALMS).to_pylist() == expected


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([0, 1999, None]), [None, 1999, None]),
        (pa.array([0.0, 0.5]), [None, 0.5]),
        (pa.array(["0", "1999"]), [None, "1999"]),
    ],
)
def test_what_only_becomes_null_leaves_the_type(array: pa.Array[Any], expected: list[Any]) -> None:
    found = recoded(array, {"0": None, "Not Reported": None})
    assert found.type == array.type
    assert found.to_pylist() == expected


def test_truths_are_numbers_and_words() -> None:
    assert recoded(pa.array([True, False]), {"true": "yes", "0": "no"}).to_pylist() == ["yes", "no"]
    assert recoded(pa.array(["true", "1"]), {"true": "yes"}).to_pylist() == ["yes", "1"]


def test_large_whole_numbers_are_told_apart() -> None:
    array = pa.array([2**53, 2**53 + 1])
    assert recoded(array, {str(2**53 + 1): None}).to_pylist() == [2**53, None]
    assert recoded(array, {str(2**70): None}).to_pylist() == array.to_pylist()


def test_a_name_in_words_is_found_before_a_number_that_is_written_so() -> None:
    values = {"1": "one", "1.0": "one and nothing"}
    assert recoded(pa.array(["1", "1.0"]), values).to_pylist() == ["one", "one and nothing"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("FRA;ITA", ["FRA", "ITA"]),
        (" FRA ;; ITA;", ["FRA", "ITA"]),
        ("FRA", ["FRA"]),
        ("", None),
        (" ; ", None),
        (None, None),
    ],
)
def test_texts_are_split_and_trimmed(text: str | None, parts: list[str] | None) -> None:
    array = pa.array(["before;it", text, "and;after"])
    found = split(array, ";")
    assert found.type == pa.list_(pa.string())
    assert found.to_pylist() == [["before", "it"], parts, ["and", "after"]]
    assert split(array.slice(1, 1), ";").to_pylist() == [parts]


@given(st.lists(st.none() | st.text("ab; \u3000é", max_size=8)))
def test_splitting_is_what_python_does(texts: list[str | None]) -> None:
    expected = [
        [part.strip() for part in (text or "").split(";") if part.strip()] or None for text in texts
    ]
    assert split(pa.array(texts, pa.string()), ";").to_pylist() == expected
