"""Paged rows are read as they were at one moment, whatever happens between the pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import TaskCancelled
from services.curated.acled import reading
from services.curated.acled.reading import Page, Restriction, Row
from services.curated.acled.transport import AcledRefused, AcledUnavailable

BEGINNING = 1_700_000_000
LONG_AGO = BEGINNING - 1_000_000


def proceed() -> None:
    """A check that lets everything go on."""


@dataclass
class Table:
    """Rows in the order of their dates, the latest first, which are cut into pages at each
    request anew. `between` is what happens before the pages, by the number of the request."""

    rows: list[Row]
    between: dict[int, Callable[[Table], None]] = field(default_factory=dict)
    says_total: bool = True
    now: int = BEGINNING
    requests: int = 0
    what: str = "events"
    id_name: str = "id"
    time_name: str = "time"

    def page(self, number: int, limit: int) -> Page:
        self._next()
        start = (number - 1) * limit
        return self._answer(self.rows[start : start + limit])

    def has_changed_since(self, moment: datetime) -> bool:
        self._next()
        return any(int(row["time"]) >= moment.timestamp() for row in self.rows)

    def edit(self, position: int, date: int) -> None:
        """Move a row to another date: it stays the same row."""
        row = self.rows.pop(position)
        self.enter(row["id"], date)

    def enter(self, key: str, date: int) -> None:
        """Enter a row, which has been on its way for a day."""
        self.rows.append({"id": key, "time": str(self.now - 86_400), "date": date})
        self.rows.sort(key=lambda row: (-row["date"], row["id"]))

    def _next(self) -> None:
        self.requests += 1
        self.now += 1
        if (happens := self.between.get(self.requests)) is not None:
            happens(self)

    def _answer(self, rows: list[Row]) -> Page:
        total = len(self.rows) if self.says_total else None
        return Page(list(rows), total, None, datetime.fromtimestamp(self.now, UTC))


def table(size: int, **options: Any) -> Table:
    rows = [{"id": f"E{n}", "time": str(LONG_AGO - n), "date": size - n} for n in range(size)]
    return Table(rows, **options)


def read(source: Any, limit: int = 3) -> list[Row]:
    with reading.read(source, limit=limit, check=proceed) as rows:
        found = list(rows)
        assert len(rows) == len(found)
        return found


def test_all_pages_are_read_and_the_set_is_asked_for_once_more() -> None:
    source = table(7)
    assert read(source) == source.rows
    assert source.requests == 3 + 1


def test_what_fits_a_page_takes_one_request() -> None:
    source = table(3)
    assert read(source) == source.rows
    assert source.requests == 1


def test_nothing_is_read_where_nothing_is() -> None:
    source = table(0)
    assert read(source) == []
    assert source.requests == 1


@pytest.mark.parametrize(("size", "requests"), [(2, 2), (3, 4), (7, 8)])
def test_without_a_total_they_are_read_to_an_empty_page(size: int, requests: int) -> None:
    source = table(size, says_total=False)
    assert read(source) == source.rows
    # Where the first page is full, nothing but a second reading tells that it is all.
    assert source.requests == requests


def test_a_short_page_is_not_the_last_one() -> None:
    class Short(Table):
        def page(self, number: int, limit: int) -> Page:
            """Of the second page a row is missing, once."""
            page = super().page(number, limit)
            rows = page.rows[:-1] if self.requests == 2 else page.rows
            return Page(rows, page.total, None, page.server_time)

    source = Short(table(9).rows)
    assert read(source) == source.rows


def drop_first(source: Table) -> None:
    del source.rows[0]


def enter_first(source: Table) -> None:
    source.enter(f"N{source.requests}", 1000)


def swap(source: Table) -> None:
    """One goes before the page that comes, another comes behind: the total stays."""
    drop_first(source)
    source.enter(f"N{source.requests}", -1)


def move_back(source: Table) -> None:
    source.edit(0, -1)


@pytest.mark.parametrize("says_total", [True, False])
@pytest.mark.parametrize("happens", [drop_first, enter_first, swap, move_back])
@pytest.mark.parametrize("request_number", [2, 3])
def test_what_changes_between_pages_is_read_again(
    happens: Callable[[Table], None], request_number: int, says_total: bool
) -> None:
    source = table(8, says_total=says_total, between={request_number: happens})
    assert read(source) == source.rows


def test_what_is_recent_costs_one_more_reading() -> None:
    """It may have been entered between the pages: it is taken if it is there again."""
    source = table(7)
    source.rows[0]["time"] = str(BEGINNING - 40 * 3600)
    assert read(source) == source.rows
    assert source.requests == 3 + 1 + 3


def test_of_what_the_source_itself_names_twice_the_latest_is_taken() -> None:
    source = table(7)
    source.rows[1] |= {"id": "E5", "note": "earlier", "time": str(LONG_AGO - 900)}
    found = read(source)
    assert [row["id"] for row in found] == ["E0", "E2", "E3", "E4", "E5", "E6"]
    assert all("note" not in row for row in found)


def test_what_never_holds_still_is_given_up() -> None:
    def grow(source: Table) -> None:
        source.enter(f"N{source.requests}", 1000 + source.requests)

    source = table(8, between=dict.fromkeys(range(1000), grow))
    with pytest.raises(AcledUnavailable, match="change while they are read: 4 times") as caught:
        read(source)
    assert caught.value.error_code == "source_changing"


def test_a_source_that_repeats_its_first_page_is_given_up() -> None:
    class Deaf(Table):
        def page(self, number: int, limit: int) -> Page:
            return super().page(1, limit)

    for says_total in (True, False):
        source = Deaf(table(8).rows, says_total=says_total)
        if says_total:
            with pytest.raises(AcledUnavailable, match="3 different ones came, of 8"):
                read(source)
        else:
            # Nothing says that there is more: the same, twice, is what it has.
            assert len(read(source)) == 3


def test_the_restriction_is_handed_on() -> None:
    restriction = Restriction(None, 12, "Months")

    class Restricted(Table):
        def _answer(self, rows: list[Row]) -> Page:
            page = super()._answer(rows)
            return Page(page.rows, page.total, restriction, page.server_time)

    with reading.read(Restricted([]), limit=3, check=proceed) as rows:
        assert rows.restriction is restriction


@pytest.mark.parametrize("broken", [{"time": "1"}, {"id": "", "time": "1"}, {"id": "A"}])
def test_a_row_that_cannot_be_told_from_others_is_refused(broken: Row) -> None:
    with pytest.raises(AcledRefused) as caught:
        read(Table([broken]))
    assert caught.value.error_code == "acled_bad_answer"


def test_it_can_be_stopped_between_pages() -> None:
    def stop() -> None:
        if source.requests == 2:
            raise TaskCancelled("stop")

    source = table(9)
    with pytest.raises(TaskCancelled):
        reading.read(source, limit=3, check=stop)
    assert source.requests == 2


def test_progress_says_how_much_has_come() -> None:
    told: list[dict[str, Any]] = []
    with reading.read(
        table(7), limit=3, check=proceed, progress=lambda **figures: told.append(figures)
    ):
        assert told == [{"events_read": number} for number in (3, 6, 7)]


changes = st.sampled_from([drop_first, enter_first, swap, move_back])


@given(
    size=st.integers(6, 14),
    happens=st.dictionaries(st.integers(1, 12), changes, max_size=4),
    says_total=st.booleans(),
)
def test_whatever_happens_it_is_all_of_one_moment(
    size: int, happens: dict[int, Callable[[Table], None]], says_total: bool
) -> None:
    moments: list[list[Row]] = []

    class Watched(Table):
        def _next(self) -> None:
            super()._next()
            moments.append(list(self.rows))

    source = Watched(table(size).rows, between=happens, says_total=says_total)
    try:
        found = read(source)
    except AcledUnavailable:
        # Only where something happened in one of every two readings that are compared.
        assert len(happens) >= 2
        return
    assert found in moments
