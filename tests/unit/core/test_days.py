"""A day is taken as it is written, and nothing else for one."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from core.days import Day


class Stay(BaseModel):
    """What has a first day and may have a last one."""

    first: Day
    last: Day | None = None


@pytest.mark.parametrize("strict", [True, False])
def test_a_day_is_written_with_year_month_and_day(strict: bool) -> None:
    stay = Stay.model_validate_json('{"first": "2024-02-29", "last": null}', strict=strict)
    assert (stay.first, stay.last) == (date(2024, 2, 29), None)
    assert Stay(first=date(2024, 2, 29)) == stay
    assert Stay.model_validate(stay.model_dump(mode="json"), strict=strict) == stay


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("0", "must be a day as YYYY-MM-DD"),
        ("1709164800", "must be a day as YYYY-MM-DD"),
        (0, "must be a day as YYYY-MM-DD"),
        ("2024-2-29", "must be a day as YYYY-MM-DD"),
        ("20240229", "must be a day as YYYY-MM-DD"),
        ("2024-W09-4", "must be a day as YYYY-MM-DD"),
        ("2024-02-29T00:00:00", "must be a day as YYYY-MM-DD"),
        (datetime(2024, 2, 29), "must be a day as YYYY-MM-DD"),
        ("2023-02-29", "must be a day of the calendar"),
        ("0000-01-01", "must be a day of the calendar"),
    ],
)
def test_what_is_none_is_refused(value: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Stay(first=value)


def test_its_schema_is_that_of_a_date() -> None:
    schema = Stay.model_json_schema()["properties"]["first"]
    assert (schema["type"], schema["format"]) == ("string", "date")
