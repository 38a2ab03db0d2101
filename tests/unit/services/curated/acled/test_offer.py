"""What ACLED offers, where its answers say less than they should."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import PermanentTaskError
from services.curated.acled import offer
from services.curated.acled.api import Deletion, EventQuery, Restriction, Total
from services.curated.acled.marks import Mark
from services.curated.acled.offer import Deletions, Scope
from services.curated.handler import Days, RemoteVersion

NOW = datetime(2026, 11, 26, 9, 15, tzinfo=UTC)
BEFORE = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)
SINCE = BEFORE - timedelta(hours=48)
ALL = Scope(None, timedelta(hours=48))
END = date(2025, 11, 23)
DAY = timedelta(days=1)


class Answers:
    """Answers counts as a test says; it keeps what it was asked."""

    def __init__(
        self, count: Callable[[EventQuery], Total], deletions: list[Deletion] | None = None
    ) -> None:
        self._count = count
        self._deletions = deletions or []
        self.asked: list[EventQuery] = []

    def count(self, query: EventQuery) -> Total:
        self.asked.append(query)
        return self._count(query)

    def deletions(self, since: datetime) -> list[Deletion]:
        return [each for each in self._deletions if each.deleted_at >= since.timestamp()]


def total(events: int | None, restriction: Restriction | None = None, **more: Any) -> Total:
    is_empty = more.get("is_empty", events == 0)
    return Total(events, is_empty, restriction, NOW)


def changes(api: Any, mark: Mark, rejected: Mark | None = None) -> RemoteVersion:
    return offer.changes(api, ALL, mark, rejected=rejected, published=str(mark))


def everything(api: Any) -> RemoteVersion:
    return offer.everything(api, ALL)


def queries(remote: RemoteVersion) -> list[EventQuery | Deletions]:
    """The parts as they are read by the tasks that fetch them, after their way through JSON."""
    return [offer.read_part(json.loads(json.dumps(part))) for part in remote.parts]


def test_changes_are_read_from_before_the_mark() -> None:
    remote = changes(Answers(lambda _: total(3)), Mark(BEFORE))
    assert remote.version == str(Mark(NOW))
    assert queries(remote) == [EventQuery(Days(None, None), SINCE), Deletions(SINCE, None)]
    assert remote.facts == {"changed": 3, "since": SINCE.isoformat()}


def test_a_deletion_alone_is_a_change() -> None:
    deleted = [Deletion("HND1", int(BEFORE.timestamp()))]
    assert changes(Answers(lambda _: total(0), deleted), Mark(BEFORE)).version == str(Mark(NOW))
    earlier = [Deletion("HND1", int(BEFORE.timestamp()) - 1)]
    remote = changes(Answers(lambda _: total(0), earlier), Mark(BEFORE))
    assert (remote.version, remote.delivers) == (str(Mark(BEFORE)), "increment")


def test_changes_that_nobody_counts_are_one_part() -> None:
    api = Answers(lambda _: total(None, is_empty=False))
    records = [each for each in queries(changes(api, Mark(BEFORE))) if isinstance(each, EventQuery)]
    assert records == [EventQuery(Days(None, None), SINCE)]


def test_all_events_that_nobody_counts_are_a_part_a_year() -> None:
    remote = everything(Answers(lambda _: total(None, is_empty=False)))
    assert len(remote.parts) == 2026 - 1997 + 1
    assert "events" not in remote.facts


def test_an_embargo_that_an_answer_does_not_tell_of_is_asked_for() -> None:
    """Else the events that it hides would be taken for read."""

    def count(query: EventQuery) -> Total:
        behind = query.days is not None and query.days.first == END + timedelta(days=1)
        return total(0, Restriction(END)) if behind else total(5)

    assert changes(Answers(count), Mark(BEFORE, END)).version == str(Mark(NOW, END))


def test_an_embargo_without_a_sign_of_its_end_stays() -> None:
    api = Answers(lambda query: total(0 if query.days and query.days.first else 5))
    assert changes(api, Mark(BEFORE, END)).version == str(Mark(NOW, END))


def test_an_embargo_that_is_lifted_opens_all_behind_it() -> None:
    remote = changes(Answers(lambda _: total(5)), Mark(BEFORE, END))
    assert remote.version == str(Mark(NOW))
    assert queries(remote) == [
        EventQuery(Days(None, END - DAY), SINCE),
        EventQuery(Days(END, None)),
        Deletions(SINCE, None),
    ]


def test_an_embargo_that_goes_back_hides_and_is_remembered() -> None:
    earlier = END - timedelta(days=100)
    remote = changes(Answers(lambda _: total(5, Restriction(earlier))), Mark(BEFORE, END))
    assert remote.version == str(Mark(NOW, earlier))
    assert len(queries(remote)) == 2


@given(
    first=st.none() | st.dates(date(2025, 11, 1), date(2025, 12, 31)),
    until=st.none() | st.dates(date(2025, 11, 1), date(2025, 12, 31)),
    day=st.dates(date(2025, 10, 1), date(2026, 1, 31)),
    is_recent=st.booleans(),
)
def test_no_event_is_asked_for_twice_and_none_that_opened_or_changed_is_left_out(
    first: date | None, until: date | None, day: date, is_recent: bool
) -> None:
    restriction = None if until is None else Restriction(until)
    api: Any = Answers(lambda _: total(5, restriction))
    scope = Scope(first, timedelta(hours=48))
    remote = offer.changes(api, scope, Mark(BEFORE, END), rejected=None, published="")
    asking = [
        each
        for each in queries(remote)
        if isinstance(each, EventQuery)
        and each.days is not None
        and (each.days.first is None or each.days.first <= day)
        and (each.days.last is None or day <= each.days.last)
        and (each.since is None or is_recent)
    ]
    is_seen = (first is None or first <= day) and (until is None or day <= until)
    if is_seen:
        assert len(asking) == (1 if is_recent or day > END or (day == END != until) else 0)
    assert len(asking) <= 1


def offered(until: date | None, query: EventQuery) -> dict[str, Any]:
    """A part that was offered to an account that could see events to a day."""
    seen = None if until is None else Restriction(until)
    days = query.days or Days(None, None)
    scope = Scope(days.first, timedelta(0))
    api: Any = Answers(lambda _: total(5, seen))
    remote = offer.backfill(api, scope, days, published=None)
    return json.loads(json.dumps(remote.parts[0]))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("until", "last", "now"),
    [
        (None, None, None),
        (None, END, None),
        # Of what is before it, an embargo keeps nothing back.
        (None, END, Restriction(END + DAY)),
        (END, None, Restriction(END)),
        (END, None, Restriction(END + DAY)),
        (END, END, Restriction(END)),
        (END, None, None),
    ],
)
def test_an_account_that_sees_as_much_as_before_may_read(
    until: date | None, last: date | None, now: Restriction | None
) -> None:
    query = EventQuery(Days(None, last))
    offer.require_sight(offered(until, query), query, now)


@pytest.mark.parametrize(
    ("until", "last", "now"),
    [
        (None, None, Restriction(END)),
        (None, END, Restriction(END)),
        (None, END, Restriction(None)),
        (END, None, Restriction(END - DAY)),
        (END, None, Restriction(None)),
        (END, END, Restriction(END - DAY)),
    ],
)
def test_an_account_that_sees_less_by_now_reads_nothing(
    until: date | None, last: date | None, now: Restriction
) -> None:
    query = EventQuery(Days(None, last))
    with pytest.raises(PermanentTaskError, match="under an embargo") as refusal:
        offer.require_sight(offered(until, query), query, now)
    assert refusal.value.error_code == "source_changed"


def test_an_embargo_of_a_day_that_nobody_names_is_refused() -> None:
    with pytest.raises(PermanentTaskError, match="does not say up to which day") as refusal:
        everything(Answers(lambda _: total(5, Restriction(None))))
    assert refusal.value.error_code == "acled_bad_answer"


@pytest.mark.parametrize(
    ("first", "asked", "within"),
    [
        (None, Days(None, None), Days(None, None)),
        (date(2020, 1, 1), Days(None, date(2021, 1, 1)), Days(date(2020, 1, 1), date(2021, 1, 1))),
        (date(2020, 1, 1), Days(date(2022, 1, 1), None), Days(date(2022, 1, 1), None)),
        (date(2020, 1, 1), Days(None, date(2019, 12, 31)), None),
        (date(2020, 1, 1), Days(None, date(2020, 1, 1)), Days(date(2020, 1, 1), date(2020, 1, 1))),
    ],
)
def test_of_some_days_those_are_taken_that_belong_in_the_dataset(
    first: date | None, asked: Days, within: Days | None
) -> None:
    assert Scope(first, timedelta(0)).within(asked) == within
