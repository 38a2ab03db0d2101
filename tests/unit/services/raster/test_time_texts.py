"""Times as tags and sidecars write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.raster.time_texts import moment, range_of, rfc3339


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-06-17T10:20:30Z", "2024-06-17T10:20:30Z"),
        ("2024-06-17T12:20:30+02:00", "2024-06-17T10:20:30Z"),
        ("2024-06-17T10:20:30.25", "2024-06-17T10:20:30.250000Z"),
        ("2024:06:17 10:20:30", "2024-06-17T10:20:30Z"),
        ("20240617102030", "2024-06-17T10:20:30Z"),
        (' "2024-06-17 10:20 UTC" ', "2024-06-17T10:20:00Z"),
        ("2024-06-17T00:30:00-0130", "2024-06-17T02:00:00Z"),
    ],
)
def test_a_whole_time_is_an_instant(text: str, instant: str) -> None:
    span = moment(text)
    assert span.nominal == span.first == span.last
    assert rfc3339(span.first) == instant
    assert span.text == instant


@pytest.mark.parametrize(
    ("text", "nominal", "first", "last"),
    [
        ("2024-02-29", "2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "2024-02-29T23:59:59Z"),
        ("20240617", "2024-06-17T00:00:00Z", "2024-06-17T00:00:00Z", "2024-06-17T23:59:59Z"),
        ("2023-12", None, "2023-12-01T00:00:00Z", "2023-12-31T23:59:59Z"),
        ("2024-02", None, "2024-02-01T00:00:00Z", "2024-02-29T23:59:59Z"),
        ("2020", None, "2020-01-01T00:00:00Z", "2020-12-31T23:59:59Z"),
    ],
)
def test_a_part_of_a_time_is_the_span_that_it_names(
    text: str, nominal: str | None, first: str, last: str
) -> None:
    span = moment(text)
    assert (span.nominal and rfc3339(span.nominal)) == nominal
    assert (rfc3339(span.first), rfc3339(span.last)) == (first, last)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2024-13-01", "2023-02-29", "0000-01-01", "0000:00:00 00:00:00",
     "9999-12-31", "2024-06-17T25:00:00Z", "17/06/2024", "0001-01-01T00:00:00+05:00"],
)  # fmt: skip
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        moment(text)


@given(st.text(alphabet="0123456789-:/T. Z+", max_size=25))
def test_no_text_does_worse_than_not_being_a_time(text: str) -> None:
    try:
        span = moment(text)
    except ValueError:
        return
    assert span.first <= span.last


def test_a_range_is_from_the_first_beginning_to_the_last_end() -> None:
    span = range_of("2019-12", "2020-02-01")
    assert span.nominal is None
    assert span.text == "2019-12-01 to 2020-02-01"
    with pytest.raises(ValueError, match=r"ends .* before it begins"):
        range_of("2020", "2019")
