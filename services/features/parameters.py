"""The query parameters of /items: what they are for a table, and what they select."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import FieldError, InvalidParameters
from core.models.feature_table import Column, GeometryColumn
from infrastructure.features_repository import PublishedTable
from infrastructure.features_selection import WGS84, Area, Selection
from services.features import values
from services.features.reference_systems import CRS84, CRS84H, coordinates, offered
from services.features.stored_bounds import stored_bounds
from services.orchestration.paging import row_key

DEFAULT_LIMIT = 10
MAX_LIMIT = 10_000

RESERVED = ("bbox", "bbox-crs", "crs", "datetime", "limit", "cursor")
# The host's own: a function key and its name.
HOST_PARAMETERS = frozenset({"code", "clientId"})


class InvalidQuery(InvalidParameters):
    """A query parameter is unknown or has no usable value. OGC API asks for 400, not 422."""

    code = "invalid_query"
    status = 400


@dataclass(frozen=True, slots=True)
class ItemsRequest:
    """What a request for items asks for. `query` are its parameters, to be asked for again."""

    selection: Selection
    limit: int
    crs: str
    query: Mapping[str, str]


def queryables(table: PublishedTable) -> tuple[Column, ...]:
    """The columns that a request can name: those whose values can be written in a query.

    The names of the other parameters come first: a column `limit` cannot be asked for.
    """
    return tuple(
        column
        for column in table.shape.columns
        if column.type in values.QUERYABLE_TYPES and column.name not in RESERVED
    )


def nothing_else(query: Mapping[str, str]) -> None:
    """For resources without parameters: raise `InvalidQuery` for any that was given."""
    _refuse_unknown(query, ())


def items_request(query: Mapping[str, str], table: PublishedTable) -> ItemsRequest:
    """The request that a query string makes of a table, or `InvalidQuery`."""
    columns = {column.name: column for column in queryables(table)}
    known = (*RESERVED, *columns)
    _refuse_unknown(query, known)
    asked = {name: text for name, text in query.items() if name in known}
    equals = {
        name: _read(query, name, lambda text, kind=column.type: values.value(text, kind))
        for name, column in columns.items()
        if name in query
    }
    areas, heights = _place(query, table)
    selection = Selection(
        areas=areas,
        heights=heights,
        period=_read(query, "datetime", values.period),
        values=equals,
        after=_read(query, "cursor", row_key),
    )
    limit = _read(query, "limit", _limit)
    return ItemsRequest(
        selection,
        limit=DEFAULT_LIMIT if limit is None else limit,
        crs=_crs(query, "crs", table.shape.geometry),
        query=asked,
    )


def item_crs(query: Mapping[str, str], table: PublishedTable) -> str:
    """The CRS that a request for one feature asks for, its only parameter, or `InvalidQuery`."""
    _refuse_unknown(query, ("crs",))
    return _crs(query, "crs", table.shape.geometry)


def _place(
    query: Mapping[str, str], table: PublishedTable
) -> tuple[tuple[Area, ...], values.Heights | None]:
    geometry = table.shape.geometry
    crs = _crs(query, "bbox-crs", geometry)
    if geometry is not None and crs not in (CRS84, CRS84H):
        own = coordinates(crs, geometry)
        found = _read(
            query, "bbox", lambda text: values.projected_box(text, north_first=own.north_first)
        )
        return ((Area(found[0], geometry.srid),), found[1]) if found else ((), None)
    found = _read(query, "bbox", values.box)
    if found is None:
        return (), None
    box, heights = found
    if geometry is None or geometry.srid == WGS84:
        return tuple(Area(part) for part in values.parts(box)), heights
    return tuple(
        Area(part, stored=stored_bounds(part, geometry.srid, table.bbox))
        for part in values.parts(box)
    ), heights


def _crs(query: Mapping[str, str], name: str, geometry: GeometryColumn | None) -> str:
    """The CRS that a parameter names, or the default."""
    known = offered(geometry)
    # Flat and with heights, CRS84 has two names; a box in one of them is also one in the other.
    accepted = {*known, CRS84, CRS84H} if name == "bbox-crs" else {*known, CRS84}

    def parse(text: str) -> str:
        if text not in accepted:
            raise ValueError(f"must be one of {', '.join(known)}")
        return text

    found: str | None = _read(query, name, parse)
    return known[0] if found is None or found in (CRS84, CRS84H) else found


def _limit(text: str) -> int:
    """More than `MAX_LIMIT` is no error, but counts as that (/req/core/fc-limit-response)."""
    digits = text.lstrip("0")
    if not text.isascii() or not text.isdigit() or not digits:
        raise ValueError(f"must be a whole number from 1, not {text[:40]!r}")
    # The length first: Python refuses to read very long numbers.
    return MAX_LIMIT if len(digits) > 9 else min(int(digits), MAX_LIMIT)


def _read(query: Mapping[str, str], name: str, parse: Any) -> Any:
    """The parameter's value, or None where it was not given."""
    text = query.get(name)
    if text is None:
        return None
    try:
        if "\0" in text:
            raise ValueError("must not hold NUL characters")
        return parse(text)
    except ValueError as error:
        raise _invalid(f"The query parameter {name!r} {error}.", {name: str(error)}) from None
    except InvalidParameters as error:
        raise _invalid(error.message, {name: error.errors[0]["msg"]}) from None


def _refuse_unknown(query: Mapping[str, str], known: tuple[str, ...]) -> None:
    unknown = sorted(set(query) - set(known) - HOST_PARAMETERS)
    if unknown:
        expected = f"the known ones are {', '.join(known)}" if known else "there are none here"
        names = ", ".join(map(repr, unknown))
        raise _invalid(
            f"Unknown query parameter {names}: {expected}.",
            dict.fromkeys(unknown, "is not known here"),
        )


def _invalid(message: str, faults: Mapping[str, str]) -> InvalidQuery:
    errors: list[FieldError] = [
        {"loc": ["query", name], "msg": text} for name, text in faults.items()
    ]
    return InvalidQuery(message, errors)
