"""The query string of a request for statistics, and what it asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping

import h3

from services.features import values
from services.h3.choosing import ALL
from services.h3.parameters import DATASET_ID, is_one_meridian
from services.h3.reading import Room, Wanted
from services.h3.rolling_up import FRACTION
from services.orchestration.paging import bad_query, row_key

_PLACES = ("bbox", "iso3", "cell")
_CELL = re.compile(r"[0-9a-f]{15,16}")
_ISO3 = re.compile(r"[A-Z]{3}")
_STATISTIC = re.compile(rf"{FRACTION}-?\d+|[a-z]+|p\d{{1,2}}(\.\d{{1,2}})?")


def wanted(query: Mapping[str, str], room: Room) -> Wanted:
    """What a query string asks for, of an answer with this room.

    Raises `InvalidParameters` naming the parameter that cannot be used.
    """
    _one_place(query)
    return Wanted(
        dataset_id=_dataset(query),
        room=room,
        limit=_integer(query, "limit", 1, room.most),
        resolution=_integer(query, "resolution", 0, 15),
        band=_integer(query, "band", 1, 65_535),
        statistics=_statistics(query),
        bbox=_bbox(query),
        iso3=_iso3(query),
        cell=_cell(query),
        after=None if "cursor" not in query else row_key(query["cursor"]),
    )


def _one_place(query: Mapping[str, str]) -> None:
    given = [name for name in _PLACES if name in query]
    if len(given) > 1:
        message = f"must be given alone, not with {' and '.join(given[:-1])}"
        raise bad_query(given[-1], message)


def _dataset(query: Mapping[str, str]) -> str:
    dataset_id = query.get("dataset", "")
    if not dataset_id:
        raise bad_query("dataset", "is missing; GET /api/h3/datasets lists what there is")
    if not re.fullmatch(DATASET_ID, dataset_id):
        raise bad_query("dataset", "is no name of a dataset")
    return dataset_id


def _integer(query: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        value = values.integer(text)
    except ValueError as error:
        raise bad_query(name, str(error)) from None
    if not low <= value <= high:
        raise bad_query(name, f"must be between {low} and {high:,}")
    return value


def _statistics(query: Mapping[str, str]) -> tuple[str, ...] | None:
    text = query.get("stat")
    if text is None:
        return None
    names = tuple(dict.fromkeys(each.strip() for each in text.split(",")))
    if names == (ALL,):
        return names
    odd = [name for name in names if not _STATISTIC.fullmatch(name) or name == ALL]
    if odd:
        raise bad_query(
            "stat", f"must be names with commas between them, or {ALL!r} alone, not {odd[0][:40]!r}"
        )
    return names


def _bbox(query: Mapping[str, str]) -> tuple[float, float, float, float] | None:
    text = query.get("bbox")
    if text is None:
        return None
    try:
        (west, south, east, north), heights = values.box(text)
    except ValueError as error:
        raise bad_query("bbox", str(error)) from None
    if heights is not None:
        raise bad_query("bbox", "must have four numbers: cells have no heights")
    if is_one_meridian(west, east) or south == north:
        raise bad_query("bbox", "must have an extent: a line holds the centre of no cell")
    return west, south, east, north


def _iso3(query: Mapping[str, str]) -> str | None:
    text = query.get("iso3")
    if text is not None and not _ISO3.fullmatch(text):
        raise bad_query("iso3", "must be three capital letters, such as RWA")
    return text


def _cell(query: Mapping[str, str]) -> int | None:
    text = query.get("cell")
    if text is None:
        return None
    # The library would also take texts that only begin as a number does.
    if not _CELL.fullmatch(text.lower()) or not h3.is_valid_cell(text):
        raise bad_query("cell", f"must be an H3 cell such as 8609a0017ffffff, not {text[:40]!r}")
    return int(h3.str_to_int(text))
