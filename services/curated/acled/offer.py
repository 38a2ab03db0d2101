"""What ACLED offers of a dataset of events: all of them, what has changed, or those of some days.

Each is a version in parts. A part with events is a query::

    {"kind": "events", "from": "2024-01-01", "to": "2024-02-14", "since": null, "until": null}

and one with deletions says since when, and before which day events do not belong in the dataset::

    {"kind": "deletions", "since": "2026-11-21T09:15:00+00:00", "before": null, "until": null}

`since` is a moment of ACLED's own clock. What was entered, edited or deleted for some hours
before the mark is read again: that it was not there yet when it was asked for costs nothing then.
`until` is the last day that the account could see when this was offered, null without an embargo:
see `require_sight`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from core.errors import PermanentTaskError
from core.job_definition import JsonObject
from services.curated.acled import slices
from services.curated.acled.api import AcledApi, EventQuery, Restriction, Total
from services.curated.acled.marks import Mark
from services.curated.handler import Days, RemoteVersion

_DAY = timedelta(days=1)
# By how much the clocks of ACLED's servers may differ.
_CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which events a dataset holds, those of `first` and later (None: all), and how far behind
    the mark its changes are read from."""

    first: date | None
    overlap: timedelta

    @property
    def days(self) -> Days:
        return Days(self.first, None)

    def within(self, days: Days) -> Days | None:
        """Those of some days that belong in the dataset, None where none does."""
        first = max((day for day in (self.first, days.first) if day is not None), default=None)
        if first is not None and days.last is not None and first > days.last:
            return None
        return Days(first, days.last)


@dataclass(frozen=True, slots=True)
class Deletions:
    """Which deletions: those since a moment, and of the events that were edited since then those
    that are `before` the dataset's first day by now."""

    since: datetime
    before: date | None


def everything(api: AcledApi, scope: Scope, *, rejected: Mark | None = None) -> RemoteVersion:
    """The whole dataset. It is of the version that an operator has `rejected` where there is
    nothing new since. Raises `PermanentTaskError` (source_empty) where there are no events."""
    query = EventQuery(scope.days)
    found = api.count(query)
    if found.is_empty:
        raise _empty(query, found.restriction)
    mark = _mark(found)
    version = mark
    if rejected is not None:
        fresh = api.count(EventQuery(scope.days, rejected.at))
        version = rejected if _is_all(api, fresh, rejected, mark) else mark
    return RemoteVersion(
        str(version),
        facts=_facts(found, events=found.total),
        parts=_parts(_pieces(api, query, found), mark),
        delivers="snapshot",
    )


def changes(
    api: AcledApi, scope: Scope, mark: Mark, *, rejected: Mark | None, published: str
) -> RemoteVersion:
    """What has changed since the mark of `published`.

    That is nothing where nothing was entered, edited or deleted since; then the version is the
    published one, or the one that an operator has `rejected` since, if that is all there is. Of
    an account whose embargo has moved on also the events that it can see now come, however old
    they are. A mark that is ahead of ACLED's clock says nothing of what was read: then all comes.
    """
    seen = rejected if rejected is not None and rejected.at > mark.at else mark
    fresh = api.count(EventQuery(scope.days, seen.at))
    if seen.at - fresh.server_time > _CLOCKS_DIFFER:
        return everything(api, scope)
    now = _present(api, mark, fresh)
    since = min(mark.at, now.at) - scope.overlap
    queries = _queries(scope, mark, now, since)
    deletions = Deletions(since, scope.first)
    if _is_all(api, fresh, seen, now):
        return RemoteVersion(
            str(seen) if seen is rejected else published,
            facts=_facts(fresh, changed=0),
            parts=_parts([*queries, deletions], now),
            delivers="increment",
        )
    pieces = [piece for query in queries for piece in _pieces(api, query, api.count(query))]
    return RemoteVersion(
        str(now),
        facts=_facts(fresh, changed=fresh.total, since=_text(since)),
        parts=_parts([*pieces, deletions], now),
        delivers="increment",
    )


def backfill(api: AcledApi, scope: Scope, wanted: Days, *, published: str | None) -> RemoteVersion:
    """The events of some days, whenever they were edited. The mark stays: the version is the
    published one, and where nothing is published one that is no mark.

    Raises `PermanentTaskError` (source_empty) where there are no such events.
    """
    days = scope.within(wanted)
    if days is None:
        raise PermanentTaskError(
            f"The dataset holds events from {scope.first} on (source_config.since): there are "
            f"none {_named(wanted)}.",
            code="source_empty",
        )
    query = EventQuery(days)
    found = api.count(query)
    if found.is_empty:
        raise _empty(query, found.restriction)
    return RemoteVersion(
        published or f"{days.first or ''}..{days.last or ''}",
        facts=_facts(found, events=found.total),
        parts=_parts(_pieces(api, query, found), _mark(found)),
        delivers="increment",
    )


