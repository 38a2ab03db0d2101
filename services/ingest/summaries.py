"""Summaries of a collection: which values the properties of its items take.

https://github.com/radiantearth/stac-spec/blob/v1.0.0/collection-spec/collection-spec.md#summaries
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

JsonObject = dict[str, Any]

# More different texts than this tell nobody anything.
MAX_VALUES = 50
# What every item has of its own, and what the extent says already.
_NOT_SUMMARISED = frozenset(
    {"datetime", "start_datetime", "end_datetime", "created", "updated", "title", "description",
     "providers", "license", "proj:transform", "proj:bbox", "proj:geometry", "proj:centroid",
     "proj:shape", "proj:wkt2", "proj:projjson"}
)  # fmt: skip
# Numbers that name something: listed, never given as a range.
_CODES = frozenset({"proj:epsg", "gsd", "sat:relative_orbit"})


class _Values:
    """The values of one property."""

    def __init__(self) -> None:
        self.listed: set[Any] = set()
        self.too_many = False
        self.minimum: float | None = None
        self.maximum: float | None = None
        self.only_numbers = True

    def add(self, value: Any) -> None:
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, bool) or not isinstance(each, (int, float)):
                self.only_numbers = False
            else:
                self.minimum = each if self.minimum is None else min(self.minimum, each)
                self.maximum = each if self.maximum is None else max(self.maximum, each)
            if not isinstance(each, (str, int, float)):
                self.too_many = True  # Objects are not listed.
            elif not self.too_many:
                self.listed.add(each)
                self.too_many = len(self.listed) > MAX_VALUES

    def summary(self, *, is_code: bool) -> Any:
        """A list of the values, a range of numbers, or None for neither."""
        if self.only_numbers and not (is_code and not self.too_many):
            return {"minimum": self.minimum, "maximum": self.maximum}
        if self.too_many:
            return None
        return sorted(self.listed, key=lambda value: (str(type(value)), value))


class Summaries:
    """Grows with each item."""

    def __init__(self) -> None:
        self._values: dict[str, _Values] = {}

    def add_item(self, item: Mapping[str, Any]) -> None:
        """Take in the properties of a valid Item."""
        for name, value in item["properties"].items():
            if name in _NOT_SUMMARISED or value is None or isinstance(value, dict) or value == []:
                continue
            self._values.setdefault(name, _Values()).add(value)

    def as_stac(self, declared: Mapping[str, Any] | None) -> JsonObject:
        """The summaries object. What was declared of properties that no item has stays; so
        does what was declared of one whose values are too many to list.
        """
        computed = {
            name: summary
            for name, values in self._values.items()
            if (summary := values.summary(is_code=name in _CODES)) is not None
        }
        return dict(sorted({**(declared or {}), **computed}.items()))


def union(first: Mapping[str, Any], second: Mapping[str, Any]) -> JsonObject:
    """The summaries of two sets of items together; where forms differ, the second's."""
    merged = {**first, **second}
    for name in first.keys() & second.keys():
        a, b = first[name], second[name]
        if isinstance(a, list) and isinstance(b, list):
            merged[name] = _listed([*a, *b])
        elif _is_range(a) and _is_range(b):
            merged[name] = {
                "minimum": min(a["minimum"], b["minimum"]),
                "maximum": max(a["maximum"], b["maximum"]),
            }
    return dict(sorted(merged.items()))


def _is_range(summary: Any) -> bool:
    return isinstance(summary, dict) and all(
        isinstance(summary.get(end), (int, float)) for end in ("minimum", "maximum")
    )


def _listed(values: Iterable[Any]) -> list[Any]:
    """Each value once; in order where they have one."""
    unique: list[Any] = []
    for value in values:
        if value not in unique:
            unique.append(value)
    return sorted(unique, key=lambda value: (str(type(value)), str(value)))
