"""Coordinates and geometries of placemarks, however they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.vector.formats.kml.coordinates import parse_coordinates
from tests.unit.services.vector.formats.kml.reading import load_features


@pytest.mark.parametrize(
    ("text", "tuples"),
    [
        ("1,2", [(1, 2)]),
        ("1,2,3", [(1, 2, 3)]),
        ("\n\t 1,2,3\n\t 4,5,6 \n", [(1, 2, 3), (4, 5, 6)]),
        ("-1.5e2,+2.0,.5", [(-150, 2, 0.5)]),
        ("1, 2 3, 4", [(1, 2), (3, 4)]),
        ("1 ,2 ,0 3 ,4 ,0", [(1, 2, 0), (3, 4, 0)]),
        ("15, 13, 0", [(15, 13, 0)]),
        ("1,2,\n3,4,", [(1, 2), (3, 4)]),
        ("1,2,0;3,4,0", [(1, 2, 0), (3, 4, 0)]),
        ("1 2\n3 4\n5 6", [(1, 2), (3, 4), (5, 6)]),
        ("1 2 0\n3 4 0", [(1, 2, 0), (3, 4, 0)]),
        ("10 50 11 51 12 52", [(10, 50), (11, 51), (12, 52)]),
        (
            "12,345678;47,123456 12,345679;47,123457",
            [(12.345678, 47.123456), (12.345679, 47.123457)],
        ),
        ("\u22121,2 1,\u22122", [(-1, 2), (1, -2)]),
        ("1,2\u00a03,4", [(1, 2), (3, 4)]),
        # What is wrong stays to be seen.
        ("-124,50 -118,  -118,50", [(-124, 50), (-118,), (-118, 50)]),
        ("1,2 3,4,5,6", [(1, 2), (3, 4, 5, 6)]),
        ("1,2 x,4", [(1, 2), ("x", 4)]),
        ("1,,2 3,4,5", [(1, "", 2), (3, 4, 5)]),
        ("1_0,2", [("1_0", 2)]),
        ("5", [(5,)]),
        ("", []),
        (" \n ", []),
        (",", []),
    ],
)
def test_coordinates(text: str, tuples: list[tuple[Any, ...]]) -> None:
    assert parse_coordinates(text) == tuples


def _ring(*tuples: str) -> str:
    return f"<LinearRing><coordinates>{' '.join(tuples)}</coordinates></LinearRing>"


_SQUARE = _ring("0,0", "10,0", "10,10", "0,10", "0,0")
_HOLE = _ring("1,1", "1,2", "2,2", "1,1")
_FAR = _ring("50,50", "60,50", "60,60", "50,50")
_FAR_HOLE = _ring("55,51", "56,51", "56,52", "55,51")


def _polygon(*boundaries: str) -> str:
    return f"<Polygon>{''.join(boundaries)}</Polygon>"


def _outer(ring: str) -> str:
    return f"<outerBoundaryIs>{ring}</outerBoundaryIs>"


def _inner(ring: str) -> str:
    return f"<innerBoundaryIs>{ring}</innerBoundaryIs>"


_WITH_HOLE = "POLYGON ((0 0, 10 0, 10 10, 0 10, 0 0), (1 1, 1 2, 2 2, 1 1))"


@pytest.mark.parametrize(
    ("geometry", "wkt", "mends"),
    [
        (_polygon(_outer(_SQUARE), _inner(_HOLE)), _WITH_HOLE, []),
        (_polygon(_inner(_HOLE), _outer(_SQUARE)), _WITH_HOLE, []),
        (
            _polygon(_outer(_SQUARE), _inner(_HOLE + _ring("5,5", "5,6", "6,6", "5,5"))),
            _WITH_HOLE[:-1] + ", (5 5, 5 6, 6 6, 5 5))",
            [],
        ),
        (
            _polygon(_outer(_SQUARE), _outer(_FAR), _inner(_FAR_HOLE), _inner(_HOLE)),
            f"MULTIPOLYGON ({_WITH_HOLE[8:]}, "
            "((50 50, 60 50, 60 60, 50 50), (55 51, 56 51, 56 52, 55 51)))",
            [],
        ),
        (_polygon(_SQUARE), "POLYGON ((0 0, 10 0, 10 10, 0 10, 0 0))", []),
        (
            _polygon(_outer(_ring("0,0", "1,0", "1,1"))),
            "POLYGON ((0 0, 1 0, 1 1, 0 0))",
            ["ring_closed"],
        ),
        (_ring("0,0", "1,0", "1,1"), "LINESTRING (0 0, 1 0, 1 1, 0 0)", ["ring_closed"]),
        (_ring("0,0", "1,0"), "LINESTRING (0 0, 1 0)", ["retyped"]),
        (
            "<Point><coordinates>1,2 3,4</coordinates></Point>",
            "POINT (1 2)",
            ["tuples_completed"],
        ),
        (
            "<LineString><coordinates>0,0 1 2,2</coordinates></LineString>",
            "LINESTRING (0 0, 2 2)",
            ["tuples_completed"],
        ),
        (
            "<MultiGeometry><MultiGeometry><Point><coordinates>1,2</coordinates></Point>"
            "</MultiGeometry></MultiGeometry>",
            "POINT (1 2)",
            [],
        ),
        (
            "<MultiGeometry><Point><coordinates>1,2</coordinates></Point>"
            "<Point><coordinates>3,4</coordinates></Point></MultiGeometry>",
            "MULTIPOINT ((1 2), (3 4))",
            [],
        ),
        (
            "<MultiGeometry><Point><coordinates/></Point>"
            "<LineString><coordinates>0,0 1,1</coordinates></LineString></MultiGeometry>",
            "LINESTRING (0 0, 1 1)",
            ["empty_part"],
        ),
        (
            "<MultiGeometry><Point><coordinates>1,2</coordinates></Point>"
            "<LineString><coordinates>0,0 1,1</coordinates></LineString></MultiGeometry>",
            "GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 1))",
            [],
        ),
        (
            "<gx:Track><when>2020-01-01</when><gx:coord>1 2 3</gx:coord><when>2020-01-02</when>"
            "<gx:coord>4 5 6</gx:coord><gx:coord/></gx:Track>",
            "LINESTRING Z (1 2 3, 4 5 6)",
            ["tuples_completed"],
        ),
        ("<gx:Track><gx:coord>1 2 3</gx:coord></gx:Track>", "POINT Z (1 2 3)", []),
        (
            "<Model><Location><longitude>1</longitude><latitude>2</latitude></Location></Model>",
            "POINT Z (1 2 0)",
            [],
        ),
    ],
)
def test_geometries(tmp_path: Path, geometry: str, wkt: str, mends: list[str]) -> None:
    loaded = load_features(tmp_path, f"<Placemark>{geometry}</Placemark>")

    assert loaded.wkt == [wkt]
    assert loaded.mends.get(0, []) == mends
    assert not loaded.faults


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [
        ("", "empty_placemark"),
        ("<Point/>", "too_few_points"),
        ("<Point><coordinates> </coordinates></Point>", "too_few_points"),
        ("<MultiGeometry/>", "too_few_points"),
        ("<LineString><coordinates>1,2</coordinates></LineString>", "too_few_points"),
        (_polygon(_outer(_ring("0,0", "1,1"))), "too_few_points"),
        (_polygon(_inner(_HOLE)), "too_few_points"),
        ("<Point><coordinates>abc,2</coordinates></Point>", "bad_coordinate"),
        ("<Point><coordinates>nan,2</coordinates></Point>", "bad_coordinate"),
        ("<Point><coordinates>1e999,2</coordinates></Point>", "bad_coordinate"),
        ("<LineString><coordinates>1,2 3,x</coordinates></LineString>", "bad_coordinate"),
        (_polygon(_outer(_ring("0,0", "1,0", "inf,1", "0,0"))), "bad_coordinate"),
    ],
)
def test_what_cannot_be_built_is_in_quarantine(tmp_path: Path, geometry: str, reason: str) -> None:
    good = "<Placemark><Point><coordinates>1,2</coordinates></Point></Placemark>"

    loaded = load_features(tmp_path, f"{good}<Placemark>{geometry}</Placemark>{good}")

    assert loaded.faults == {1: reason}
    assert loaded.wkt == ["POINT (1 2)", None, "POINT (1 2)"]


def test_heights_and_their_absence_in_one_file(tmp_path: Path) -> None:
    loaded = load_features(
        tmp_path,
        "".join(
            f"<Placemark><LineString><coordinates>{text}</coordinates></LineString></Placemark>"
            for text in ("0,0 1,1", "0,0,5 1,1,6", "0,0,5 1,1")
        ),
    )

    assert loaded.layer.has_z
    assert loaded.wkt[:2] == ["LINESTRING (0 0, 1 1)", "LINESTRING Z (0 0 5, 1 1 6)"]
    assert loaded.wkt[2] is not None
    assert loaded.layer.bbox == (0.0, 0.0, 1.0, 1.0)


def test_a_geometry_nested_ten_thousand_deep(tmp_path: Path) -> None:
    depth = 10_000
    nested = "<MultiGeometry>" * depth + "<Point><coordinates>1,2</coordinates></Point>"

    loaded = load_features(tmp_path, f"<Placemark>{nested}{'</MultiGeometry>' * depth}</Placemark>")

    assert loaded.wkt == ["POINT (1 2)"]
    assert loaded.notes["redundant_multigeometry"] == depth


def test_the_times_of_a_track_are_kept(tmp_path: Path) -> None:
    loaded = load_features(
        tmp_path,
        "<Placemark><gx:MultiTrack><gx:Track><when>2020-01-01T10:00:00Z</when>"
        "<when>2020-01-01T11:00:00Z</when><gx:coord>1 2 3</gx:coord><gx:coord>4 5 6</gx:coord>"
        "</gx:Track></gx:MultiTrack></Placemark>",
    )

    row = loaded.rows[0]
    assert row["track_times"] == '["2020-01-01T10:00:00Z", "2020-01-01T11:00:00Z"]'
    assert str(row["time_begin"]) == "2020-01-01 10:00:00+00:00"
    assert str(row["time_end"]) == "2020-01-01 11:00:00+00:00"


def test_how_a_geometry_stands_on_the_ground(tmp_path: Path) -> None:
    loaded = load_features(
        tmp_path,
        "<Placemark><Point><extrude>1</extrude><altitudeMode>absolute</altitudeMode>"
        "<coordinates>1,2,3</coordinates></Point></Placemark>"
        "<Placemark><visibility>0</visibility><LineString><tessellate>true</tessellate>"
        "<coordinates>0,0 1,1</coordinates></LineString></Placemark>",
    )

    assert loaded.rows == [
        {"visibility": None, "altitude_mode": "absolute", "extrude": True, "tessellate": None},
        {"visibility": False, "altitude_mode": None, "extrude": None, "tessellate": True},
    ]
