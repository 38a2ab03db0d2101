"""GeoJSON with one position left of each geometry: enough to know types and columns.

Coordinates are nearly all of a file. Parsing them takes ten times as long as finding out what
kind they are.
"""

from __future__ import annotations

import re
from typing import Any, Final

from services.vector.geometry.ragged import DEPTHS

_COORDINATES: Final = re.compile(rb'("coordinates"\s*:\s*)(\[[\[\]0-9\s,.eE+\-]*\])')
_BLANK: Final = b" \t\r\n"


def outline(text: bytes) -> bytes:
    """The JSON with its coordinates cut down to their first position, lists kept around it.

    Coordinates that hold anything but numbers, empty lists or tuples of different sizes are
    left whole.
    """
    return _COORDINATES.sub(_first_position, text)


def is_faithful(geometry: Any) -> bool:
    """Whether a geometry that was parsed from an outline is of its declared type. Where it is
    not, or a collection, only the whole text tells what can be made of it.
    """
    if geometry is None:
        return True
    if not isinstance(geometry, dict):
        return False
    depth = DEPTHS.get(geometry["type"]) if isinstance(geometry.get("type"), str) else None
    if depth is None:
        return False
    value = geometry.get("coordinates")
    for _ in range(depth):
        if not isinstance(value, list) or not value:
            return False
        value = value[0]
    return not isinstance(value, list)


def _first_position(match: re.Match[bytes]) -> bytes:
    coordinates = match[2].translate(None, _BLANK)
    depth = len(coordinates) - len(coordinates.lstrip(b"["))
    # Of lists that are nested evenly: each list but the innermost begins with another one,
    # and there is a comma between any two of the numbers that follow each other.
    positions = coordinates.count(b"[") - coordinates.count(b"[[")
    numbers = coordinates.count(b",") + 1
    if numbers not in (2 * positions, 3 * positions) or b"[]" in coordinates:
        return match[0]
    first = coordinates[depth : coordinates.index(b"]")]
    if first.count(b",") + 1 != numbers // positions:
        return match[0]
    return b"".join((match[1], b"[" * depth, first, b"]" * depth))
