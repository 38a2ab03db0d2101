"""What lists of items say."""

from __future__ import annotations

import pytest

from services.raster.rendering.browsing import days


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"datetime": "2024-06-17T10:00:00Z"}, "2024-06-17"),
        (
            {
                "datetime": None,
                "start_datetime": "2020-01-01T00:00:00Z",
                "end_datetime": "2020-12-31T23:59:59Z",
            },
            "2020-01-01 to 2020-12-31",
        ),
        (
            {
                "datetime": None,
                "start_datetime": "2020-01-01T00:00:00Z",
                "end_datetime": "2020-01-01T23:59:59Z",
            },
            "2020-01-01",
        ),
        (
            {
                "datetime": None,
                "start_datetime": "1700-01-01T00:00:00Z",
                "end_datetime": "2026-01-01T00:00:00Z",
                "geoforge:datetime_source": "unknown",
            },
            None,
        ),
    ],
)
def test_items_say_when_they_were_taken(
    properties: dict[str, str | None], expected: str | None
) -> None:
    assert days({"properties": properties}) == expected
