"""What makes a geometry invalid, and where, in the words of the report."""

from __future__ import annotations

import re
from dataclasses import dataclass

import shapely

from services.vector.batch import Geometries
from services.vector.model import RepairKind

# GEOS's TopologyValidationError: a sentence, then the place in brackets.
_REASON = re.compile(r"^(?P<text>[^\[]*?)\s*(?:\[(?P<x>\S+)\s+(?P<y>\S+)[^\]]*\])?$")
_KINDS = {
    "self-intersection": RepairKind.SELF_INTERSECTION,
    "ring self-intersection": RepairKind.SELF_INTERSECTION,
    "interior is disconnected": RepairKind.SELF_INTERSECTION,
    "nested shells": RepairKind.NESTED_SHELLS,
    "holes are nested": RepairKind.NESTED_HOLES,
    "hole lies outside shell": RepairKind.HOLE_OUTSIDE_SHELL,
    "duplicate rings": RepairKind.REPEATED_PART,
    "too few points in geometry component": RepairKind.ZERO_AREA_PART,
}


@dataclass(frozen=True, slots=True)
class Invalidity:
    """The first thing that GEOS finds wrong: its kind, GEOS's words, and x, y of the place."""

    kind: RepairKind
    text: str
    at: tuple[float, float] | None


def describe(geometry: shapely.Geometry) -> Invalidity:
    """Why a geometry is invalid. Raises ValueError for one that is valid."""
    return _read(shapely.is_valid_reason(geometry))


def describe_all(geometry: Geometries) -> list[Invalidity]:
    """As `describe`, for an array of invalid geometries."""
    return [_read(reason) for reason in shapely.is_valid_reason(geometry)]


def _read(reason: str) -> Invalidity:
    if reason == "Valid Geometry":
        raise ValueError("The geometry is valid.")
    match = _REASON.match(reason)
    text = match["text"] if match else reason
    at = None
    if match and match["x"] is not None:
        at = (float(match["x"]), float(match["y"]))
    return Invalidity(_KINDS.get(text.lower(), RepairKind.SELF_INTERSECTION), text, at)
