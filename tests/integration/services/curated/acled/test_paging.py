"""What is read of the ACLED stand-in is what it has, whatever goes wrong on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from infrastructure.database import Connection
from local.standins.acled.faults import Spoiled
from local.standins.acled.query import Query
from local.standins.acled.server import Acled
from services.curated.acled import transport
from services.curated.acled.api import AcledApi, Deletion, EventQuery
from services.curated.handler import Days
from tests.support.settings import app_settings

NOW = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)
PAGE = 100
ALL = EventQuery()


@pytest.fixture
def acled() -> Iterator[Acled]:
    with Acled(450, at=NOW) as started:
        yield started


@pytest.fixture(autouse=True)
def _app(
    acled: Acled, ledger: Connection, ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setattr(transport, "_PAUSES_SECONDS", (0.01, 0.02, 0.04))
    ledger.execute("TRUNCATE app.request_pace")
    with app_settings(
        DATABASE_URL=ledger_url,
        GEOFORGE_ALLOWED_HOSTS="127.0.0.1",
        ACLED_REQUESTS_PER_MINUTE="60000",
        **acled.settings,
    ):
        yield


def proceed() -> None:
    """A check that lets everything go on."""


def assert_all_are_read(acled: Acled) -> None:
    with AcledApi(proceed, page_rows=PAGE).read(ALL) as found:
        read = {event["event_id_cnty"]: event for event in found}
        assert len(read) == len(found)
    assert read == acled.events.rows()


def fail(acled: Acled) -> None:
    acled.faults.answer(503, after=2)


def be_too_much(acled: Acled) -> None:
    acled.faults.answer(429, after=2, retry_after=0)


def say_html(acled: Acled) -> None:
    acled.faults.html(after=2)


def fail_inside(acled: Acled) -> None:
    acled.faults.refuse("Query failed", after=2)


def cut_json(acled: Acled) -> None:
    acled.faults.spoil(Spoiled(json_bytes=2000), after=2)


def break_off(acled: Acled) -> None:
    acled.faults.spoil(Spoiled(sent_bytes=2000), after=2)


def send_short(acled: Acled) -> None:
    acled.faults.spoil(Spoiled(missing=7), after=2)


def repeat(acled: Acled) -> None:
    acled.faults.spoil(Spoiled(repeated=7), after=2)


def hide_total(acled: Acled) -> None:
    acled.faults.spoil(Spoiled(without_total=True), after=2)


def count_nothing(acled: Acled) -> None:
    acled.counts = False


FAULTS = [
    fail,
    be_too_much,
    say_html,
    fail_inside,
    cut_json,
    break_off,
    send_short,
    repeat,
    hide_total,
    count_nothing,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_all_events_are_read(acled: Acled, fault: Callable[[Acled], None]) -> None:
    fault(acled)
    assert_all_are_read(acled)


def test_a_token_may_be_revoked_between_pages(acled: Acled) -> None:
    is_revoked = False

    def revoke_once(query: Query) -> None:
        nonlocal is_revoked
        if query.page == 3 and not is_revoked:
            is_revoked = True
            acled.access.revoke()

    acled.before_page = revoke_once
    assert_all_are_read(acled)
    assert is_revoked


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("is_late", [False, True])
def test_events_may_come_change_and_go_between_pages(
    acled: Acled, seed: int, is_late: bool
) -> None:
    pages = 0

    def change(_: Query) -> None:
        nonlocal pages
        pages += 1
        if pages in (2 + seed, 5 + seed):
            if not is_late:
                acled.clock.advance(timedelta(seconds=1))
            acled.events.delete(min(acled.events.rows()))
            acled.events.insert(event_date=date(1999, 1, 1), timestamp=_yesterday(is_late))

    acled.before_page = change
    assert_all_are_read(acled)


def _yesterday(is_late: bool) -> int | None:
    return int((NOW - timedelta(days=1)).timestamp()) if is_late else None


def test_deletions_are_read(acled: Acled) -> None:
    began = len(acled.events.deleted())
    acled.events.churn(deletes=30)
    api = AcledApi(proceed, page_rows=10)
    expected = {Deletion(*deletion) for deletion in acled.events.deleted()[began:]}
    assert len(expected) == 30
    assert set(api.deletions(NOW)) == expected


def test_a_query_has_the_events_that_it_is_about(acled: Acled) -> None:
    days = Days(date(2026, 1, 1), date(2026, 6, 30))
    changed = acled.events.churn(inserts=3, edits=40)
    api = AcledApi(proceed, page_rows=PAGE)
    rows = acled.events.rows().values()
    with api.read(EventQuery(since=NOW)) as found:
        assert {row["event_id_cnty"] for row in found} == {*changed.inserted, *changed.edited}
    expected = [row for row in rows if "2026-01-01" <= str(row["event_date"]) <= "2026-06-30"]
    assert expected
    with api.read(EventQuery(days)) as found:
        assert len(found) == len(expected)
    assert api.count(EventQuery(days)).total == len(expected)
