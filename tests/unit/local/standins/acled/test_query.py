"""Which events a request asks for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from local.standins.acled.past import past
from local.standins.acled.query import BadQuery, deletions, parse, select
from local.standins.acled.rows import Row, id_of
from local.standins.acled.table import Table

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def table() -> Table:
    return past(3, 2000, NOW)[0]


def ids(rows: list[Row]) -> list[str]:
    return [row["event_id_cnty"] for row in rows]


def middle(table: Table) -> str:
    """A timestamp that half of the events are older than."""
    return str(int(np.median(table.timestamps)))


@pytest.mark.parametrize(
    ("params", "met"),
    [
        ({}, lambda row: True),
        (
            {"event_date": "2019-01-01|2020-06-30", "event_date_where": "BETWEEN"},
            lambda row: "2019-01-01" <= row["event_date"] <= "2020-06-30",
        ),
        ({"event_date": "2020-01-01"}, lambda row: row["event_date"] == "2020-01-01"),
        (
            {"event_date": "2024-05-01", "event_date_where": ">"},
            lambda row: row["event_date"] > "2024-05-01",
        ),
        (
            {"event_date": "2024-05-01", "event_date_where": ">="},
            lambda row: row["event_date"] >= "2024-05-01",
        ),
        (
            {"event_date": "2004-05-01", "event_date_where": "<"},
            lambda row: row["event_date"] < "2004-05-01",
        ),
        (
            {"event_date": "2004-05-01", "event_date_where": "<="},
            lambda row: row["event_date"] <= "2004-05-01",
        ),
        ({"event_date": "1890-01-01", "event_date_where": "<"}, lambda row: False),
        ({"year": "2020"}, lambda row: row["year"] == "2020"),
        ({"year": "2020|2022"}, lambda row: row["year"] in ("2020", "2022")),
        (
            {"year": "2020", "fatalities": "3", "fatalities_where": ">"},
            lambda row: row["year"] == "2020" and int(row["fatalities"]) > 3,
        ),
        (
            {"timestamp": "1600000000", "timestamp_where": "<"},
            lambda row: int(row["timestamp"]) < 1_600_000_000,
        ),
        ({"timestamp": "1600000000"}, lambda row: int(row["timestamp"]) >= 1_600_000_000),
        ({"country": "Ukraine|syria"}, lambda row: row["country"] in ("Ukraine", "Syria")),
        ({"iso": "340"}, lambda row: row["iso"] == "340"),
        ({"region": "11"}, lambda row: row["region"] == "Middle East"),
        ({"event_type": "Protests"}, lambda row: row["event_type"] == "Protests"),
        ({"notes": "drone"}, lambda row: "drone" in row["notes"].lower()),
        ({"event_id_cnty": "UKR"}, lambda row: row["event_id_cnty"].startswith("UKR")),
        (
            {"event_id_cnty": "UKR5", "event_id_cnty_where": "="},
            lambda row: row["event_id_cnty"] == "UKR5",
        ),
        ({"latitude": "0", "latitude_where": "<"}, lambda row: float(row["latitude"]) < 0),
    ],
)
def test_events_are_chosen_as_the_rows_say(
    table: Table, params: dict[str, str], met: Callable[[Row], bool]
) -> None:
    chosen = np.asarray(select(table, parse(params).conditions), dtype=np.int64)
    assert ids(table[chosen].rows()) == ids([row for row in table.rows() if met(row)])


def test_several_days_are_any_of_them(table: Table) -> None:
    days = sorted({row["event_date"] for row in table.rows()})[100:103]
    chosen = select(table, parse({"event_date": "|".join(days)}).conditions)
    found = table[np.asarray(chosen)].rows()
    assert {row["event_date"] for row in found} == set(days)


def test_conditions_go_together(table: Table) -> None:
    since = middle(table)
    params = {
        "event_date": "2010-01-01|2022-12-31",
        "event_date_where": "BETWEEN",
        "timestamp": since,
        "timestamp_where": ">=",
        "country": "Ukraine",
    }
    chosen = np.asarray(select(table, parse(params).conditions))
    expected = [
        row
        for row in table.rows()
        if "2010-01-01" <= row["event_date"] <= "2022-12-31"
        and int(row["timestamp"]) >= int(since)
        and row["country"] == "Ukraine"
    ]
    assert expected
    assert ids(table[chosen].rows()) == ids(expected)


def test_what_cannot_be_understood_is_refused() -> None:
    for params in (
        {"event_dat": "2020-01-01"},
        {"event_date": "01.02.2020"},
        {"timestamp": "yesterday"},
        {"fatalities": "3", "fatalities_where": "MORE"},
        {"event_date": "2020-01-01", "event_date_where": "BETWEEN"},
        {"fields": "event_id_cnty|colour"},
        {"page": "-1"},
        {"_format": "csv"},
    ):
        with pytest.raises(BadQuery):
            parse(params)


def test_limit_page_and_fields_are_read() -> None:
    asked = parse({"limit": "0", "page": "0", "fields": "iso|year", "with_total": "true"})
    assert (asked.limit, asked.page, asked.fields, asked.with_total) == (
        *(5000, 1),
        ("iso", "year"),
        True,
    )


def test_deletions_come_latest_first_from_a_second_on() -> None:
    listed = past(3, 20_000, NOW)[1]
    since = int(np.median(listed.timestamps))
    params = {"deleted_timestamp": str(since), "deleted_timestamp_where": ">="}
    asked = parse(params, ("event_id_cnty", "deleted_timestamp"))
    found = deletions(listed, asked.conditions)
    assert len(found) == int((listed.timestamps >= since).sum())
    assert (np.diff(listed.timestamps[found]) <= 0).all()
    ukraine = parse({"event_id_cnty": "UKR"}, ("event_id_cnty", "deleted_timestamp"))
    names = [id_of(code) for code in listed.codes[deletions(listed, ukraine.conditions)].tolist()]
    assert names
    assert all(name.startswith("UKR") for name in names)
