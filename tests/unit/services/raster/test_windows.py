"""Which rasters are encoded in strips, and where those begin."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.raster.model import Band, CogPlan, Facts, Nodata
from services.raster.windows import split

_GIGABYTE = 1_000_000_000


def _facts(dtype: str = "float32", bands: int = 1, **changed: Any) -> Facts:
    described = tuple(Band(number=number, dtype=dtype) for number in range(1, bands + 1))
    facts: dict[str, Any] = {"driver": "GTiff", "width": 100, "height": 100, "bands": described}
    return Facts(**(facts | changed))


def _plan(**changed: Any) -> CogPlan:
    plan: dict[str, Any] = {
        "type": "dem",
        "tier": "analysis",
        "compression": "DEFLATE",
        "overview_resampling": "average",
        "resampling": "bilinear",
        "lossless": True,
    }
    return CogPlan(**(plan | changed))


@given(
    width=st.integers(1, 200_000),
    height=st.integers(1, 200_000),
    bands=st.integers(1, 12),
    block=st.sampled_from([256, 512, 1024]),
    window_gb=st.floats(0.001, 100),
)
def test_strips_cover_every_row_once_and_begin_where_tiles_do(
    width: int, height: int, bands: int, block: int, window_gb: float
) -> None:
    facts = _facts(bands=bands)
    strips = split(facts, _plan(block_size=block), window_gb, (width, height))

    assert len(strips) != 1
    assert all(first % block == 0 and rows > 0 for first, rows in strips)
    if strips:
        ends = [first + rows for first, rows in strips]
        assert [0, *ends] == [*(first for first, _ in strips), height]
        assert width * height * bands * 4 > window_gb * _GIGABYTE
        row_of_tiles = width * bands * 4 * block
        most = max(window_gb * _GIGABYTE / 4, row_of_tiles)
        assert all(width * bands * 4 * rows <= most for _, rows in strips)


def test_the_size_of_the_warped_grid_decides() -> None:
    facts, plan = _facts(), _plan(warp_to="EPSG:4326")

    assert split(facts, plan, 4.0, (100, 100)) == []
    assert len(split(facts, plan, 4.0, (40_000, 40_000))) == 7


@pytest.mark.parametrize(
    ("facts", "plan"),
    [
        (_facts(), _plan(nodata=Nodata.MASK)),
        (_facts(mask="dataset"), _plan()),
        (_facts("complex64"), _plan()),
    ],
    ids=["mask of the plan", "mask of the file", "complex"],
)
def test_what_only_a_single_pass_can_do_takes_one(facts: Facts, plan: CogPlan) -> None:
    assert split(facts, plan, 0.001, (40_000, 40_000)) == []


def test_at_the_limit_it_is_a_single_pass() -> None:
    assert split(_facts("uint8"), _plan(), 1.0, (1_000_000, 1_000)) == []
    assert split(_facts("uint8"), _plan(), 1.0, (1_000_000, 1_001)) == [
        (first, min(512, 1_001 - first)) for first in (0, 512)
    ]


@pytest.mark.parametrize("mask", ["none", "nodata", "alpha"])
def test_alpha_and_nodata_go_in_strips(mask: str) -> None:
    assert split(_facts(mask=mask), _plan(), 1.0, (40_000, 40_000))
