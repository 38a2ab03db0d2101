"""Times as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from core.times import iso_utc


def test_times_are_utc_to_the_millisecond() -> None:
    assert iso_utc(datetime(2026, 5, 1, 12, tzinfo=UTC)) == "2026-05-01T12:00:00.000Z"
    in_oslo = datetime(2026, 5, 1, 12, 0, 1, 234_567, timezone(timedelta(hours=2)))
    assert iso_utc(in_oslo) == "2026-05-01T10:00:01.234Z"
