"""Made-up events, as the API would send them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from local.standins.acled.codebook import FIELDS, KINDS
from local.standins.acled.geography import COUNTRIES, REGIONS
from local.standins.acled.past import FIRST_DAY, past
from local.standins.acled.rows import EPOCH, code_of, country_and_number, id_of
from local.standins.acled.table import Table

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
COUNT = 3000


@pytest.fixture(scope="module")
def table() -> Table:
    return past(7, COUNT, NOW)[0]


def test_rows_have_the_fields_of_the_api_in_their_order(table: Table) -> None:
    rows = table.rows()
    assert len(rows) == COUNT
    assert {tuple(row) for row in rows} == {FIELDS}
    assert {type(value) for row in rows for value in row.values()} == {str, type(None)}


def test_numbers_come_as_texts_and_what_is_not_there_as_null_or_empty(table: Table) -> None:
    rows = table.rows()
    for field in ("year", "iso", "time_precision", "geo_precision", "fatalities", "timestamp"):
        assert all(row[field].isdigit() for row in rows), field
    for field in ("admin3", "actor2", "assoc_actor_1"):
        assert {None, ""} <= {row[field] for row in rows}, field


def test_texts_need_escapes_and_are_sent_in_ascii(table: Table) -> None:
    texts = table.json()
    assert all(text.isascii() for text in texts)
    notes = [row["notes"] for row in table.rows()]
    for character in ('"', "\n", "é", "'"):
        assert any(character in note for note in notes), character
    assert any("\\/" in text for text in texts)


def test_categories_are_those_of_the_codebook(table: Table) -> None:
    known = {(kind.disorder_type, kind.event_type, kind.sub_event_type) for kind in KINDS}
    rows = table.rows()
    seen = {(row["disorder_type"], row["event_type"], row["sub_event_type"]) for row in rows}
    assert seen <= known
    assert len({row["event_type"] for row in rows}) == 6
    assert {row["region"] for row in rows} <= set(REGIONS.values())


def test_events_lie_in_their_country(table: Table) -> None:
    boxes = {country.name: country.box for country in COUNTRIES}
    for row in table.rows():
        west, south, east, north = boxes[row["country"]]
        assert west <= float(row["longitude"]) <= east
        assert south <= float(row["latitude"]) <= north


def test_pages_begin_with_the_latest_day_and_go_by_id_within_it(table: Table) -> None:
    rows = table.rows()
    order = [
        (-date.fromisoformat(row["event_date"]).toordinal(), row["event_id_cnty"][:3])
        for row in rows
    ]
    assert order == sorted(order)


def test_numbers_grow_with_the_days_and_the_missing_ones_were_deleted() -> None:
    table, deletions = past(7, COUNT, NOW)
    gone = {id_of(code) for code in deletions.codes.tolist()}
    days = {row["event_id_cnty"]: row["event_date"] for row in table.rows()}
    assert gone
    assert not gone & days.keys()
    assert len(days) == COUNT
    for country in COUNTRIES:
        of_country = [each for each in gone | days.keys() if each.startswith(country.code)]
        assert {int(each[3:]) for each in of_country} == set(range(1, len(of_country) + 1))
        in_order = sorted(of_country, key=lambda each: int(each[3:]))
        grown = [days[each] for each in in_order if each in days]
        assert grown == sorted(grown)


def test_uploads_come_on_tuesdays_in_batches_that_share_a_second() -> None:
    table, deletions = past(7, 50_000, NOW)
    for timestamps in (table.timestamps, deletions.timestamps):
        uploaded = [datetime.fromtimestamp(second, UTC) for second in np.unique(timestamps)]
        assert {moment.isoweekday() for moment in uploaded} == {2}
        assert max(uploaded) < NOW
    assert len(np.unique(table.timestamps)) < len(table)
    assert (table.timestamps // 86_400 > table.days).all()
    assert table.days.min() >= (FIRST_DAY - EPOCH).days


def test_the_same_seed_makes_the_same_events_and_another_one_others() -> None:
    same, other = past(7, COUNT, NOW)[0], past(8, COUNT, NOW)[0]
    assert past(7, COUNT, NOW)[0].json() == same.json()
    assert other.json() != same.json()


def test_a_row_is_the_same_whatever_page_it_is_on(table: Table) -> None:
    assert table[slice(100, 200)].json() == table.json()[100:200]
    assert table[np.array([2999, 5])].json() == [table.json()[2999], table.json()[5]]


def test_there_may_be_no_events() -> None:
    table, deletions = past(7, 0, NOW)
    assert (len(table), len(deletions), table.rows()) == (0, 0, [])


def test_a_code_is_an_id() -> None:
    honduras = [country.code for country in COUNTRIES].index("HND")
    code = code_of(honduras, 1343)
    assert id_of(code) == "HND1343"
    assert country_and_number(code) == (honduras, 1343)
