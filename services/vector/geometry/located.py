"""Geometries from the columns of a table that say where its records are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from services.vector.batch import Fault, Geometries
from services.vector.formats import broken_wkb, wkt
from services.vector.geometry.building import RawGeometry, build_many
from services.vector.inference.coordinates import numbers_of
from services.vector.inference.locations import Form, Location
from services.vector.inference.text_forms import NULL_MARKERS, trimmed
from services.vector.model import Reason, RepairKind

_PAIR: Final = r"^[(\[]?\s*(?P<first>[^,;\s]+)\s*[,;\s]\s*(?P<second>[^,;\s]+?)\s*[)\]]?$"
_SRID: Final = re.compile(r"^SRID=(\d+);", re.IGNORECASE)
_EMPTY_MARKERS: Final = pa.array(sorted(NULL_MARKERS | {""}))


@dataclass(slots=True)
class Placed:
    """Geometries by position, None where there is none or a fault; `srids` are those that
    WKT and WKB name.
    """

    geometry: Geometries
    faults: dict[int, Fault] = field(default_factory=dict)
    mended: dict[int, list[RepairKind]] = field(default_factory=dict)
    srids: set[int] = field(default_factory=set)


def place(
    columns: Mapping[str, pa.Array[Any]], location: Location, *, decimal_comma: bool = False
) -> Placed:
    """The places of records, from columns of texts. A blank one is no fault."""
    texts = [trimmed(columns[name]) for name in location.columns]
    match location.form:
        case Form.XY:
            return _points(texts[0], texts[1], location.columns, decimal_comma)
        case Form.PAIR:
            return _pairs(texts[0], location.columns[0])
        case Form.WKT:
            return _from_wkt(texts[0])
        case Form.WKB:
            return _from_wkb(texts[0])
        case Form.GEOJSON:
            return _from_geojson(texts[0])


def _points(
    x_texts: pa.Array[Any],
    y_texts: pa.Array[Any],
    names: tuple[str, ...],
    decimal_comma: bool,
) -> Placed:
    x = numbers_of(x_texts, decimal_comma=decimal_comma)
    y = numbers_of(y_texts, decimal_comma=decimal_comma)
    good = np.isfinite(x) & np.isfinite(y)
    placed = Placed(np.full(len(x), None, dtype=object))
    placed.geometry[good] = shapely.points(x[good], y[good])
    without = _blank(x_texts) & _blank(y_texts)
    for position in np.flatnonzero(~good & ~without).tolist():
        said = " and ".join(
            f"{name!r} is {_shown(texts[position].as_py())}"
            for name, texts, numbers in zip(names, (x_texts, y_texts), (x, y), strict=True)
            if not np.isfinite(numbers[position])
        )
        placed.faults[position] = Fault(Reason.BAD_COORDINATE, f"{said}: no coordinate")
    return placed


def _pairs(texts: pa.Array[Any], name: str) -> Placed:
    """Latitude first, as people and maps write them."""
    fields = pc.extract_regex(texts, pattern=_PAIR)
    y, x = (pc.fill_null(pc.struct_field(fields, part), "") for part in ("first", "second"))
    numbers = numbers_of(x), numbers_of(y)
    good = np.isfinite(numbers[0]) & np.isfinite(numbers[1])
    placed = Placed(np.full(len(texts), None, dtype=object))
    placed.geometry[good] = shapely.points(numbers[0][good], numbers[1][good])
    for position in np.flatnonzero(~good & ~_blank(texts)).tolist():
        said = f"{name!r} is {_shown(texts[position].as_py())}: no pair of coordinates"
        placed.faults[position] = Fault(Reason.BAD_COORDINATE, said)
    return placed


def _from_wkt(texts: pa.Array[Any]) -> Placed:
    values = texts.to_pylist()
    srids: set[int] = set()
    for position, value in enumerate(values):
        if value and value[0] in "Ss" and (match := _SRID.match(value)):
            srids.add(int(match[1]))
            values[position] = value[match.end() :]
    blank = _blank(texts)
    wanted = [None if none else value for value, none in zip(values, blank.tolist(), strict=True)]
    placed = Placed(shapely.from_wkt(wanted, on_invalid="ignore"), srids=srids)
    raws: dict[int, RawGeometry] = {}
    for position in np.flatnonzero(shapely.is_missing(placed.geometry) & ~blank).tolist():
        try:
            raws[position] = wkt.parse(values[position])
        except wkt.BrokenWkt as broken:
            said = f"it is no WKT: {broken}"
            placed.faults[position] = Fault(Reason.UNREADABLE_GEOMETRY, said)
    _build(raws, placed)
    _drop_empty(placed)
    return placed


def _from_wkb(texts: pa.Array[Any]) -> Placed:
    values = pc.replace_substring_regex(texts, r"^(?:\\x|0x)", "").to_pylist()
    blank = _blank(texts)
    wanted = [None if none else value for value, none in zip(values, blank.tolist(), strict=True)]
    placed = Placed(shapely.from_wkb(wanted, on_invalid="ignore"))
    read = ~shapely.is_missing(placed.geometry)
    raws: dict[int, RawGeometry] = {}
    for position in np.flatnonzero(~read & ~blank).tolist():
        try:
            parsed = broken_wkb.parse(bytes.fromhex(values[position]))
        except broken_wkb.BrokenWkb as broken:
            placed.faults[position] = broken.fault
        except ValueError:
            said = f"{_shown(values[position])} is not written in hexadecimal digits"
            placed.faults[position] = Fault(Reason.UNREADABLE_GEOMETRY, said)
        else:
            raws[position] = parsed.raw
            if parsed.mended:
                placed.mended[position] = parsed.mended
    _build(raws, placed)
    placed.srids = set(np.unique(shapely.get_srid(placed.geometry[read])).tolist()) - {0}
    _drop_empty(placed)
    return placed


def _from_geojson(texts: pa.Array[Any]) -> Placed:
    placed = Placed(np.full(len(texts), None, dtype=object))
    raws: dict[int, RawGeometry] = {}
    blank = _blank(texts)
    for position, text in enumerate(texts.to_pylist()):
        if blank[position]:
            continue
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            said = f"it is no JSON: {error}"
            placed.faults[position] = Fault(Reason.UNREADABLE_GEOMETRY, said)
            continue
        if isinstance(value, dict) and value.get("type") == "Feature":
            value = value.get("geometry")
        if value is not None:
            raws[position] = value
    _build(raws, placed)
    return placed


def _build(raws: dict[int, RawGeometry], placed: Placed) -> None:
    """Build from raw coordinates, into their places."""
    positions = list(raws)
    built = build_many(list(raws.values()))
    placed.geometry[positions] = built.geometry
    placed.faults |= {positions[at]: fault for at, fault in built.faults.items()}
    for at, kinds in built.mended.items():
        placed.mended.setdefault(positions[at], []).extend(kinds)


def _drop_empty(placed: Placed) -> None:
    """An empty geometry is none; one with a coordinate that is not finite is a fault."""
    placed.geometry[shapely.is_empty(placed.geometry)] = None
    bounds = shapely.bounds(placed.geometry)
    present = ~shapely.is_missing(placed.geometry)
    for position in np.flatnonzero(present & ~np.isfinite(bounds).all(axis=1)).tolist():
        placed.geometry[position] = None
        said = "a coordinate is not finite"
        placed.faults[position] = Fault(Reason.BAD_COORDINATE, said)


def _blank(texts: pa.Array[Any]) -> npt.NDArray[np.bool_]:
    """Texts that are empty or stand for a missing value."""
    short = pc.less(pc.binary_length(texts), 20)
    lower = pc.utf8_lower(pc.if_else(short, texts, "x"))
    return np.asarray(pc.is_in(lower, value_set=_EMPTY_MARKERS), dtype=bool)


def _shown(text: str) -> str:
    return "empty" if not text else repr(text if len(text) <= 40 else text[:40] + "...")
