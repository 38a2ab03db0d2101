"""The page on expressions says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.models.pipeline import MAX_ITEMS
from core.pipelines.expressions import FUNCTIONS, parse
from core.pipelines.expressions.evaluation import MAX_TEXT, MAX_VALUES
from core.pipelines.expressions.parsing import MAX_LENGTH

PAGE = (Path(__file__).parents[4] / "docs" / "pipelines-expressions.md").read_text("utf-8")


def _section(title: str) -> str:
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


def _rows(title: str) -> list[list[str]]:
    rows = [line for line in _section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_the_functions_are_those_of_the_page() -> None:
    assert _rows("Functions") == [
        [
            f"`{each.signature}`",
            each.description[0].lower() + each.description[1:],
            f"`{each.example}`",
        ]
        for each in FUNCTIONS.values()
    ]


@pytest.mark.parametrize("row", _rows("Examples"), ids=lambda row: row[0])
def test_the_examples_can_be_read(row: list[str]) -> None:
    text = re.findall("`([^`]+)`", row[1])[-1]
    assert not parse(text).is_constant


def test_the_limits_are_those_of_the_page() -> None:
    limits = " ".join(_section("Limits").split())
    for said in (
        f"at most {MAX_LENGTH} characters",
        f"A text has at most {MAX_TEXT:,} characters",
        f"a value at most {MAX_VALUES:,} parts",
        f"a `for_each` {MAX_ITEMS} values",
    ):
        assert said in limits
