"""Numbers, times and states as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Self

import pytest

from web_interfaces.pages import formats

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, formats.NOTHING),
        (0, "0.0 s"),
        (4.23, "4.2 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert formats.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2, "a few seconds"),
        (31, "about 40 s"),
        (600, "about 10 min"),
        (7300, "about 2 h"),
        (200_000, "about 2 d"),
    ],
)
def test_an_estimate_is_no_more_exact_than_it_is(seconds: float, text: str) -> None:
    assert formats.about(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0%"), (0.04, "<0.1%"), (5.0, "5%"), (99.9, "99.9%"), (100.0, "100%")],
)
def test_percent(value: float, text: str) -> None:
    assert formats.percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, formats.NOTHING), (0, "0"), (1234567, "1,234,567"), (0.25, "0.25"), (2.0, "2")],
)
def test_number(value: float | None, text: str) -> None:
    assert formats.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.4, "0.4"), (9.96, "10.0"), (1234, "1,234")]
)
def test_rate(value: float, text: str) -> None:
    assert formats.rate(value) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("bytes_copied", 183_204_551_102, "183.2 GB"),
        ("bytes_copied", 999, "999 bytes"),
        ("files_copied", 57_204, "57,204"),
        ("kilobytes_estimate", 5, "5"),
        ("current_item", "cdl_h01", "cdl_h01"),
        ("is_done", True, "true"),
    ],
)
def test_figures_are_read_by_their_names(name: str, value: object, text: str) -> None:
    assert formats.figure(value, name) == text


def test_times_are_shown_in_utc_whatever_their_zone() -> None:
    time = datetime(2026, 5, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=3)))
    assert formats.iso(time) == "2026-04-30T23:03:04Z"
    assert formats.utc(time) == "30 Apr 2026, 23:03:04 UTC"


@pytest.fixture
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the formats it is `NOW`, however long a test takes."""

    class Standing(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(NOW.timestamp(), tz)

    monkeypatch.setattr(formats, "datetime", Standing)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "just now"),
        (40, "40 s ago"),
        (200, "3 min ago"),
        (7500, "2 h ago"),
        (200_000, "2 d ago"),
    ],
)
@pytest.mark.usefixtures("standing_clock")
def test_ago(seconds: float, text: str) -> None:
    assert formats.ago(NOW - timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "now"),
        (40, "in 40 s"),
        (200, "in 3 min"),
        (7500, "in 2 h"),
        (200_000, "in 2 d"),
    ],
)
@pytest.mark.usefixtures("standing_clock")
def test_ahead(seconds: float, text: str) -> None:
    assert formats.ahead(NOW + timedelta(seconds=seconds)) == text


def test_a_planned_time_is_said_to_the_minute() -> None:
    assert formats.utc_minute(datetime(2026, 12, 1, 2, 0, tzinfo=UTC)) == "1 Dec 2026, 02:00 UTC"
    assert formats.utc_minute(None) == formats.ahead(None) == formats.NOTHING


def test_brief_keeps_one_line_and_cuts() -> None:
    assert formats.brief("a\n b") == "a b"
    assert formats.brief({"a": "ü"}) == '{"a": "ü"}'
    assert formats.brief(None) == ""
    assert formats.brief("x" * 20, 10) == "x" * 9 + "…"


def test_plain_values_come_before_objects_and_lists() -> None:
    assert list(formats.short_first({"l": [1], "o": {}, "b": 2, "a": 1})) == ["b", "a", "o", "l"]


def test_a_line_stays_within_its_box() -> None:
    points = [tuple(map(float, p.split(","))) for p in formats.line([0, 5, 10], 100, 20).split()]
    assert [x for x, _ in points] == [0, 50, 100]
    assert all(0 <= y <= 20 for _, y in points)
    assert points[0][1] > points[1][1] > points[2][1]


def test_a_line_of_nothing_but_zeros_lies_at_the_bottom() -> None:
    assert formats.line([0, 0], 100, 20) == "0.0,19.0 100.0,19.0"


@pytest.mark.parametrize(
    ("square_metres", "text"),
    [
        (None, formats.NOTHING),
        (0.0, "0 m²"),
        (0.01234, "0.0123 m²"),
        (850.04, "850 m²"),
        (99_999.4, "99,999 m²"),
        (2_500_000.0, "2.5 km²"),
    ],
)
def test_area(square_metres: float | None, text: str) -> None:
    assert formats.area(square_metres) == text


@pytest.mark.parametrize(
    ("metres", "text"), [(None, formats.NOTHING), (850.0, "850 m"), (12_345.0, "12.3 km")]
)
def test_distance(metres: float | None, text: str) -> None:
    assert formats.distance(metres) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, formats.NOTHING),
        (0.0, "none"),
        (0.25, "+25%"),
        (-0.0004, "\N{MINUS SIGN}0.04%"),
        (1e-6, "+<0.01%"),
        (12.5, "+1,250%"),
    ],
)
def test_change(share: float | None, text: str) -> None:
    assert formats.change(share) == text
