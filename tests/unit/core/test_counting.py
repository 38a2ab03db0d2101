"""Counts as people read them."""

from __future__ import annotations

import pytest

from core.counting import counted


@pytest.mark.parametrize(
    ("number", "noun", "plural", "text"),
    [
        (0, "item", "", "0 items"),
        (1, "item", "", "1 item"),
        (2, "item", "", "2 items"),
        (1200, "task", "", "1,200 tasks"),
        (1, "geometry", "geometries", "1 geometry"),
        (3, "geometry", "geometries", "3 geometries"),
    ],
)
def test_a_count_agrees_with_its_noun(number: int, noun: str, plural: str, text: str) -> None:
    assert counted(number, noun, plural) == text
