"""ACLED's API: events and deletions, in requests of at most 5,000 rows.

    api = AcledApi(run.check, run.progress)
    with api.read(EventQuery(days=Days(date(2025, 1, 1), date(2025, 1, 31)))) as events:
        for event in events: ...

Rows are as ACLED sends them, numbers often as texts. An account under an embargo is answered 200
with no rows for the recent months; only data_query_restrictions says why.

Source: https://acleddata.com/api-documentation (September 2025).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.curated.acled import access, reading
from services.curated.acled.reading import Page, Query, Restriction, Rows
from services.curated.acled.transport import AcledRefused, Answer, Transport
from services.curated.handler import Days

__all__ = ["AcledApi", "Deletion", "EventQuery", "Restriction", "Rows", "Total"]

PAGE_ROWS = 5000

_EVENTS_PATH = "/acled/read"
_DELETED_PATH = "/deleted/read"


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events: those of some days (event_date), and those that were entered or edited at a
    moment or later (timestamp). Without either, all."""

    days: Days | None = None
    since: datetime | None = None

    def params(self) -> dict[str, str]:
        """The query as ACLED takes it."""
        params = _days(self.days) if self.days is not None else {}
        return params | (_at_least("timestamp", self.since) if self.since is not None else {})


@dataclass(frozen=True, slots=True)
class Total:
    """How many events a query has; None where ACLED does not say, and then `is_empty` tells at
    least whether there are any."""

    total: int | None
    is_empty: bool
    restriction: Restriction | None
    server_time: datetime


@dataclass(frozen=True, slots=True)
class Deletion:
    """An event that is gone, and the Unix time of its deletion."""

    event_id_cnty: str
    deleted_at: int


class AcledApi:
    """Asks ACLED with the credentials of the settings. `check` is called while it waits and
    reads, and may raise; `progress` is told `requests`, the rows read (`events_read`,
    `deletions_read`), and `waiting_for_acled` where a wait is long.

    All methods raise `PermanentTaskError` (credentials_missing), `AcledUnavailable`
    (acled_unavailable, source_changing) and `AcledRefused` (acled_unauthorized, acled_forbidden,
    acled_bad_request, acled_bad_answer, acled_refused).
    """

    def __init__(
        self,
        check: Callable[[], None],
        progress: Callable[..., None] | None = None,
        *,
        page_rows: int = PAGE_ROWS,
    ) -> None:
        self._transport = Transport(check, progress)
        self._access = access.access(self._transport)
        self._check = check
        self._progress = progress
        self._page_rows = page_rows

    def count(self, query: EventQuery) -> Total:
        """How many events a query has, in one request."""
        page = self._page(_EVENTS_PATH, query.params(), 1, 1)
        return Total(page.total, not page.rows, page.restriction, page.server_time)

    def read(self, query: EventQuery) -> Rows:
        """All events of a query, each once, as they were at one moment.

        They are at hand only when all have come: in a file, whose room `Rows.close` gives back.
        """
        return self._read(
            _Listing(self._page, _EVENTS_PATH, "events", "timestamp", query.params(), query.since)
        )

    def deletions(self, since: datetime) -> list[Deletion]:
        """The events that were deleted at a moment or later, each once with its last deletion."""
        params = _at_least("deleted_timestamp", since)
        listing = _Listing(
            self._page, _DELETED_PATH, "deletions", "deleted_timestamp", params, since
        )
        with self._read(listing) as rows:
            return [Deletion(row["event_id_cnty"], int(row["deleted_timestamp"])) for row in rows]

    def _read(self, query: Query) -> Rows:
        return reading.read(
            query, limit=self._page_rows, check=self._check, progress=self._progress
        )

    def _page(self, path: str, params: Mapping[str, str], number: int, limit: int) -> Page:
        """One page of an endpoint."""
        asked = {
            "_format": "json",
            "with_total": "true",
            "limit": str(limit),
            "page": str(number),
            **params,
        }
        answer = self._ask(path, asked)
        rows = answer.body.get("data")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise AcledRefused("ACLED's answer has no rows in `data`.", code="acled_bad_answer")
        return Page(rows, _total(answer.body), _restriction(answer.body), answer.server_time)

    def _ask(self, path: str, params: Mapping[str, str]) -> Answer:
        """An answer with data. A token that is refused in the middle is renewed, once."""
        shown = self._access.show()
        answer = self._send(path, params, shown)
        if answer.status == 401:
            renewed = self._access.renew(shown)
            if renewed is not None:
                answer = self._send(path, params, renewed)
        if answer.status != 200:
            raise self._refusal(answer)
        return answer

    def _send(self, path: str, params: Mapping[str, str], shown: access.Shown) -> Answer:
        return self._transport.send(
            self._access.prefix + path, headers=shown.headers, params={**params, **shown.params}
        )

    def _refusal(self, answer: Answer) -> AcledRefused:
        said = self._access.quote(answer)
        named = " and ".join(self._access.settings)
        if answer.status == 401:
            return AcledRefused(
                f"ACLED does not accept the account of {named} (401).{said}",
                code="acled_unauthorized",
            )
        if answer.status == 403:
            return AcledRefused(
                f"ACLED does not give its data to the account of {named} (403): "
                f"{_reason(answer.words())}{said}",
                code="acled_forbidden",
            )
        return AcledRefused(
            f"ACLED did not understand the request (400).{said}", code="acled_bad_request"
        )


