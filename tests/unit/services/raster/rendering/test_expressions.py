"""Which bands an expression reads, and which is none."""

from __future__ import annotations

import pytest
from numexpr.expressions import functions  # type: ignore[import-untyped]

from services.raster.rendering import expressions


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("(b4-b3)/(b4+b3)", {3, 4}),
        ("B1 * 0.0001", {1}),
        ("sqrt(b1**2+b2**2)", {1, 2}),
        ("where(b1 > 0, arctan2(b1, b12), -1)", {1, 12}),
        ("b3;b2;b1;", {1, 2, 3}),
        ("~b1 & 4", {1}),
    ],
)
def test_bands_are_found(expression: str, expected: set[int]) -> None:
    assert expressions.bands(expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "1+1",
        "b0",
        "B04/nir",
        "b1/",
        "b1.real",
        "b1[0]",
        "b1 if b2 else b3",
        "open(b1)",
        "sqrt",
        "b1(b2)",
        "sqrt(b1)(b2)",
        "where(b1, x=b2)",
        "b1+'text'",
        "b1+True",
        "(" * 400 + "b1" + ")" * 400,
        "+" * 600 + "b1",
        "b1+" * 200 + "b1",
        "b1\0",
    ],
)
def test_anything_else_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"^(has|reads|cannot|holds) "):
        expressions.bands(expression)


def test_all_functions_are_numexpr_s() -> None:
    assert set(expressions._FUNCTIONS) <= functions.keys()
