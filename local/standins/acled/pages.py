"""Pages of events and of deletions, in the envelope of the API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from local.standins.acled import query
from local.standins.acled.faults import Spoiled
from local.standins.acled.query import Condition, Query
from local.standins.acled.rows import id_of

if TYPE_CHECKING:
    from local.standins.acled.server import Acled

_DELETED_FIELDS = ("event_id_cnty", "deleted_timestamp")


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it is sent: `body` is the whole envelope, `rows` how many rows are in it."""

    body: bytes
    rows: int


def events_page(acled: Acled, params: Mapping[str, str], spoiled: Spoiled) -> Page:
    """Events, the latest first, those of a day by id. Raises BadQuery."""
    asked = query.parse(params)
    if acled.before_page is not None:
        acled.before_page(asked)
    embargo = _embargo(acled)
    hidden = () if embargo is None else (Condition("event_date", "<=", (embargo["date"],)),)
    table, found = acled.events.chosen((*asked.conditions, *hidden))
    part = found[_span(asked, spoiled, acled.page_rows, len(found))]
    chosen = table[slice(part.start, part.stop) if isinstance(part, range) else part]
    rows = _only(chosen.json(), asked.fields)
    restrictions = {} if embargo is None else {"date_recency": embargo}
    return _page(rows, _total(acled, asked, spoiled, len(found)), restrictions)


def deleted_page(acled: Acled, params: Mapping[str, str], spoiled: Spoiled) -> Page:
    """Deletions, the latest first. Raises BadQuery."""
    asked = query.parse(params, _DELETED_FIELDS)
    listed = acled.events.deletions()
    found = query.deletions(listed, asked.conditions)
    chosen = found[_span(asked, spoiled, acled.page_rows, len(found))]
    rows = [
        f'{{"event_id_cnty":"{id_of(code)}","deleted_timestamp":"{timestamp}"}}'
        for code, timestamp in zip(
            listed.codes[chosen].tolist(), listed.timestamps[chosen].tolist(), strict=True
        )
    ]
    return _page(_only(rows, asked.fields), _total(acled, asked, spoiled, len(found)), {})


def _span(asked: Query, spoiled: Spoiled, page_rows: int, total: int) -> slice:
    """Where a page begins and ends among so many rows."""
    limit = min(asked.limit, page_rows)
    start, stop = ((asked.page - 1) * limit, asked.page * limit)
    start = min(max(start - spoiled.repeated, 0), total)
    stop = min(max(stop - spoiled.repeated, 0), total) - spoiled.missing
    return slice(start, max(start, stop))


def _total(acled: Acled, asked: Query, spoiled: Spoiled, total: int) -> int | None:
    return total if asked.with_total and acled.counts and not spoiled.without_total else None


def _embargo(acled: Acled) -> dict[str, Any] | None:
    """What the account is told of its embargo: the newest day that it sees."""
    newest = acled.access.sees_until()
    if newest is None:
        return None
    months = acled.access.account.embargo_months
    return {"quantity": months, "unit": "Months", "date": newest.isoformat()}


def _only(rows: list[str], fields: tuple[str, ...]) -> list[str]:
    """Rows with some of their fields; none asked for are all."""
    if not fields:
        return rows
    read = orjson.loads(f"[{','.join(rows)}]")
    return [orjson.dumps({name: row[name] for name in fields}).decode() for row in read]


def _page(rows: list[str], total: int | None, restrictions: Mapping[str, Any]) -> Page:
    """The envelope. Since 2025 `count` and `total_count` are only there where with_total asks."""
    counts = {} if total is None else {"count": len(rows), "total_count": total}
    head = json.dumps({"status": 200, "success": True, "last_update": None, **counts})
    said: dict[str, Any] = {"messages": [], "filename": None}
    if restrictions:
        said["data_query_restrictions"] = restrictions
    tail = json.dumps(said)
    return Page(f'{head[:-1]}, "data": [{",".join(rows)}], {tail[1:]}'.encode(), len(rows))
