"""What is recommended for the aggregation of a collection."""

from __future__ import annotations

import pytest

from services.h3 import planning
from services.h3.source_entries import (
    FEWEST_PIXELS,
    MOST_PIXELS,
    recommended_resolutions,
    recommended_statistics,
)


@pytest.mark.parametrize("pixel_m", [5, 10, 30, 100, 250, 927, 5_000, 27_000])
def test_recommended_cells_have_enough_pixels_and_not_too_many(pixel_m: float) -> None:
    coarsest, finest = recommended_resolutions(pixel_m)
    assert coarsest is not None
    assert finest is not None
    assert coarsest <= finest
    assert planning.pixels_per_cell(finest, pixel_m) >= FEWEST_PIXELS
    assert planning.pixels_per_cell(coarsest, pixel_m) <= MOST_PIXELS
    if finest < 12:
        assert planning.pixels_per_cell(finest + 1, pixel_m) < FEWEST_PIXELS
    if coarsest > 0:
        assert planning.pixels_per_cell(coarsest - 1, pixel_m) > MOST_PIXELS


@pytest.mark.parametrize(
    ("pixel_m", "expected"),
    [(30, (8, 10)), (0.05, (12, 12)), (2_000_000, (0, 0)), (None, (None, None)), (0, (None, None))],
)
def test_recommended_resolutions(pixel_m: float | None, expected: tuple[int, int]) -> None:
    assert recommended_resolutions(pixel_m) == expected


def test_recommended_statistics_suit_the_type() -> None:
    assert recommended_statistics("categorical", "land_cover") == [
        "majority", "fractions", "count"
    ]  # fmt: skip
    assert (recommended_statistics("continuous", "population") or [])[0] == "sum"
    assert (recommended_statistics("dem", None) or [])[0] == "mean"
    assert recommended_statistics(None, None) is None
