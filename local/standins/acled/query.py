"""Which events a request asks for: FIELD and FIELD_where, limit, page, fields.

A condition is `fatalities=5&fatalities_where=>`. Several values are joined by `|`: any of them,
or with BETWEEN the first and the last. Without an operator, timestamps mean "from then on", texts
"contains", and all else "equal".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from local.standins.acled.codebook import FIELDS
from local.standins.acled.geography import COUNTRIES
from local.standins.acled.past import Deletions
from local.standins.acled.rows import EPOCH, Row, country_and_number, id_of
from local.standins.acled.table import Table
from local.standins.dice import Integers, Mask

MAX_ROWS = 5000
"""The most that a page has, and what it has where no limit is asked for."""

_OPERATORS = ("=", ">", "<", ">=", "<=", "BETWEEN", "LIKE")
_CONTROLS = {"_format", "limit", "page", "fields", "with_total", "key", "email"}
_NUMBERS = {
    *("year", "time_precision", "iso", "latitude", "longitude", "geo_precision", "fatalities"),
    *("timestamp", "deleted_timestamp", "region"),
}
_EXACT = {*_NUMBERS, "event_date", "country"}

Chosen = range | Integers
"""Positions in a table, in its order."""


class BadQuery(Exception):
    """A parameter that the API does not understand."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a field must be."""

    field: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """What a request asks for."""

    conditions: tuple[Condition, ...]
    limit: int = MAX_ROWS
    page: int = 1
    fields: tuple[str, ...] = ()
    with_total: bool = False


def parse(params: Mapping[str, str], known: tuple[str, ...] = FIELDS) -> Query:
    """Read the parameters of a request. Raises BadQuery also for those that nobody knows: a
    misspelt filter must not pass for none.
    """
    for name in params:
        if name not in _CONTROLS and name.removesuffix("_where") not in known:
            raise BadQuery(f"unknown parameter {name}")
    if params.get("_format", "json") != "json":
        raise BadQuery("this stand-in knows no format but json")
    fields = tuple(filter(None, params.get("fields", "").split("|")))
    if unknown := set(fields) - set(known):
        raise BadQuery(f"unknown fields {sorted(unknown)}")
    return Query(
        tuple(_condition(name, params) for name in known if name in params),
        limit=_natural(params, "limit") or MAX_ROWS,
        page=_natural(params, "page") or 1,
        fields=fields,
        with_total=params.get("with_total") == "true",
    )


def _natural(params: Mapping[str, str], name: str) -> int:
    text = params.get(name, "0")
    if not (text.isascii() and text.isdigit()):
        raise BadQuery(f"{name} is no number: {text!r}")
    return int(text)


def _condition(name: str, params: Mapping[str, str]) -> Condition:
    default = ">=" if "timestamp" in name else "=" if name in _EXACT else "LIKE"
    operator = params.get(f"{name}_where", default).upper()
    values = tuple(params[name].split("|"))
    if operator not in _OPERATORS:
        raise BadQuery(f"{name}_where is none of {', '.join(_OPERATORS)}: {operator!r}")
    if operator == "BETWEEN" and len(values) != 2:
        raise BadQuery(f"BETWEEN takes two values of {name}, not {len(values)}")
    for value in values:
        _check(name, value)
    return Condition(name, operator, values)


def _check(name: str, value: str) -> None:
    try:
        if name == "event_date":
            date.fromisoformat(value)
        elif name in _NUMBERS:
            float(value)
    except ValueError:
        raise BadQuery(f"{value!r} is no value of {name}") from None


def select(table: Table, conditions: tuple[Condition, ...]) -> Chosen:
    """The positions of the events that meet all conditions.

    Days, timestamps, countries and ids are compared as columns, whatever their number; for any
    other field the rows that are left are made and read.
    """
    window = range(len(table))
    rest = []
    for condition in conditions:
        days = _days(condition) if condition.field == "event_date" else None
        if days is None:
            rest.append(condition)
        else:
            found = table.between(*days)
            window = range(max(window.start, found.start), min(window.stop, found.stop))
    if not rest or not window:
        return window
    part = table[slice(window.start, window.stop)]
    chosen: Mask = np.ones(len(part), dtype=bool)
    for condition in rest:
        if condition.field in _COLUMNS:
            chosen &= _COLUMNS[condition.field](part, condition)
    positions: Integers = np.flatnonzero(chosen)
    slow = [condition for condition in rest if condition.field not in _COLUMNS]
    if slow:
        rows = part[positions].rows()
        met = [all(_meets(row, condition) for condition in slow) for row in rows]
        positions = positions[np.array(met, dtype=bool)]
    return positions + window.start


