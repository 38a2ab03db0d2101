"""Times as KML files write them."""

from __future__ import annotations

import pytest

from services.vector.formats.kml.times import parse_time


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("1997", "1997-01-01T00:00:00", "1997-12-31T23:59:59"),
        ("1997-07", "1997-07-01T00:00:00", "1997-07-31T23:59:59"),
        (" 2000-02-29 ", "2000-02-29T00:00:00", "2000-02-29T23:59:59"),
        ("1997-07-16T07:30:15Z", "1997-07-16T07:30:15", "1997-07-16T07:30:15"),
        ("1997-07-16T10:30:15+03:00", "1997-07-16T07:30:15", "1997-07-16T07:30:15"),
        ("1997-07-16t07:30:15z", "1997-07-16T07:30:15", "1997-07-16T07:30:15"),
        ("1997-07-16 07:30:15", "1997-07-16T07:30:15", "1997-07-16T07:30:15"),
        ("1997-07-16T07:30Z", "1997-07-16T07:30:00", "1997-07-16T07:30:00"),
        ("1997-07-16T07Z", "1997-07-16T07:00:00", "1997-07-16T07:00:00"),
        ("1997-07-16T07:30:15.123456789Z", "1997-07-16T07:30:15.123456", None),
        ("1997-12-31T24:00:00Z", "1998-01-01T00:00:00", "1998-01-01T00:00:00"),
        ("1998-12-31T23:59:60Z", "1999-01-01T00:00:00", "1999-01-01T00:00:00"),
    ],
)
def test_a_time_is_its_first_and_last_moment(text: str, first: str, last: str | None) -> None:
    period = parse_time(text)

    assert period is not None
    assert period.first.isoformat() == f"{first}+00:00"
    assert last is None or period.last.isoformat() == f"{last}+00:00"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "0000",
        "1997-13",
        "1997-02-30",
        "-0044-03-15",
        "10000-01-01",
        "9999-12-31T24:00Z",
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert parse_time(text) is None


def test_a_time_of_day_without_a_zone_is_taken_as_utc_and_says_so() -> None:
    local, zoned = parse_time("2020-01-01T01:02:03"), parse_time("2020-01-01T01:02:03Z")

    assert local is not None
    assert zoned is not None
    assert local.assumed_utc
    assert not zoned.assumed_utc
    assert local.first == zoned.first
