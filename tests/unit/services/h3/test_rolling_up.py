"""Statistics of large cells are those of all pixels of the small ones."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from infrastructure.h3_repository import Batch
from services.h3 import cells
from services.h3.model import Box
from services.h3.rolling_up import can_roll_up, rolled_up

NAMES = ("mean", "sum", "count", "min", "max", "stdev", "fraction_7")
FOUND = cells.in_box(Box(west=5, south=45, east=8, north=47), 5)
RANDOM = np.random.default_rng(7)
# Of each cell some pixels: values, and how much of each is in it.
PIXELS = [RANDOM.normal(1e6, 3, RANDOM.integers(1, 9)) for _ in FOUND]
WEIGHTS = [RANDOM.uniform(0.1, 1, len(each)) for each in PIXELS]
IS_SEVEN = [RANDOM.random(len(each)) < 0.3 for each in PIXELS]


def statistics(
    values: NDArray[np.float64], weights: NDArray[np.float64], seven: NDArray[np.bool_]
) -> dict[str, float]:
    """Of some pixels, as they are defined."""
    count = weights.sum()
    mean = (weights * values).sum() / count
    return {
        "mean": mean,
        "sum": (weights * values).sum(),
        "count": count,
        "min": values.min(),
        "max": values.max(),
        "stdev": np.sqrt((weights * (values - mean) ** 2).sum() / count),
        "fraction_7": weights[seven].sum() / count,
    }


def small() -> Batch:
    rows = [statistics(*each) for each in zip(PIXELS, WEIGHTS, IS_SEVEN, strict=True)]
    values = {name: np.array([row[name] for row in rows]) for name in NAMES}
    return Batch(FOUND.astype(np.int64), values["count"], np.full(len(FOUND), 0.25), values)


def split(batch: Batch, size: int) -> list[Batch]:
    return [
        Batch(
            batch.cells[at : at + size],
            batch.pixel_count[at : at + size],
            batch.nodata_count[at : at + size],
            {name: each[at : at + size] for name, each in batch.values.items()},
        )
        for at in range(0, len(batch), size)
    ]


def together(batches: list[Batch]) -> dict[int, dict[str, float]]:
    found: dict[int, dict[str, float]] = {}
    for batch in batches:
        for at, cell in enumerate(batch.cells.tolist()):
            assert cell not in found
            found[cell] = {
                "pixel_count": batch.pixel_count[at],
                "nodata_count": batch.nodata_count[at],
                **{name: each[at] for name, each in batch.values.items()},
            }
    assert list(found) == sorted(found)
    return found


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
@pytest.mark.parametrize("resolution", [0, 2, 4])
def test_they_are_as_if_computed_of_the_pixels(size: int, resolution: int) -> None:
    found = together(list(rolled_up(split(small(), size), resolution, NAMES)))
    parents = cells.parents(FOUND, resolution)
    assert list(found) == np.unique(parents).tolist()
    for parent in np.unique(parents).tolist():
        own = np.flatnonzero(parents == parent)
        wanted = statistics(
            *(np.concatenate([part[at] for at in own]) for part in (PIXELS, WEIGHTS, IS_SEVEN))
        )
        for name in NAMES:
            assert found[parent][name] == pytest.approx(wanted[name], rel=1e-9), name
        assert found[parent]["nodata_count"] == pytest.approx(0.25 * len(own))
        assert found[parent]["pixel_count"] == pytest.approx(wanted["count"])


def test_a_cell_without_a_value_does_not_count_in_it() -> None:
    batch = small()
    half = np.where(np.arange(len(batch)) % 2 == 0, np.nan, batch.values["mean"])
    with_gaps = {**batch.values, "mean": half, "max": np.full(len(batch), np.nan)}
    batch = Batch(batch.cells, batch.pixel_count, batch.nodata_count, with_gaps)
    found = together(list(rolled_up([batch], 0, ("mean", "max", "sum"))))
    parents = cells.parents(FOUND, 0)
    for parent, row in found.items():
        own = (parents == np.uint64(parent)) & ~np.isnan(half)
        wanted = np.average(half[own], weights=batch.pixel_count[own])
        assert row["mean"] == pytest.approx(wanted)
        assert np.isnan(row["max"])


def test_nothing_is_nothing() -> None:
    assert list(rolled_up([], 3, NAMES)) == []


def test_what_needs_the_pixels_cannot_be_rolled_up() -> None:
    stored = {"mean", "stdev", "median", "p95", "majority", "fraction_1"}
    possible = {name for name in stored if can_roll_up(name, stored)}
    assert possible == {"mean", "stdev", "fraction_1"}
    assert not can_roll_up("stdev", {"stdev", "median"})
    assert not can_roll_up("sum", stored)