def deletions(listed: Deletions, conditions: tuple[Condition, ...]) -> Integers:
    """The positions of the deletions that meet all conditions, the latest first."""
    chosen: Mask = np.ones(len(listed), dtype=bool)
    for condition in conditions:
        if condition.field == "deleted_timestamp":
            chosen &= _compare(listed.timestamps, condition, float)
        else:
            chosen &= np.array(
                [_text(id_of(code), condition) for code in listed.codes.tolist()], dtype=bool
            )
    found = np.flatnonzero(chosen)
    return found[np.argsort(-listed.timestamps[found], kind="stable")]


def _meets(row: Row, condition: Condition) -> bool:
    value = row[condition.field]
    if condition.field in _NUMBERS:
        return value not in (None, "") and bool(_compare(float(value), condition, float))
    return _text("" if value is None else str(value), condition)


def _days(condition: Condition) -> tuple[int, int] | None:
    """First and last day that a condition on the event's date spans; None for days one by one."""
    days = [(date.fromisoformat(value) - EPOCH).days for value in condition.values]
    match condition.operator:
        case "=" | "LIKE":
            return (days[0], days[0]) if len(days) == 1 else None
        case "BETWEEN":
            return days[0], days[1]
        case ">":
            return days[0] + 1, _FOREVER
        case ">=":
            return days[0], _FOREVER
        case "<":
            return -_FOREVER, days[0] - 1
        case _:
            return -_FOREVER, days[0]


_FOREVER = 1 << 18


def _compare(actual: Any, condition: Condition, read: Callable[[str], Any]) -> Any:
    """Compare a value, or a column of them."""
    values = [read(value) for value in condition.values]
    match condition.operator:
        case ">":
            return actual > values[0]
        case "<":
            return actual < values[0]
        case ">=":
            return actual >= values[0]
        case "<=":
            return actual <= values[0]
        case "BETWEEN":
            return (actual >= values[0]) & (actual <= values[1])
        case _:
            return np.isin(actual, values)


def _text(actual: str, condition: Condition) -> bool:
    lowered, values = actual.lower(), [value.lower() for value in condition.values]
    match condition.operator:
        case "LIKE":
            return any(value.strip("%") in lowered for value in values)
        case "=":
            return lowered in values
        case _:
            return bool(_compare(lowered, condition, str.lower))


def _of_countries(test: Callable[[int], bool], table: Table) -> Mask:
    wanted = np.array([test(country) for country in range(len(COUNTRIES))])
    mask: Mask = wanted[country_and_number(table.codes)[0]]
    return mask


def _ids(table: Table, condition: Condition) -> Mask:
    return np.array([_text(id_of(code), condition) for code in table.codes.tolist()], dtype=bool)


_COLUMNS: dict[str, Callable[[Table, Condition], npt.NDArray[np.bool_]]] = {
    "timestamp": lambda table, condition: _compare(table.timestamps, condition, float),
    "event_date": lambda table, condition: np.isin(
        table.days, [(date.fromisoformat(value) - EPOCH).days for value in condition.values]
    ),
    "year": lambda table, condition: _compare(
        table.days.astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970,
        condition,
        float,
    ),
    "event_id_cnty": _ids,
    "country": lambda table, condition: _of_countries(
        lambda index: _text(COUNTRIES[index].name, condition), table
    ),
    "iso": lambda table, condition: _of_countries(
        lambda index: bool(_compare(COUNTRIES[index].iso, condition, float)), table
    ),
    "region": lambda table, condition: _of_countries(
        lambda index: bool(_compare(COUNTRIES[index].region, condition, float)), table
    ),
}
