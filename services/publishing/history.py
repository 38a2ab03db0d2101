"""Which earlier versions can be brought back, and on which way. No I/O.

Versions are joined by two kinds of steps: a version that changed its predecessor in place can
be undone, which gives the predecessor; and a rollback has the rows of the version that it
restored. A way begins at a whole table, the current one or one that is kept, and follows such
steps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Step(Protocol):
    """What is known of a version: see app.published_versions."""

    @property
    def version(self) -> int: ...
    @property
    def kept_as(self) -> str | None: ...
    @property
    def undo_as(self) -> str | None: ...
    @property
    def restores(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Way:
    """Take the table of version `base`, and apply these relations one after the other."""

    base: int
    undos: tuple[str, ...]


def way_back(versions: Sequence[Step], current: int, to: int) -> Way | None:
    """The best way to the rows of version `to`; None where there is none any more.

    The current table comes first, since what is changed in place is little; then a table that
    is kept as it was; then the one that takes the fewest steps.
    """
    by_number = {version.version: version for version in versions}
    bases = [current, *(v.version for v in versions if v.kept_as and v.version != current)]
    ways = [way for base in bases if (way := _walk(by_number, base, to)) is not None]
    if not ways:
        return None
    return min(ways, key=lambda way: (way.base != current, len(way.undos), -way.base))


def restorable(versions: Sequence[Step], current: int) -> set[int]:
    """The versions other than the current one's own rows that can be brought back."""
    numbers = {version.version for version in versions}
    same = origin(versions, current)
    return {
        number
        for number in numbers
        if origin(versions, number) != same and way_back(versions, current, number) is not None
    }


def origin(versions: Sequence[Step], version: int) -> int:
    """The version that first had these rows: a rollback has those of an earlier one."""
    by_number = {step.version: step for step in versions}
    while version in by_number and (restored := by_number[version].restores) is not None:
        version = restored
    return version


def _walk(versions: Mapping[int, Step], base: int, to: int) -> Way | None:
    """Breadth first; a step between equal versions applies nothing."""
    ways: dict[int, tuple[str, ...]] = {base: ()}
    waiting = deque([base])
    while waiting:
        here = waiting.popleft()
        if here == to:
            return Way(base, ways[here])
        for there, undo in _steps(versions, here):
            if there in versions and there not in ways:
                ways[there] = ways[here] + ((undo,) if undo else ())
                # What costs nothing is looked at first, so that the way found has few undos.
                (waiting.append if undo else waiting.appendleft)(there)
    return None


def _steps(versions: Mapping[int, Step], number: int) -> Iterator[tuple[int, str | None]]:
    version = versions[number]
    if version.restores is not None:
        yield version.restores, None
    for other in versions.values():
        if other.restores == number:
            yield other.version, None
    if version.undo_as is not None:
        yield number - 1, version.undo_as
