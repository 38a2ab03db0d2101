"""The values of a search."""

from __future__ import annotations

import pytest

from services.stac import values


@pytest.mark.parametrize(
    "text",
    [
        "1985-04-12T23:20:50.52Z",
        "1985-04-12t23:20:50.000z",
        "1996-12-19T16:39:57-08:00",
        "2016-12-31T23:59:60Z",
        "2020-07-23T00:00:00.012345678Z",
        "../1985-04-12T23:20:50Z",
        "1985-04-12T23:20:50Z/",
        "1985-04-12T23:20:50Z/1985-04-12T23:20:50Z",
        "1985-04-12T23:20:50+01:00/1985-04-12T23:20:50Z",
    ],
)
def test_an_interval_of_rfc_3339_is_taken_as_it_is(text: str) -> None:
    assert values.interval(text) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1985-04-12", "not an RFC 3339 date-time"),
        ("1985-12-12T23:20:50", "not an RFC 3339 date-time"),
        ("1937-01-01T12:00:27.87+0100", "not an RFC 3339 date-time"),
        ("1985-04-12T23:20:50.Z", "not an RFC 3339 date-time"),
        ("1985-13-12T23:20:50Z", "month must be in 1..12"),
        ("1985-02-30T23:20:50Z", "day is out of range"),
        ("1985-12-01T25:20:50Z", "hour must be in 0..23"),
        ("../..", "must have a start or an end"),
        ("/", "must have a start or an end"),
        ("/1984-04-12T23:20:50Z/1985-04-12T23:20:50Z", "one '/' at most"),
        ("1986-04-12T23:20:50Z/1985-04-12T23:20:50Z", "must not end before it starts"),
    ],
)
def test_an_interval_that_is_wrong_says_what_is(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        values.interval(text)


def test_a_box_loses_its_third_dimension() -> None:
    assert values.box([5, 45, 0, 10, 47, 4000]) == [5, 45, 10, 47]


@pytest.mark.parametrize("coordinates", [[], [0, 0], [0, 0, 1], [0, 0, 0, 1, 1], [0, 1, 1, 0]])
def test_a_box_needs_two_corners_from_south_to_north(coordinates: list[float]) -> None:
    with pytest.raises(ValueError, match="must"):
        values.box(coordinates)


def test_a_box_across_the_antimeridian_has_two_parts_on_either_side() -> None:
    parts = values.box_across_antimeridian([170, -10, -160, 20])["coordinates"]
    spans = [({x for x, _ in ring}, {y for _, y in ring}) for [ring] in parts]
    assert spans == [({170, 180}, {-10, 20}), ({-180, -160}, {-10, 20})]


@pytest.mark.parametrize(
    "geometry",
    [
        {},
        {"type": "Circle", "coordinates": [0, 0]},
        {"type": "Point"},
        {"type": "Point", "coordinates": ["a", "b"]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]},
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [0, 0]}},
        {"type": "GeometryCollection", "geometries": [{"type": "Point"}]},
    ],
)
def test_what_is_no_geojson_geometry_is_refused(geometry: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be a GeoJSON geometry"):
        values.geometry(geometry)


@pytest.mark.parametrize("text", ["nul\x00", "half \ud800"])
def test_text_that_the_database_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        values.storable(text)


@pytest.mark.parametrize(
    "text", ["", "next", "next:zz:00", "up:6162:63", "next:6:6", "next:61:62:63"]
)
def test_a_token_must_look_like_pgstacs(text: str) -> None:
    with pytest.raises(ValueError, match="next or prev link"):
        values.token(text)
