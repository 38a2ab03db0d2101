"""Styles of things that fall into classes: one colour for each, and its line in the legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Class:
    """What has one of these values in the style's column: its label, its fill, its outline.

    `meaning` says in the legend what a label that is a mere code stands for.
    """

    label: str
    values: tuple[str, ...]
    fill: str
    outline: str
    meaning: str | None = None

    @property
    def legend_entry(self) -> dict[str, Any]:
        """Its line in the legend."""
        entry = {"label": self.label, "color": self.fill, "outline": self.outline, "kind": "fill"}
        return entry if self.meaning is None else {**entry, "description": self.meaning}


def by_class(value: list[Any], classes: Sequence[Class], other: Class, part: str) -> list[Any]:
    """A MapLibre expression: the colour of that part (fill, outline) by an expression's value."""
    cases: list[Any] = []
    for each in classes:
        cases += [list(each.values), getattr(each, part)]
    return ["match", value, *cases, getattr(other, part)]


def by_zoom(far: float, near: float) -> list[Any]:
    """A MapLibre expression: from one figure at zoom 2 to another one at zoom 12."""
    return ["interpolate", ["linear"], ["zoom"], 2, far, 12, near]
