"""A copy of ACLED's events, kept by updates at any moments, ends as its source whatever happens.

Histories are made up: events come, are edited, moved to other days, deleted and restored, some
become visible later than their timestamp says, also while they are paged; embargoes begin, move
and end; updates and backfills come at any moments, the source fails, workers die, people roll
back, redefine, publish what was held and discard it. At last nothing changes any more while one
update goes through, and the table has to hold what the source does, in all columns.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from infrastructure import database
from local.standins.acled.server import Acled
from services.curated.acled import slices, transport
from tests.support.acled_histories import History
from tests.support.settings import app_settings

BEGAN = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)
EVENTS = 60
EXAMPLES = int(os.environ.get("GEOFORGE_TEST_HISTORIES", "10"))

Begin = Callable[[int], AbstractContextManager[History]]


@pytest.fixture
def begin(ledger_url: str, blob_connection_string: str, monkeypatch: pytest.MonkeyPatch) -> Begin:
    # Slices of many pages, pages of a few events, and no waiting for a source that fails.
    monkeypatch.setattr(slices, "TARGET_EVENTS", 25)
    monkeypatch.setattr(transport, "_PAUSES_SECONDS", (0.0, 0.0, 0.0))

    @contextmanager
    def begun(number: int) -> Iterator[History]:
        with (
            Acled(EVENTS, seed=number % 5, at=BEGAN) as acled,
            app_settings(
                DATABASE_URL=ledger_url,
                AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
                GEOFORGE_CURATED_CONTAINER="curated-histories",
                GEOFORGE_ALLOWED_HOSTS="127.0.0.1",
                ACLED_REQUESTS_PER_MINUTE="60000",
                **acled.settings,
            ),
            database.connect(autocommit=True) as connection,
        ):
            acled.page_rows = 10
            yield History(connection, acled, number)

    return begun


_AT_THE_SOURCE = (
    History.insert, History.insert, History.insert_late, History.edit, History.edit,
    History.move, History.move, History.delete, History.delete, History.restore,
    History.embargo_begins, History.embargo_is_lifted, History.tokens_are_revoked,
)  # fmt: skip
_UPDATES = (
    History.update, History.update, History.update_while_paged, History.update_while_down,
    History.update_with_broken_answers, History.update_and_die,
    History.update_while_the_embargo_changes, History.update_while_the_embargo_changes,
    History.update_all, History.backfill,
)  # fmt: skip
_PEOPLE = (
    History.roll_back, History.roll_back, History.update_that_a_gate_stops, History.redefine,
)  # fmt: skip
_HAPPENINGS = st.sampled_from([*_AT_THE_SOURCE, *_UPDATES, *_PEOPLE])
_STEPS = st.lists(_HAPPENINGS | st.integers(1, 96), min_size=3, max_size=14)
_NUMBERS = st.integers(0, 2**32)

_histories = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    # A history takes seconds: what is found is told as it is.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@seed(20261123)
@_histories
@given(steps=_STEPS, number=_NUMBERS)
def test_the_copy_ends_as_the_source(begin: Begin, steps: list[Any], number: int) -> None:
    with begin(number) as history:
        go_through(history, steps)
        history.ends_equal()


@seed(20261123)
@settings(_histories, max_examples=max(1, EXAMPLES // 2))
@given(
    steps=st.lists(_HAPPENINGS | st.integers(1, 96), max_size=5),
    then=st.lists(
        st.sampled_from([History.backfill, History.update]) | st.integers(1, 96), max_size=5
    ),
    further=st.booleans(),
    number=_NUMBERS,
)
def test_what_was_rolled_back_stays_away_until_there_is_more(
    begin: Begin, steps: list[Any], then: list[Any], further: bool, number: int
) -> None:
    """Whatever days people read again meanwhile: no update by itself changes the table."""
    with begin(number) as history:
        go_through(history, steps)
        history.embargo_is_lifted()
        history.becomes_quiet()
        history.catch_up()
        history.a_second_passes()
        if not history.roll_back():
            history.becomes_quiet()
            history.catch_up()
            assert history.roll_back()
        if further:
            history.roll_back()
        for step in [*then, History.update]:
            before = history.copy()
            go_through(history, [step])
            assert step is History.backfill or history.copy() == before


def go_through(history: History, steps: list[Any]) -> None:
    """What happens, one after the other; numbers are hours that pass."""
    for step in steps:
        if isinstance(step, int):
            history.hours_pass(step)
        else:
            step(history)
