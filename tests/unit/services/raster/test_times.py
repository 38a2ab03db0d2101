"""Who says best when a raster was taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from services.raster import time_sidecars, times
from services.raster.time_sidecars import Sidecar
from services.raster.time_texts import rfc3339
from services.raster.times import ItemTime

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ACQUIRED = datetime(2001, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=2)))


def resolve(**given: Any) -> ItemTime:
    return times.resolve(**{"name": "a/dem.tif", "tags": {}, "known_by": NOW, **given})


def sidecar(text: str) -> Sidecar:
    return time_sidecars.parse("a/dem.json", text.encode())


def test_parameters_come_before_all_else() -> None:
    when = resolve(
        name="dem_20110815.tif",
        tags={"ACQUISITION_DATE": "2012-01-01"},
        sidecar=sidecar('{"datetime": "2013-01-01"}'),
        acquired=ACQUIRED,
    )
    assert when == ItemTime(nominal=ACQUIRED, start=None, end=None, source="parameter")


def test_a_range_given_has_no_time_of_its_own() -> None:
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 6, 1, tzinfo=UTC)
    assert resolve(start=start, end=end) == ItemTime(
        nominal=None, start=start, end=end, source="parameter"
    )
    assert resolve(start=start, end=end, acquired=start) == ItemTime(
        nominal=start, start=start, end=end, source="parameter"
    )


def test_the_sidecar_comes_before_tags_and_these_before_the_name() -> None:
    name, tags = "dem_20110815.tif", {"ACQUISITIONDATETIME": "2011-08-15T10:00:00Z"}
    by_all = resolve(name=name, tags=tags, sidecar=sidecar('{"datetime": "2011-08-15T11:00:00Z"}'))
    assert by_all.source == "sidecar"
    assert by_all.nominal == datetime(2011, 8, 15, 11, tzinfo=UTC)
    by_tag = resolve(name=name, tags=tags)
    assert by_tag.source == "tag:ACQUISITIONDATETIME"
    assert (by_tag.start, by_tag.end) == (None, None)
    by_name = resolve(name=name)
    assert by_name.source == "filename"
    assert not by_all.warnings + by_tag.warnings + by_name.warnings


def test_a_day_is_its_beginning_with_the_day_as_range() -> None:
    when = resolve(name="dem_20110815.tif")
    assert when.nominal == when.start == datetime(2011, 8, 15, tzinfo=UTC)
    assert when.end == datetime(2011, 8, 15, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tags", "first"),
    [
        ({"accisition_date": "2022-07-22T11:08:08.756Z"}, "2022-07-22T11:08:08.756000Z"),
        ({"DATE_ACQUIRED": "2014-08-22"}, "2014-08-22T00:00:00Z"),
        ({"EXIF_DateTimeOriginal": "2019:05:04 03:02:01"}, "2019-05-04T03:02:01Z"),
        ({"NITF_IDATIM": "20190504030201"}, "2019-05-04T03:02:01Z"),
        ({"DATATAKE_1_DATATAKE_SENSING_START": "2020-01-02T03:04:05Z"}, "2020-01-02T03:04:05Z"),
    ],
)
def test_tags_that_name_the_acquisition_count(tags: dict[str, str], first: str) -> None:
    when = resolve(tags=tags)
    assert when.source == f"tag:{next(iter(tags))}"
    assert when.nominal is not None
    assert rfc3339(when.nominal) == first


def test_two_tags_make_a_range() -> None:
    when = resolve(
        tags={
            "NC_GLOBAL#time_coverage_start": "2020-01-01",
            "NC_GLOBAL#time_coverage_end": "2020-03-31",
        }
    )
    assert when.nominal is None
    assert when.start == datetime(2020, 1, 1, tzinfo=UTC)
    assert when.end == datetime(2020, 3, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "tags",
    [
        {"TIFFTAG_DATETIME": "2023:10:30 11:37:13"},
        {"PROCESSING_DATE": "2023-10-30"},
        {"ACQUISITION_DATE": "not known"},
        {"ACQUISITION_DATE": "1500-01-01"},
        {"ACQUISITION_DATE": "2199-01-01"},
    ],
)
def test_when_a_file_was_written_is_not_when_it_was_taken(tags: dict[str, str]) -> None:
    when = resolve(tags=tags)
    assert when == ItemTime(nominal=None, start=times.BEGINNING, end=NOW, source="unknown")
    assert not when.is_known


def test_sayings_that_disagree_are_told_of() -> None:
    when = resolve(name="dem_20110815.tif", tags={"ACQUISITION_DATE": "2012-08-15"})
    (caveat,) = when.warnings
    assert caveat.code == "times_disagree"
    assert caveat.message == (
        "The time is 2012-08-15 by its tag:ACQUISITION_DATE, but 2011-08-15 by its filename."
    )


def test_a_sidecar_may_be_a_stac_item() -> None:
    item = '{"type": "Feature", "properties": {"datetime": null, "start_datetime": "2020-01-01T00:00:00Z", "end_datetime": "2020-12-31T00:00:00Z"}}'  # noqa: E501
    when = resolve(sidecar=sidecar(item))
    assert when.source == "sidecar"
    assert (when.nominal, when.start) == (None, datetime(2020, 1, 1, tzinfo=UTC))
    both = item.replace("null", '"2020-06-01"')
    assert resolve(sidecar=sidecar(both)).nominal == datetime(2020, 6, 1, tzinfo=UTC)


def test_half_a_range_in_a_sidecar_says_nothing() -> None:
    half = sidecar('{"start_datetime": "2020-01-01"}')
    assert (half.span, half.warnings) == (None, ())
    assert resolve(sidecar=half).source == "unknown"


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"datetime": "soon"}', '{"datetime": 7, "date": "x"}']
)
def test_a_sidecar_that_is_not_understood_is_told_of(text: str) -> None:
    when = resolve(sidecar=sidecar(text), name="dem_20110815.tif")
    assert when.source == "filename"
    (caveat,) = when.warnings
    assert caveat.code == "sidecar_not_understood"
    assert "a/dem.json" in caveat.message
