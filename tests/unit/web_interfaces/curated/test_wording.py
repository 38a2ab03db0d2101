"""Schedules in words: what is said is what the schedule does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.models.curated import UpdateStatus
from core.schedules import Schedule
from services.curated.views import State
from web_interfaces.curated import wording


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("0 2 * * *", "nightly at 02:00 UTC"),
        ("0 0 2 * * *", "nightly at 02:00 UTC"),
        ("30 22 * * *", "nightly at 22:30 UTC"),
        ("30 14 * * *", "every day at 14:30 UTC"),
        ("0 4 * * 1", "every Monday at 04:00 UTC"),
        ("0 4 * * mon,Thu,7", "every Monday, Thursday and Sunday at 04:00 UTC"),
        ("0 2 1 * *", "on the 1st of every month at 02:00 UTC"),
        ("5 12 23 * *", "on the 23rd of every month at 12:05 UTC"),
        ("0 2 11 * *", "on the 11th of every month at 02:00 UTC"),
        ("0 2 1 1,jul *", "on 1 January and 1 July at 02:00 UTC"),
        ("*/15 * * * *", "every 15 minutes"),
        ("*/1 * * * *", "every minute"),
        ("0 * * * *", "every hour, on the hour"),
        ("20 * * * *", "every hour, at 20 minutes past the hour"),
        ("0 */6 * * *", "every 6 hours, on the hour"),
    ],
)
def test_common_schedules_are_said_in_words(text: str, means: str) -> None:
    Schedule.parse(text)
    assert wording.schedule(text) == means


@pytest.mark.parametrize(
    "text",
    [
        "*/7 * * * *",  # uneven at the end of the hour
        "0 */5 * * *",
        "0 2 1 * 1",  # either day
        "0 2 1-7 * *",
        "0 2 * 6 *",
        "0 2 * * 1-5",
        "15 0 2 * * *",  # not at the full minute
        "0 2 */2 * *",
    ],
)
def test_others_are_shown_as_they_are(text: str) -> None:
    Schedule.parse(text)
    assert wording.schedule(text) == f"by the schedule {text}"


def test_the_next_times_follow_each_other() -> None:
    now = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    times = wording.next_times(Schedule.parse("0 2 * * *"), now)
    assert times == [now + timedelta(days=day) for day in (1, 2, 3)]


def test_every_state_has_a_badge() -> None:
    assert set(wording.BADGES) == {*State, *UpdateStatus}
    assert set(wording.STATES) == set(State)


@pytest.mark.parametrize(
    ("source_type", "state", "reason", "said"),
    [
        ("api_bulk_download", "current", None, "Published, and kept current."),
        ("manual", "current", None, "Published, and updated by hand only."),
        ("manual", "never_updated", None, "Nothing is published yet. It is updated by hand only."),
        ("manual", "current", "Version 2 is awaited.", "Version 2 is awaited."),
        ("manual", "updating", None, "An update is under way."),
    ],
)
def test_how_a_dataset_is(source_type: str, state: str, reason: str | None, said: str) -> None:
    assert wording.says({"source_type": source_type, "state": state, "reason": reason}) == said


@pytest.mark.parametrize(
    ("action", "update_type", "said"),
    [
        ("update", "scheduled", "schedule"),
        ("update", "manual", "hand"),
        ("update", "triggered", "job"),
        ("publish", "manual", "approval"),
        ("rollback", "manual", "rollback"),
    ],
)
def test_what_began_an_attempt(action: str, update_type: str, said: str) -> None:
    assert wording.begun_by({"action": action, "update_type": update_type}) == said


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"from_date": "2024-02-01", "to_date": "2024-02-29"}, "days 2024-02-01 to 2024-02-29"),
        ({"from_date": "2024-02-29", "to_date": "2024-02-29"}, "the day 2024-02-29"),
        ({"from_date": "2024-02-01"}, "days from 2024-02-01"),
        ({"to_date": "2024-02-29"}, "days up to 2024-02-29"),
        ({"container_name": "uploads", "blob_name": "a/land.zip"}, "file uploads/a/land.zip"),
    ],
)
def test_what_an_attempt_was_asked_for_is_said(asked: dict[str, str], said: str) -> None:
    assert wording.asked_for({"details": {"asked": asked}}) == said


def test_an_update_as_usual_was_asked_for_nothing() -> None:
    assert wording.asked_for({"details": {}}) is None
