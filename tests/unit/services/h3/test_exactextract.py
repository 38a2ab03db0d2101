"""Ten thousand cells beside exactextract, and their totals beside the raster's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from exactextract import exact_extract
from exactextract.feature import JSONFeatureSource
from exactextract.raster import NumPyRasterSource

from services.h3 import boxes, cells, coverage
from services.h3.model import Box, Cells, Indices, Numbers
from services.h3.statistics import Accumulator

_WEST, _NORTH, _PIXEL, _SIDE = 10.0, 50.0, 0.03, 576
_BOX = Box(west=_WEST, south=_NORTH - _SIDE * _PIXEL, east=_WEST + _SIDE * _PIXEL, north=_NORTH)
_RESOLUTION = 5
_NAMES = ("mean", "sum", "count", "min", "max", "stdev", "median", "p90")
_THEIRS = ("mean", "sum", "count", "min", "max", "stdev", "median", "quantile(q=0.9)")
# exactextract keeps shares as float32.
_FLOAT32 = 1e-5
_THEIR_SMALLEST_WEIGHT = 1e-6


@dataclass(frozen=True)
class _Case:
    chosen: Cells
    found: dict[str, Numbers]
    smallest_weight: Numbers


def _elevations() -> Numbers:
    rows, columns = np.mgrid[:_SIDE, :_SIDE] / 40
    hills = 800 * np.sin(rows) * np.cos(columns * 0.7) + 1500
    noise = np.random.default_rng(1).normal(0, 30, (_SIDE, _SIDE))
    return np.asarray(hills + noise)


@cache
def _case(*, margin: bool) -> _Case:
    around = boxes.grown([_BOX], cells.circumradius(_RESOLUTION)) if margin else [_BOX]
    chosen = np.concatenate([cells.in_box(each, _RESOLUTION) for each in around])
    values = _elevations()
    accumulator = Accumulator(len(chosen), _NAMES)
    smallest = np.ones(len(chosen))
    for cell, row, column, weight in _weighted(chosen):
        accumulator.add(cell, values[row, column], weight)
        np.minimum.at(smallest, cell, weight)
    return _Case(chosen, accumulator.result(), smallest)


def _weighted(chosen: Cells) -> list[tuple[Indices, Indices, Indices, Numbers]]:
    outlines = cells.outlines(chosen, -180.0)
    columns, rows = (outlines.x - _WEST) / _PIXEL, (_NORTH - outlines.y) / _PIXEL
    window = (0, 0, _SIDE, _SIDE)
    return [
        (outlines.cell[part.piece], part.row, part.column, part.weight)
        for part in coverage.shares(columns, rows, outlines.vertices, window)
    ]


@cache
def _theirs() -> dict[str, Numbers]:
    chosen = _case(margin=False).chosen
    outlines = cells.outlines(chosen, -180.0)
    rings = np.stack([outlines.x, outlines.y], axis=2)
    features: list[dict[str, Any]] = [
        {
            "type": "Feature",
            "properties": {},
            "geometry": {"type": "Polygon", "coordinates": [[*ring.tolist(), ring[0].tolist()]]},
        }
        for ring in rings
    ]
    raster = NumPyRasterSource(
        _elevations(), xmin=_BOX.west, ymin=_BOX.south, xmax=_BOX.east, ymax=_BOX.north
    )
    found = exact_extract(raster, JSONFeatureSource(features), list(_THEIRS))
    keys = [name.replace("(q=0.9)", "_90") for name in _THEIRS]
    return {
        name: np.array([each["properties"][key] for each in found])
        for name, key in zip(_NAMES, keys, strict=True)
    }


def test_there_are_ten_thousand_cells() -> None:
    assert len(_case(margin=False).chosen) >= 10_000


@pytest.mark.parametrize("name", ["mean", "sum", "count", "stdev"])
def test_sums_agree_with_exactextract(name: str) -> None:
    np.testing.assert_allclose(
        _case(margin=False).found[name], _theirs()[name], rtol=_FLOAT32, atol=0
    )


@pytest.mark.parametrize("name", ["min", "max", "median", "p90"])
def test_what_hangs_on_single_pixels_agrees_where_both_see_them(name: str) -> None:
    """All values of a cell are different here, and so quantiles mean the same."""
    case = _case(margin=False)
    both_see = case.smallest_weight > _THEIR_SMALLEST_WEIGHT
    assert both_see.mean() > 0.95

    np.testing.assert_allclose(
        case.found[name][both_see], _theirs()[name][both_see], rtol=_FLOAT32, atol=0
    )


def test_totals_over_all_cells_are_the_rasters() -> None:
    found, values = _case(margin=True).found, _elevations()

    assert found["pixel_count"].sum() == pytest.approx(values.size, rel=1e-12)
    assert np.nansum(found["sum"]) == pytest.approx(values.sum(), rel=1e-12)


def test_shares_of_each_pixel_add_up_to_one() -> None:
    total = np.zeros((_SIDE, _SIDE))
    for _, row, column, weight in _weighted(_case(margin=True).chosen):
        np.add.at(total, (row, column), weight)

    np.testing.assert_allclose(total, 1, rtol=0, atol=1e-12)
