"""WKT that GEOS refuses, as raw coordinates."""

from __future__ import annotations

import re
from typing import Any, Final

from services.vector.geometry.building import RawGeometry

_TOKEN: Final = re.compile(r"[(),]|[^\s(),]+")
_TYPE_NAMES: Final = {
    name.upper(): name
    for name in (
        "Point",
        "LineString",
        "Polygon",
        "MultiPoint",
        "MultiLineString",
        "MultiPolygon",
        "GeometryCollection",
    )
}
_MAX_NESTING: Final = 64


class BrokenWkt(Exception):
    """The text is no WKT at all; the message says where."""


def parse(text: str) -> RawGeometry:
    """The geometry with whatever is in it. Numbers that are none stay texts.

    Raises `BrokenWkt` where types or parentheses are wrong.
    """
    reading = _Reading(_TOKEN.findall(text))
    geometry = reading.geometry(0)
    if reading.left:
        raise BrokenWkt(f"{reading.left[0]!r} follows the end of the geometry")
    return geometry


class _Reading:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._measured = False

    @property
    def left(self) -> list[str]:
        return self._tokens[self._at :]

    def geometry(self, nesting: int) -> RawGeometry:
        if nesting > _MAX_NESTING:
            raise BrokenWkt("collections are nested too deeply")
        word = self._next().upper()
        name = word
        for suffix in ("ZM", "Z", "M"):
            if word not in _TYPE_NAMES and word.endswith(suffix):
                name = word.removesuffix(suffix)
                self._measured = "M" in suffix and suffix != "ZM"
                break
        kind = _TYPE_NAMES.get(name)
        if kind is None:
            raise BrokenWkt(f"{word[:40]!r} is no type of geometry")
        if self._peek().upper() in ("Z", "M", "ZM"):
            self._measured = self._next().upper() == "M"
        if self._peek().upper() == "EMPTY":
            self._at += 1
            empty: list[Any] = []
            return {
                "type": kind,
                "geometries" if kind == "GeometryCollection" else "coordinates": empty,
            }
        if kind == "GeometryCollection":
            return {"type": kind, "geometries": self._members(nesting)}
        return {"type": kind, "coordinates": self._coordinates(kind)}

    def _members(self, nesting: int) -> list[RawGeometry]:
        self._expect("(")
        members = [self.geometry(nesting + 1)]
        while self._peek() == ",":
            self._at += 1
            members.append(self.geometry(nesting + 1))
        self._expect(")")
        return members

    def _coordinates(self, kind: str) -> Any:
        values = self._list(0)
        if kind == "Point":
            return values[0] if len(values) == 1 else values
        if kind == "MultiPoint":  # ((1 2), (3 4)) as well as (1 2, 3 4)
            return [
                value[0] if len(value) == 1 and isinstance(value[0], list) else value
                for value in values
            ]
        return values

    def _list(self, nesting: int) -> list[Any]:
        if nesting > _MAX_NESTING:
            raise BrokenWkt("parentheses are nested too deeply")
        self._expect("(")
        values: list[Any] = []
        while True:
            if self._peek() == "(":
                values.append(self._list(nesting + 1))
            elif self._peek().upper() == "EMPTY":
                self._at += 1
                values.append([])
            else:
                values.append(self._position())
            token = self._next()
            if token == ")":
                return values
            if token != ",":
                raise BrokenWkt(f"{token[:40]!r} stands where a comma belongs")

    def _position(self) -> list[Any]:
        numbers: list[Any] = []
        while self._peek() not in ("(", ")", ",", ""):
            numbers.append(_number(self._next()))
        return numbers[:2] if self._measured else numbers

    def _expect(self, token: str) -> None:
        found = self._next()
        if found != token:
            raise BrokenWkt(f"{found[:40]!r} stands where {token!r} belongs")

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise BrokenWkt("the text ends within the geometry")
        self._at += 1
        return self._tokens[self._at - 1]


def _number(token: str) -> float | str:
    try:
        return float(token)
    except ValueError:
        return token
