"""Places on the Earth and pixels of a grid lead to each other, whatever the turn they are in."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine

from services.h3.model import Grid
from services.h3.planes import Plane

EDGE = 20037508.342789244


def plane(crs: str, transform: Affine, columns: int, rows: int) -> Plane:
    return Plane(Grid(crs=crs, transform=tuple(transform)[:6], width=columns, height=rows))


PLANES = {
    "degrees": plane("EPSG:4326", Affine(0.1, 0, 10, 0, -0.1, 50), 50, 40),
    "0 to 360": plane("EPSG:4326", Affine(1, 0, 0, 0, -1, 90), 360, 180),
    "-180 to 180": plane("EPSG:4326", Affine(1, 0, -180, 0, -1, 90), 360, 180),
    "a turn off": plane("EPSG:4326", Affine(0.1, 0, 370, 0, -0.1, 50), 50, 40),
    "two turns off": plane("EPSG:4326", Affine(0.1, 0, -710, 0, -0.1, 50), 50, 40),
    "NAD27": plane("EPSG:4267", Affine(0.1, 0, -100, 0, -0.1, 50), 50, 40),
    "gradians from Paris": plane("EPSG:4807", Affine(0.1, 0, -1, 0, -0.1, 54), 50, 40),
    "web Mercator": plane("EPSG:3857", Affine(1e4, 0, 1e6, 0, -1e4, 6e6), 50, 40),
    "beyond 180": plane("EPSG:3857", Affine(1e4, 0, EDGE - 1e5, 0, -1e4, 6e6), 50, 40),
    "Mercator of the Pacific": plane("EPSG:3832", Affine(1e4, 0, 3e6, 0, -1e4, 6e6), 50, 40),
    "equal area": plane("EPSG:6933", Affine(1e4, 0, -1.73e7, 0, -1e4, 6e6), 3450, 1200),
    "UTM": plane("EPSG:32660", Affine(1e4, 0, 4e5, 0, -1e4, 6e6), 50, 40),
    "the Arctic": plane("EPSG:3413", Affine(1e5, 0, -1e6, 0, -1e5, 1e6), 20, 20),
    "rotated": plane("EPSG:4326", Affine(0.1, 0.05, 170, -0.05, -0.1, 50), 90, 40),
    "sinusoidal": plane(
        "+proj=sinu +R=6371007.181", Affine(1e4, 0, 1.8e7, 0, -1e4, -1.1e6), 50, 60
    ),
}


@pytest.mark.parametrize("there", PLANES.values(), ids=PLANES)
def test_pixels_lead_to_places_and_back(there: Plane) -> None:
    columns, rows = np.meshgrid(
        np.linspace(0.1, there.grid.width - 0.1, 9), np.linspace(0.1, there.grid.height - 0.1, 7)
    )
    longitudes, latitudes = there.places(columns, rows)
    assert np.abs(longitudes).max() <= 180
    assert -180 <= there.seam < 180
    unwrapped = there.seam + (longitudes - there.seam) % 360
    back = there.pixels(unwrapped, latitudes)
    np.testing.assert_allclose(back[0], columns, atol=1e-5)
    np.testing.assert_allclose(back[1], rows, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "seam"),
    [("0 to 360", 0), ("-180 to 180", -180), ("degrees", -167.5), ("a turn off", -167.5),
     ("the Arctic", 135), ("UTM", -3)],
)  # fmt: skip
def test_outlines_are_cut_away_from_the_grid_or_at_its_edge(name: str, seam: float) -> None:
    assert PLANES[name].seam == pytest.approx(seam, abs=1e-9)


def test_the_edges_of_the_world_are_those_of_the_grid() -> None:
    for name in ("0 to 360", "-180 to 180"):
        there = PLANES[name]
        columns, _ = there.pixels(np.array([there.seam, there.seam + 360]), np.zeros(2))
        assert columns.tolist() == [0, 360]
    mercator = plane("EPSG:3857", Affine(EDGE / 50, 0, -EDGE, 0, -EDGE / 50, EDGE), 100, 100)
    columns, _ = mercator.pixels(mercator.seam + np.array([0.0, 360.0]), np.zeros(2))
    np.testing.assert_allclose(columns, [0, 100], atol=1e-9)


def test_what_is_not_on_the_earth_has_no_place() -> None:
    columns, rows = np.array([-0.5, 360.5, 10.5]), np.array([10.0, 10.0, -3.0])
    longitudes, latitudes = PLANES["0 to 360"].places(columns, rows)
    assert np.isnan(longitudes).tolist() == [False, True, True]
    assert np.isnan(latitudes).tolist() == [False, True, True]
    disk = plane("+proj=geos +h=35785831", Affine(1e5, 0, -5.5e6, 0, -1e5, 5.5e6), 110, 110)
    longitudes, _ = disk.places(np.array([0.5, 55.0]), np.array([0.5, 55.0]))
    assert np.isnan(longitudes).tolist() == [True, False]


def test_poles_are_where_a_projection_has_them() -> None:
    north = np.full(3, 90.0)
    columns, rows = PLANES["the Arctic"].pixels(np.array([135.0, 300.0, 495.0]), north)
    np.testing.assert_allclose(columns, 10, atol=1e-6)
    np.testing.assert_allclose(rows, 10, atol=1e-6)
    _, rows = PLANES["web Mercator"].pixels(np.array([0.0, 10.0, 20.0]), north)
    assert np.isfinite(rows).all()
    assert (rows < -1000).all()
