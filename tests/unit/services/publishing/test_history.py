"""Which versions can be brought back, and how."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from services.publishing.history import Way, origin, restorable, way_back


@dataclass(frozen=True)
class V:
    version: int
    kept_as: str | None = None
    undo_as: str | None = None
    restores: int | None = None


# 1 and 2 were replaced, 3 replaced 2, 4 and 5 changed 3 in place.
PLAIN = [V(1), V(2, kept_as="v2"), V(3), V(4, undo_as="u4"), V(5, undo_as="u5")]


@pytest.mark.parametrize(
    ("to", "way"),
    [
        (4, Way(5, ("u5",))),
        (3, Way(5, ("u5", "u4"))),
        (2, Way(2, ())),
        (1, None),
        (5, Way(5, ())),
        (9, None),
    ],
)
def test_ways_back(to: int, way: Way | None) -> None:
    assert way_back(PLAIN, 5, to) == way


def test_only_other_rows_can_be_restored() -> None:
    assert restorable(PLAIN, 5) == {2, 3, 4}
    rolled_back = [*PLAIN, V(6, undo_as="u6", restores=3)]
    assert restorable(rolled_back, 6) == {2, 4, 5}
    assert origin([*rolled_back, V(7, restores=6)], 7) == 3


def test_notes_of_an_earlier_version_fit_the_one_that_restored_it() -> None:
    """2 changed 1 in place, 3 replaced it, and 4 took the table of 2 back."""
    versions = [V(1), V(2, undo_as="u2"), V(3, kept_as="v3"), V(4, restores=2)]
    assert way_back(versions, 4, 1) == Way(4, ("u2",))
    assert way_back(versions, 4, 3) == Way(3, ())
    assert way_back(versions, 4, 2) == Way(4, ())


def test_a_kept_table_is_preferred_to_one_that_needs_notes() -> None:
    versions = [
        V(1, kept_as="v1"),
        V(2, kept_as="v2", undo_as="u2"),
        V(3),
    ]
    assert way_back(versions, 3, 1) == Way(1, ())