@dataclass(frozen=True, slots=True)
class _Listing:
    """What an endpoint lists: an `reading.Query`."""

    ask: Callable[[str, Mapping[str, str], int, int], Page]
    path: str
    what: str
    time_name: str
    params: Mapping[str, str]
    since: datetime | None
    id_name: str = "event_id_cnty"

    def page(self, number: int, limit: int) -> Page:
        return self.ask(self.path, self.params, number, limit)

    def has_changed_since(self, moment: datetime) -> bool:
        since = moment if self.since is None else max(moment, self.since)
        changed = {**self.params, **_at_least(self.time_name, since)}
        return bool(self.ask(self.path, changed, 1, 1).rows)


def _days(days: Days) -> dict[str, str]:
    first, last = days.first, days.last
    if first is not None and last is not None:
        return {"event_date": f"{first}|{last}", "event_date_where": "BETWEEN"}
    if first is not None:
        return {"event_date": str(first), "event_date_where": ">="}
    if last is not None:
        return {"event_date": str(last), "event_date_where": "<="}
    return {}


def _at_least(name: str, moment: datetime) -> dict[str, str]:
    """A time in Unix seconds, and all that is not before it."""
    return {name: str(int(moment.timestamp())), f"{name}_where": ">="}


def _total(body: Mapping[str, Any]) -> int | None:
    """`total_count`, which is there only where with_total is asked for; `count` is of a page."""
    return _whole(body.get("total_count"))


def _whole(number: object) -> int | None:
    """A number that may be a text; None for what is none."""
    try:
        return int(str(number))
    except ValueError:
        return None


def _restriction(body: Mapping[str, Any]) -> Restriction | None:
    restrictions = body.get("data_query_restrictions")
    recency = restrictions.get("date_recency") if isinstance(restrictions, dict) else None
    if not isinstance(recency, dict):
        return None
    try:
        until = date.fromisoformat(str(recency.get("date"))[:10])
    except ValueError:
        until = None
    unit = recency.get("unit")
    return Restriction(
        until,
        _whole(recency.get("quantity")),
        unit[:20] if isinstance(unit, str) else None,
    )


def _reason(words: str) -> str:
    """What an account lacks, after what ACLED says of it."""
    lower = words.lower()
    if any(word in lower for word in ("terms", "consent", "accept", "agree")):
        return "its terms of use have to be accepted at acleddata.com, by logging in there."
    if "required fields" in lower or "profile" in lower:
        return "its profile at acleddata.com has to be completed."
    if any(word in lower for word in ("tier", "level", "group", "permission", "subscription")):
        return "its access tier does not include them."
    return (
        "either its terms of use have not been accepted at acleddata.com, or its access tier does "
        "not include them."
    )
