"""Marks as they are written down and read again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from services.curated.acled.marks import Mark

MOMENT = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        (Mark(MOMENT), "2026-11-23T09:15:00Z"),
        (Mark(MOMENT, date(2025, 11, 23)), "2026-11-23T09:15:00Z (events to 2025-11-23)"),
    ],
)
def test_a_mark_is_a_version_and_back(mark: Mark, text: str) -> None:
    assert str(mark) == text
    assert Mark.parse(text) == mark


def test_a_mark_is_in_utc_and_whole_seconds() -> None:
    at = datetime(2026, 11, 23, 10, 15, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert Mark.of(at, None) == Mark(MOMENT)


@pytest.mark.parametrize(
    "version",
    [
        None,
        "",
        "2024-01-01..2024-03-31",
        "2024-01-01..",
        "2026-11-23T09:15:00",
        "2026-11-23T09:15:00Z (events to )",
        "2026-13-23T09:15:00Z",
        "2026-11-23T09:15:00Z (events to 2025-02-30)",
        "2026-11-23T09:15:00Z ",
        "٢٠٢٦-11-23T09:15:00Z",
    ],
)
def test_what_is_no_mark(version: str | None) -> None:
    assert Mark.parse(version) is None


@pytest.mark.parametrize(
    ("before", "after", "opens"),
    [
        (None, None, False),
        (None, date(2025, 1, 1), False),
        (date(2025, 1, 1), date(2025, 1, 1), False),
        (date(2025, 1, 1), date(2024, 1, 1), False),
        (date(2025, 1, 1), date(2025, 1, 2), True),
        (date(2025, 1, 1), None, True),
    ],
)
def test_an_embargo_that_moves_on_or_is_lifted_opens_dates(
    before: date | None, after: date | None, opens: bool
) -> None:
    assert Mark(MOMENT, before).opens(Mark(MOMENT, after)) is opens
