"""The files that the vector benchmark loads are what it says they are."""

from __future__ import annotations

import csv
from pathlib import Path

import pyogrio.raw
import shapely

from benchmarks import vector_files


def test_polygons_of_fifty_vertices_of_which_few_are_invalid(tmp_path: Path) -> None:
    file = tmp_path / "parcels.gpkg"
    vector_files.polygons(file, 3_000)
    facts, _, geometry, fields = pyogrio.raw.read(str(file))
    polygons = shapely.from_wkb(geometry)
    assert facts["crs"] == "EPSG:4326"
    assert len(polygons) == 3_000
    assert (shapely.get_num_coordinates(polygons) == 50).all()
    assert 0.005 < (~shapely.is_valid(polygons)).mean() < 0.02
    assert [len(field) for field in fields] == [3_000] * 8


def test_the_same_file_each_time(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        vector_files.events(tmp_path / name, 500)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_events_with_coordinates(tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    vector_files.events(file, 5_000)
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 5_000
    assert 0 < sum(row["longitude"] == "unknown" for row in rows) < 50
    assert 300 < file.stat().st_size / 5_000 < 500