def read_part(part: Mapping[str, Any]) -> EventQuery | Deletions:
    """What a part asks for."""
    since = part["since"] and datetime.fromisoformat(part["since"])
    if part["kind"] == "deletions":
        return Deletions(since, _date(part["before"]))
    return EventQuery(Days(_date(part["from"]), _date(part["to"])), since)


def require_sight(
    part: Mapping[str, Any], query: EventQuery, restriction: Restriction | None
) -> None:
    """Raise `PermanentTaskError` (source_changed) where an embargo keeps events of a query, which
    was asked for a part, from the account that could see them when the part was offered.

    They would be missing, and the mark would say that they were read.
    """
    if restriction is None:
        return
    offered, last = _date(part["until"]), None if query.days is None else query.days.last
    if restriction.until is not None:
        sees_as_much = offered is not None and offered <= restriction.until
        # What its own day is, ACLED does not say: that may be hidden in part.
        if sees_as_much or (last is not None and last < restriction.until):
            return
    raise PermanentTaskError(
        f"ACLED has put the account under an embargo while its events were being read: it may see "
        f"{restriction} by now. Run the update again.",
        code="source_changed",
    )


def _is_all(api: AcledApi, fresh: Total, seen: Mark, now: Mark) -> bool:
    """Whether there is nothing since a mark: no `fresh` events, opened days, deletions."""
    return fresh.is_empty and not seen.opens(now) and not api.deletions(seen.at)


def _queries(scope: Scope, mark: Mark, now: Mark, since: datetime) -> list[EventQuery]:
    """What has changed since a moment; of the days that can be seen since the mark, all.

    No event is of two of them: one that comes twice as it is would be taken for a fault. The last
    day that could be seen is among those that are read whole, as it may have been seen in part.
    """
    if mark.until is not None and mark.opens(now):
        opened = scope.within(Days(mark.until, now.until))
        known = scope.within(Days(None, mark.until - _DAY))
        if opened is not None:
            return [*([] if known is None else [EventQuery(known, since)]), EventQuery(opened)]
    return [EventQuery(scope.days, since)]


def _parts(pieces: Iterable[EventQuery | Deletions], seen: Mark) -> list[JsonObject]:
    """The parts of what is offered to an account that sees what it did at a mark."""
    until = seen.until and str(seen.until)
    return [{**_as_part(piece), "until": until} for piece in pieces]


def _as_part(piece: EventQuery | Deletions) -> JsonObject:
    if isinstance(piece, Deletions):
        before = piece.before and str(piece.before)
        return {"kind": "deletions", "since": _text(piece.since), "before": before}
    days = piece.days or Days(None, None)
    return {
        "kind": "events",
        "from": days.first and str(days.first),
        "to": days.last and str(days.last),
        "since": piece.since and _text(piece.since),
    }


def _pieces(api: AcledApi, query: EventQuery, found: Total) -> Iterable[EventQuery]:
    """A query in slices of its days. Where ACLED does not say how many events there are, changes
    are taken to be few."""
    if found.total is None and query.since is not None:
        return [query]
    days = query.days or Days(None, None)
    cut = slices.cut(
        days,
        found.total,
        lambda part: api.count(EventQuery(part, query.since)).total,
        today=found.server_time.date(),
        target=slices.TARGET_EVENTS,
    )
    return [EventQuery(each, query.since) for each in cut]


def _present(api: AcledApi, mark: Mark, found: Total) -> Mark:
    """The mark of an answer. Where it tells of no embargo that there was, the days behind that are
    asked for: an embargo that was overlooked once would keep them out for good."""
    now = _mark(found)
    if mark.until is None or now.until is not None:
        return now
    behind = api.count(EventQuery(Days(mark.until + _DAY, None)))
    if behind.restriction is None and behind.is_empty:
        return replace(now, until=mark.until)
    return replace(now, until=_mark(behind).until)


def _mark(found: Total) -> Mark:
    if found.restriction is None:
        return Mark.of(found.server_time, None)
    if found.restriction.until is None:
        raise PermanentTaskError(
            "ACLED keeps the newest events from the account, and does not say up to which day it "
            "may see them.",
            code="acled_bad_answer",
        )
    return Mark.of(found.server_time, found.restriction.until)


def _facts(found: Total, **facts: Any) -> JsonObject:
    """What is kept and shown of an offer."""
    shown = {name: value for name, value in facts.items() if value is not None}
    if found.restriction is not None:
        shown["restricted"] = str(found.restriction)
    return shown


def _empty(query: EventQuery, restriction: Restriction | None) -> PermanentTaskError:
    days = query.days or Days(None, None)
    why = "" if restriction is None else f" Its account may see {restriction}."
    return PermanentTaskError(f"ACLED has no events {_named(days)}.{why}", code="source_empty")


def _named(days: Days) -> str:
    if days.first is not None and days.last is not None:
        return f"from {days.first} to {days.last}"
    if days.first is not None:
        return f"from {days.first} on"
    return "at all" if days.last is None else f"up to {days.last}"


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _text(moment: datetime) -> str:
    return moment.isoformat()
