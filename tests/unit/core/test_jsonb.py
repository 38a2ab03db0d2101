"""What jsonb can hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.jsonb import clean, clean_text, encode

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "not JSON compliant"),
        ({"a": [float("inf")]}, "not JSON compliant"),
        ("a\0b", "NUL"),
        ({"a\0": 1}, "NUL"),
        ("\\\0", "NUL"),
        ("\ud800", "Unicode"),
        (Path("x"), "not JSON serializable"),
    ],
)
def test_what_cannot_be_held_is_told(value: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        encode(value)


@pytest.mark.parametrize("text", ["é", "\\u0000", "\\\\u0000", "C:\\u0000", "😀", "\x01"])
def test_what_only_looks_odd_is_kept(text: str) -> None:
    assert json.loads(encode({"a": text})) == {"a": text}


def test_a_value_that_is_too_deep_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="recursion"):
        encode(deep)


@given(anything)
def test_anything_can_be_cleaned(value: Any) -> None:
    assert json.loads(encode(clean(value))) == clean(value)


@given(st.text())
def test_a_good_text_is_left_alone(text: str) -> None:
    if "\0" not in text:
        assert clean_text(text) == text
