"""What becomes of the events of a stand-in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from local.standins.acled.clock import Clock
from local.standins.acled.events import Events
from local.standins.acled.query import parse

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def events(clock: Clock) -> Events:
    return Events(500, 1, clock)


def second(clock: Clock) -> str:
    return str(clock.timestamp())


def test_a_new_event_gets_the_next_number_of_its_country(events: Events, clock: Clock) -> None:
    before = events.rows()
    highest = max(int(each[3:]) for each in before if each.startswith("HND"))
    new = events.insert(country="HND", event_date=date(2026, 11, 20), fatalities="12")
    row = events.row(new)
    assert int(new[3:]) > highest
    assert (row["country"], row["event_date"], row["fatalities"], row["timestamp"]) == (
        *("Honduras", "2026-11-20", "12"),
        second(clock),
    )
    assert events.rows() == {**before, new: row}
    assert events.insert(country="HND") == f"HND{int(new[3:]) + 1}"


def test_an_edit_keeps_the_id_and_raises_the_timestamp(events: Events, clock: Clock) -> None:
    before = events.rows()
    edited = next(iter(before))
    clock.advance(timedelta(hours=1))
    row = events.edit(edited, notes="Corrected.", event_date=date(2001, 2, 3))
    assert row["event_id_cnty"] == edited
    assert (row["notes"], row["event_date"], row["year"]) == ("Corrected.", "2001-02-03", "2001")
    assert row["timestamp"] == second(clock)
    # What it was told to say stays, whatever else is edited later.
    assert events.edit(edited, fatalities="1")["notes"] == "Corrected."
    rows = events.rows()
    assert {**rows, edited: before[edited]} == before
    assert list(rows)[-1] != edited
    assert events.row(edited) == rows[edited]


def test_an_edit_without_contents_changes_the_row(events: Events) -> None:
    name, before = next(iter(events.rows().items()))
    after = events.edit(name)
    assert after["notes"] != before["notes"]
    assert after["location"] == before["location"]


def test_a_deleted_event_is_listed_and_may_come_back(events: Events, clock: Clock) -> None:
    listed = len(events.deleted())
    new = events.insert(notes="Mine.")
    events.delete(new)
    deleted_at = clock.timestamp()
    assert new not in events.rows()
    assert events.deleted()[listed:] == [(new, deleted_at)]
    with pytest.raises(KeyError):
        events.row(new)
    clock.advance(timedelta(days=1))
    row = events.restore(new)
    assert (row["notes"], row["timestamp"]) == ("Mine.", second(clock))
    assert events.deleted()[listed:] == [(new, deleted_at)]


def test_an_upload_may_become_visible_later_than_its_timestamp_says(
    events: Events, clock: Clock
) -> None:
    early = clock.timestamp() - 600
    new = events.insert(timestamp=early)
    assert events.row(new)["timestamp"] == str(early)
    assert events.edit(new, timestamp=early + 1)["timestamp"] == str(early + 1)


def test_what_follows_from_id_and_date_cannot_be_said_otherwise(events: Events) -> None:
    with pytest.raises(TypeError, match="iso"):
        events.insert(iso="4")
    with pytest.raises(TypeError, match="colour"):
        events.insert(colour="red")
    with pytest.raises(KeyError):
        events.edit("XYZ1", notes="")
    with pytest.raises(KeyError):
        events.delete("HND999999")


def test_a_day_brings_as_much_as_it_is_told_to(events: Events, clock: Clock) -> None:
    before, listed = events.rows(), len(events.deleted())
    clock.advance(timedelta(days=1))
    change = events.churn(inserts=30, edits=20, deletes=10, seed=4)
    after = events.rows()
    assert [len(change.inserted), len(change.edited), len(change.deleted)] == [30, 20, 10]
    assert set(after) - set(before) == set(change.inserted)
    assert set(before) - set(after) == set(change.deleted)
    assert {name for name in before.keys() & after.keys() if before[name] != after[name]} == set(
        change.edited
    )
    assert dict(events.deleted()[listed:]) == dict.fromkeys(change.deleted, clock.timestamp())
    stamped = {name for name, row in after.items() if row["timestamp"] == second(clock)}
    assert stamped == {*change.inserted, *change.edited}
    assert events.checksum() == sum(int(row["timestamp"]) for row in after.values())


def test_what_is_chosen_is_of_the_moment(events: Events) -> None:
    conditions = parse({"timestamp": "1500000000"}).conditions
    table, found = events.chosen(conditions)
    new = events.insert()
    later_table, later = events.chosen(conditions)
    assert len(later) == len(found) + 1
    assert new not in {row["event_id_cnty"] for row in table[np.asarray(found)].rows()}
    assert new in {row["event_id_cnty"] for row in later_table[np.asarray(later)].rows()}


def test_a_clock_goes_forward_only(clock: Clock) -> None:
    assert clock.now() == NOW
    assert clock.advance(timedelta(minutes=1)) == NOW + timedelta(minutes=1)
    with pytest.raises(ValueError, match="forward"):
        clock.advance(timedelta(seconds=-1))


def test_a_clock_runs_along_unless_it_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = [1_700_000_000.0]
    monkeypatch.setattr("local.standins.acled.clock.time.time", lambda: machine[0])
    running, standing = Clock(), Clock(NOW)
    running.advance(timedelta(days=1))
    assert running.timestamp() == 1_700_086_400
    machine[0] += 60
    assert running.timestamp() == 1_700_086_460
    assert standing.now() == NOW
