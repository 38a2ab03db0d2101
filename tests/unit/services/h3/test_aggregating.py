"""Statistics of cells are those that a slow oracle finds, wherever a raster lies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray

from core.errors import PermanentTaskError
from services.h3.child import aggregating
from services.h3.model import Box, Weighting
from tests.support import h3_oracle
from tests.support.h3_oracle import Found
from tests.support.h3_rasters import Statistics, statistics
from tests.support.rasters import write

NODATA = -9999.0
EDGE = 20037508.342789244  # of the world in web Mercator
WEIGHTINGS: tuple[Weighting, ...] = ("exact", "centroid")
COLUMNS = ("pixel_count", "nodata_count", "count", "sum", "mean", "stdev", "min", "max")


@dataclass(frozen=True)
class Place:
    """A raster of `columns` x `rows` pixels somewhere. `seam` is where outlines are cut; `over` is
    its CRS as PROJ has it for coordinates beyond a turn."""

    crs: str
    transform: Affine
    columns: int
    rows: int
    resolution: int
    seam: float
    over: str | None = None

    def values(self, seed: int = 0) -> NDArray[np.float32]:
        """Values, of which one in ten is `NODATA`."""
        random = np.random.default_rng(seed)
        values = random.normal(100, 30, (self.rows, self.columns)).astype(np.float32)
        values[random.random(values.shape) < 0.1] = NODATA
        return values

    def written(self, folder: Path, values: NDArray[Any], **options: Any) -> Path:
        profile = {"crs": self.crs, "transform": self.transform, "nodata": NODATA, **options}
        return write(folder / "raster.tif", values, **profile)

    def exact(self, values: NDArray[np.float32]) -> Found:
        return h3_oracle.exact(
            values.astype(float), values != NODATA, self.transform, self.over or self.crs,
            self.resolution, self.seam,
        )  # fmt: skip

    def centroid(self, values: NDArray[np.float32]) -> Found:
        return h3_oracle.centroid(
            values.astype(float), values != NODATA, self.transform, self.over or self.crs,
            self.resolution,
        )  # fmt: skip


def degrees(size: float, west: float, north: float) -> Affine:
    return Affine(size, 0, west, 0, -size, north)


# All of each pixel is on the Earth, and in one turn around it.
WHOLE = {
    "mid latitudes": Place("EPSG:4326", degrees(0.5, 10, 50), 16, 12, 3, -167),
    "south up": Place("EPSG:4326", Affine(0.5, 0, 10, 0, 0.5, 40), 12, 12, 3, -167),
    "world": Place("EPSG:4326", degrees(15, -180, 90), 24, 12, 1, -180),
    "world from 0 to 360": Place("EPSG:4326", degrees(15, 0, 90), 24, 12, 1, 0),
    "over the antimeridian": Place("EPSG:4326", degrees(0.5, 176, 10), 16, 12, 3, 0),
    "over Greenwich, from 350 on": Place("EPSG:4326", degrees(0.5, 356, 10), 16, 12, 3, 180),
    "north pole": Place("EPSG:4326", degrees(10, -180, 90), 36, 2, 2, -180),
    "UTM zone 1": Place("EPSG:32601", Affine(2e4, 0, 2e5, 0, -2e4, 3e6), 24, 15, 3, 3),
    "web Mercator": Place("EPSG:3857", Affine(EDGE / 10, 0, -EDGE, 0, -EDGE / 10, EDGE), 20, 20,
                          1, -180),
    "web Mercator beyond 180": Place("EPSG:3857", Affine(2e5, 0, 1.9e7, 0, -2e5, -1e6), 12, 10,
                                     2, 0, "+proj=merc +a=6378137 +b=6378137 +over"),
    "Antarctica": Place("EPSG:3031", Affine(4e5, 0, -3e6, 0, -4e5, 3e6), 15, 15, 2, -180),
    "Arctic": Place("EPSG:3413", Affine(1e5, 0, -1e6, 0, -1e5, 1.5e6), 20, 20, 2, 135),
    "rotated": Place("EPSG:4326", Affine(0.4, 0.2, 10, -0.2, -0.4, 50), 12, 12, 3, -170),
    "rotated in Mercator": Place("EPSG:3857", Affine(4e4, 2e4, 1.8e6, -2e4, -4e4, 6e6), 14, 12,
                                 3, -160),
}  # fmt: skip
# Some pixels are not, or are there twice.
BEYOND = {
    "half a pixel beyond the poles": Place("EPSG:4326", degrees(15, -7.5, 97.5), 24, 13, 1, -7.5),
    "Mollweide": Place("ESRI:54009", Affine(2e6, 0, -18.04e6, 0, -2e6, 9.02e6), 19, 10, 1, -180),
}


def differences(found: Statistics, expected: Found, tolerance: float) -> list[str]:
    """Cells that are missing or that nobody expected, and numbers that differ."""
    rows = {row["h3_index"]: row for row in found.table.to_pylist()}
    wrong = [f"{cell:x} is missing" for cell in expected.keys() - rows.keys()]
    for cell, row in rows.items():
        columns = expected[cell].columns if cell in expected else {}
        for name in COLUMNS:
            want = columns.get(name, 0.0 if name.endswith("_count") else None)
            got = row[name]
            if got is None or want is None or math.isnan(want):
                is_same = got is None and (want is None or math.isnan(want))
            else:
                is_same = abs(got - want) <= tolerance * max(1.0, abs(want))
            if not is_same:
                wrong.append(f"{cell:x} {name}: {got!r}, not {want!r}")
    return wrong


@pytest.mark.parametrize("place", [*WHOLE.values(), *BEYOND.values()], ids=[*WHOLE, *BEYOND])
def test_exact_weights_are_those_of_the_oracle(place: Place, tmp_path: Path) -> None:
    values = place.values()
    found = statistics([place.written(tmp_path, values)], place.resolution, weighting="exact")
    assert differences(found, place.exact(values), 1e-9) == []


@pytest.mark.parametrize("place", [*WHOLE.values(), *BEYOND.values()], ids=[*WHOLE, *BEYOND])
def test_pixels_are_in_the_cells_of_their_centres(place: Place, tmp_path: Path) -> None:
    values = place.values()
    found = statistics([place.written(tmp_path, values)], place.resolution, weighting="centroid")
    assert differences(found, place.centroid(values), 1e-12) == []


@pytest.mark.parametrize("weighting", ["exact", "centroid"])
@pytest.mark.parametrize("place", WHOLE.values(), ids=WHOLE)
def test_all_cells_together_have_all_of_the_raster(
    place: Place, weighting: Any, tmp_path: Path
) -> None:
    values = place.values(seed=2)
    found = statistics([place.written(tmp_path, values)], place.resolution, weighting=weighting)
    valid = values != NODATA
    assert found.column("pixel_count").sum() == pytest.approx(valid.sum(), rel=1e-11)
    assert found.column("nodata_count").sum() == pytest.approx((~valid).sum(), rel=1e-11)
    total = values[valid].astype(float).sum()
    assert np.nansum(found.column("sum")) == pytest.approx(total, rel=1e-11)


def test_columns_beyond_a_turn_are_the_first_ones_again(tmp_path: Path) -> None:
    values = np.full((18, 38), 7.0, np.float32)
    path = write(tmp_path / "wide.tif", values, crs="EPSG:4326", transform=degrees(10, -190, 90))
    for weighting in WEIGHTINGS:
        found = statistics([path], 1, weighting=weighting)
        assert found.column("pixel_count").sum() == pytest.approx(36 * 18, rel=1e-12)


@pytest.mark.parametrize("weighting", ["exact", "centroid"])
def test_blocks_of_any_size_find_the_same(weighting: Any, tmp_path: Path) -> None:
    place = WHOLE["over the antimeridian"]
    path = place.written(tmp_path, place.values())
    one = [Box(west=west, south=0, east=west + 10, north=14) for west in (-180, 170)]
    many = [
        Box(west=west, south=south, east=west + 1.25, north=south + 2)
        for start in (-180, 170)
        for west in np.arange(start, start + 10, 1.25)
        for south in range(0, 14, 2)
    ]
    few, more = (
        statistics([path], 3, ["count", "sum", "min", "max", "median"], weighting=weighting,
                   boxes=boxes)
        for boxes in (one, many)
    )  # fmt: skip
    assert len(more.answers) > 20 * len(few.answers)
    np.testing.assert_array_equal(more.cells, few.cells)
    for name in ("pixel_count", "sum", "median"):
        np.testing.assert_allclose(more.column(name), few.column(name), rtol=1e-12, atol=1e-12)
    for name in ("min", "max"):
        np.testing.assert_array_equal(more.column(name), few.column(name))


def test_cells_are_those_with_their_centre_in_the_area(tmp_path: Path) -> None:
    place = WHOLE["mid latitudes"]
    values = place.values()
    path = place.written(tmp_path, values)
    ring = [[12.0, 46.0], [15.0, 46.0], [15.0, 49.0], [12.0, 46.0]]
    found = statistics([path], 3, area={"type": "Polygon", "coordinates": [ring]})
    everywhere = statistics([path], 3)
    assert 0 < len(found.cells) < len(everywhere.cells)
    there = np.isin(everywhere.cells, found.cells)
    np.testing.assert_allclose(found.column("sum"), everywhere.column("sum")[there], rtol=1e-12)


def test_a_raster_without_valid_pixels_makes_rows_without_statistics(tmp_path: Path) -> None:
    place = WHOLE["mid latitudes"]
    values = np.full((place.rows, place.columns), NODATA, np.float32)
    found = statistics([place.written(tmp_path, values)], 3)
    assert found.table["mean"].null_count == len(found.cells)
    assert found.column("nodata_count").sum() == pytest.approx(values.size)
    assert [answer["cells_with_data"] for answer in found.answers] == [0] * len(found.answers)


def test_small_windows_find_what_large_ones_find(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = WHOLE["Antarctica"]
    path = place.written(tmp_path, place.values(), tiled=True, blockxsize=16, blockysize=16)
    at_once = {weighting: statistics([path], 2, weighting=weighting)
               for weighting in WEIGHTINGS}  # fmt: skip
    monkeypatch.setattr("services.h3.child.aggregating._MOST_PIXELS", 10)
    monkeypatch.setattr("services.h3.child.aggregating._AT_ONCE", 3)
    monkeypatch.setattr("services.h3.child.centres._PART", 4)
    for weighting, expected in at_once.items():
        found = statistics([path], 2, weighting=weighting)
        for name in COLUMNS:
            np.testing.assert_allclose(
                found.column(name), expected.column(name), rtol=1e-12, atol=1e-9
            )


def test_only_what_cells_touch_is_read(tmp_path: Path) -> None:
    """A cell on the antimeridian has its pixels at both edges of a raster of the world."""
    values = np.ones((360, 720), np.float32)
    path = write(
        tmp_path / "world.tif", values, crs="EPSG:4326", transform=degrees(0.5, -180, 90),
        tiled=True, blockxsize=64, blockysize=64,
    )  # fmt: skip
    for weighting in WEIGHTINGS:
        found = statistics(
            [path], 2, ["count"], weighting=weighting,
            boxes=[Box(west=-180, south=0, east=-179, north=2)],
        )  # fmt: skip
        assert found.column("count").sum() > 0
        assert found.answers[0]["pixels_read"] < values.size / 5


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_progress_comes_with_each_window_and_ends_with_all_cells(
    weighting: Weighting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aggregating, "_MOST_PIXELS", 64)
    paths = []
    for name, size in (("fine", 0.5), ("coarse", 0.7)):  # of two grids, so two mosaics
        values = np.ones((12, 16), np.float32)
        paths.append(write(tmp_path / f"{name}.tif", values, crs="EPSG:4326",
                           transform=degrees(size, 10, 50)))  # fmt: skip
    found = statistics(paths, 3, ["count"], weighting=weighting)
    [answer], [said] = found.answers, found.progress
    assert len(set(said)) > 4
    assert list(said) == sorted(said)
    assert said[-1] == answer["cells"] + answer["cells_beyond"]


def test_a_projection_that_is_torn_under_cells_is_refused(tmp_path: Path) -> None:
    """Goode's homolosine is torn at 40 degrees west, north of the equator."""
    path = write(
        tmp_path / "goode.tif", np.ones((30, 60), np.float32), crs="+proj=igh +datum=WGS84",
        transform=Affine(1e5, 0, -6e6, 0, -1e5, 5e6),
    )  # fmt: skip
    with pytest.raises(PermanentTaskError, match=r"goode\.tif.*centroid") as refused:
        statistics([path], 3)
    assert refused.value.error_code == "cells_not_in_crs"
    assert statistics([path], 3, weighting="centroid").column("pixel_count").sum() > 1000
