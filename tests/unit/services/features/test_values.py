"""The values in a query string."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models.feature_table import ColumnType
from infrastructure.features_selection import Period
from services.features import values


def moment(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,2,3,4", ((1, 2, 3, 4), None)),
        ("1,2,-5,3,4,5.5", ((1, 2, 3, 4), (-5, 5.5))),
        ("170,-1e1,-170,+10.", ((170, -10, -170, 10), None)),
        ("-180.0000001,-90,180.0000001,90", ((-180, -90, 180, 90), None)),
        ("0,0,0,0", ((0, 0, 0, 0), None)),
    ],
)
def test_a_box_is_read(text: str, expected: Any) -> None:
    assert values.box(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1,2,3", "4 or 6 numbers"),
        ("1,2,3,4,5", "4 or 6 numbers"),
        ("", "must hold a number"),
        ("1,2,3,nan", "must hold a number"),
        ("1,2,3,inf", "must hold a number"),
        ("1,2,3,1e999", "finite"),
        ("1,2,3,4_0", "must hold a number"),
        ("1,5,3,4", "south to north"),
        ("1,2,9,3,4,5", "upwards"),
        ("-181,0,0,1", "from -180 to 180"),
        ("0,0,1,91", "from -90 to 90"),
    ],
)
def test_what_is_no_box_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        values.box(text)


def test_a_box_across_the_antimeridian_has_two_parts() -> None:
    assert values.parts((170, -1, -170, 1)) == ((170, -1, 180, 1), (-180, -1, -170, 1))
    assert values.parts((-170, -1, 170, 1)) == ((-170, -1, 170, 1),)


DAY = Period(moment(2020, 1, 31), moment(2020, 1, 31, 23, 59, 59, 999_999))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-01-31T12:00:00Z", Period(moment(2020, 1, 31, 12), moment(2020, 1, 31, 12))),
        ("2020-01-31t12:00:00z", Period(moment(2020, 1, 31, 12), moment(2020, 1, 31, 12))),
        ("2020-01-31T12:00:00+02:00", Period(moment(2020, 1, 31, 10), moment(2020, 1, 31, 10))),
        (
            "2020-01-31T12:00:00.1234567Z",
            Period(moment(2020, 1, 31, 12, 0, 0, 123_456), moment(2020, 1, 31, 12, 0, 0, 123_456)),
        ),
        (
            "2016-12-31T23:59:60Z/..",
            Period(moment(2016, 12, 31, 23, 59, 59), None),
        ),
        ("../2020-01-31T12:00:00Z", Period(None, moment(2020, 1, 31, 12))),
        ("/2020-01-31T12:00:00Z", Period(None, moment(2020, 1, 31, 12))),
        ("2020-01-31T12:00:00Z/", Period(moment(2020, 1, 31, 12), None)),
        ("2020-01-31", DAY),
        ("2020-01-31T", DAY),
        ("2020-01-31/2020-01-31", DAY),
    ],
)
def test_a_period_is_read(text: str, expected: Period) -> None:
    assert values.period(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "..",
        "/",
        "../..",
        "2020",
        "2020-13-01T00:00:00Z",
        "2020-01-31T12:00:00",
        "2020-01-31T25:00:00Z",
        "2020-01-02T00:00:00Z/2020-01-01T00:00:00Z",
        "2020-01-01T00:00:00Z/2020-01-02T00:00:00Z/2020-01-03T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "\u0662\u0660\u0662\u0660-01-01T00:00:00Z",
    ],
)
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must|holds"):
        values.period(text)


@given(st.datetimes(min_value=datetime(2, 1, 1), timezones=st.just(UTC)))
def test_a_moment_is_read_as_it_was_written(written: datetime) -> None:
    text = written.isoformat().replace("+00:00", "Z")
    assert values.period(text) == Period(written, written)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (ColumnType.BOOLEAN, "true", True),
        (ColumnType.BOOLEAN, "0", False),
        (ColumnType.INTEGER, "-9223372036854775808", -(2**63)),
        (ColumnType.INTEGER, "+7", 7),
        (ColumnType.REAL, "1.5e-3", 0.0015),
        (ColumnType.TEXT, "", ""),
        (ColumnType.TEXT_ARRAY, "FRA;ITA", "FRA;ITA"),
        (ColumnType.TEXT, "Łódź, 1%", "Łódź, 1%"),
        (ColumnType.DATE, "2020-02-29", date(2020, 2, 29)),
        (ColumnType.TIME, "08:30:00", time(8, 30)),
        (ColumnType.TIMESTAMP, "2020-01-01T10:00:00", datetime(2020, 1, 1, 10)),
        (ColumnType.TIMESTAMP, "2020-01-01T10:00:00+02:00", datetime(2020, 1, 1, 8)),
        (ColumnType.TIMESTAMPTZ, "2020-01-01T10:00:00+02:00", moment(2020, 1, 1, 8)),
        (ColumnType.TIMESTAMPTZ, "2020-01-01T10:00:00", moment(2020, 1, 1, 10)),
    ],
)
def test_a_value_is_read_as_its_column_has_it(kind: ColumnType, text: str, expected: Any) -> None:
    assert values.value(text, kind) == expected


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ColumnType.BOOLEAN, "yes"),
        (ColumnType.INTEGER, "1.0"),
        (ColumnType.INTEGER, "9223372036854775808"),
        (ColumnType.INTEGER, "1" * 5000),
        (ColumnType.INTEGER, "\u0661"),
        (ColumnType.REAL, "nan"),
        (ColumnType.REAL, ""),
        (ColumnType.TEXT, "\ud800"),
        (ColumnType.DATE, "31.1.2020"),
        (ColumnType.TIME, "noon"),
        (ColumnType.TIMESTAMP, "0001-01-01T00:00:00+10:00"),
        (ColumnType.TIMESTAMPTZ, "yesterday"),
    ],
)
def test_what_a_column_cannot_hold_is_refused(kind: ColumnType, text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        values.value(text, kind)
