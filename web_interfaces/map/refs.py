"""How the address of the map names its layers: ?layers=KIND:NAME[:PART],...

    vector:COLLECTION[:STYLE]   a published table, by the id of its collection
    items:COLLECTION            the outlines of a STAC collection's items
    raster:COLLECTION:ITEM      the raster of an item
    cells:DATASET[:STATISTIC]   a dataset of H3 statistics

The layers are drawn in this order, each above the one before. What stands between the colons is
percent-encoded, so that a name may hold a colon or a comma.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import quote, unquote

# More than these nobody tells apart, and each is asked for at every view.
MOST: Final = 8


class Kind(StrEnum):
    """What a layer draws."""

    VECTOR = "vector"
    ITEMS = "items"
    RASTER = "raster"
    CELLS = "cells"


@dataclass(frozen=True, slots=True)
class Ref:
    """A layer by its name. `part` is the style, the item or the statistic; None for the usual."""

    kind: Kind
    name: str
    part: str | None = None

    def __str__(self) -> str:
        parts = [self.kind.value, self.name, *([] if self.part is None else [self.part])]
        return ":".join(quote(part, safe="") for part in parts)

    def draws_as(self, other: Ref) -> bool:
        """Whether both are one layer, if in two styles: each is on the map once only."""
        if self.kind is Kind.RASTER:
            return self == other
        return (self.kind, self.name) == (other.kind, other.name)


def parse(text: str) -> tuple[list[Ref], list[str]]:
    """The layers that an address names, each once, at most `MOST`; and what of it names none."""
    refs: list[Ref] = []
    unknown: list[str] = []
    for each in filter(None, text.split(",")):
        ref = _ref(each)
        if ref is None or "\x00" in f"{ref.name}{ref.part}":
            unknown.append(each)
        elif not any(ref.draws_as(known) for known in refs):
            refs.append(ref)
    return refs[:MOST], unknown


def joined(refs: Iterable[Ref]) -> str | None:
    """The value of ?layers=; None where there are none."""
    return ",".join(map(str, refs)) or None


def toggled(refs: Sequence[Ref], ref: Ref) -> list[Ref]:
    """The layers without this one if it is among them, else with it on top."""
    others = [each for each in refs if not each.draws_as(ref)]
    return others if len(others) < len(refs) else [*refs, ref]


def raised(refs: Sequence[Ref], ref: Ref) -> list[Ref]:
    """The layers with this one on top."""
    return [*(each for each in refs if each != ref), ref]


def exchanged(refs: Sequence[Ref], ref: Ref, other: Ref) -> list[Ref]:
    """The layers with another one in the place of this one."""
    return [other if each == ref else each for each in refs]


def _ref(text: str) -> Ref | None:
    kind, *names = (unquote(part) for part in text.split(":"))
    if kind not in set(Kind) or not 1 <= len(names) <= 2 or not all(names):
        return None
    ref = Ref(Kind(kind), *names)
    needs_part, may_have = ref.kind is Kind.RASTER, ref.kind is not Kind.ITEMS
    fits = ref.part is not None if needs_part else ref.part is None or may_have
    return ref if fits else None
