"""Releases follow one another by known changes."""

from __future__ import annotations

import numpy as np
import pytest

from local.standins.register import Change, Month, Register, compare

REGISTER = Register(seed=3, count=1_000, change=Change(added=20, edited=30, deleted=10))


def test_the_first_release_has_what_is_asked_for() -> None:
    state = REGISTER.state(1)
    assert state.numbers.tolist() == list(range(1, 1_001))
    assert not state.revisions.any()


def test_each_release_differs_from_the_one_before_by_so_much() -> None:
    for release in (2, 3, 4):
        before = revisions(release - 1)
        after = revisions(release)
        truth = compare(before, after, unloadable=0)
        found = len(truth.added), len(truth.updated), len(truth.deleted)
        assert found == (20, 30, 10)
        assert truth.loaded == len(after) == len(before) + 10


def test_what_is_deleted_does_not_come_back() -> None:
    gone: set[str] = set()
    for release in range(2, 8):
        gone |= revisions(release - 1).keys() - revisions(release).keys()
        assert not gone & revisions(release).keys()


def test_a_release_does_not_depend_on_those_that_were_asked_for_before() -> None:
    fresh = Register(seed=3, count=1_000, change=REGISTER.change)
    state = fresh.state(5)
    assert np.array_equal(state.numbers, REGISTER.state(5).numbers)
    assert np.array_equal(state.revisions, REGISTER.state(5).revisions)


def test_parts_and_slices_are_the_whole() -> None:
    state = REGISTER.state(2)
    for pieces in ([state.part(index, 3) for index in range(3)], state.slices(300)):
        assert np.concatenate([piece.numbers for piece in pieces]).tolist() == (
            state.numbers.tolist()
        )
    empty = Register(seed=3, count=0, change=Change.of(0)).state(2)
    assert [len(piece) for piece in empty.slices(300)] == [0]


def test_releases_count_from_one() -> None:
    with pytest.raises(ValueError, match="no release 0"):
        REGISTER.state(0)


def test_other_columns_change_every_record_that_stays() -> None:
    truth = compare({"a": 0, "b": 0}, {"b": 0, "c": 0}, unloadable=4, all_new=True)
    assert truth.updated == {"b"}
    assert truth.unchanged == frozenset()
    assert truth.unloadable == 4


def test_without_a_release_before_all_is_added() -> None:
    assert compare(None, {"a": 0}, unloadable=0).added == {"a"}


def test_months_are_read_counted_and_written() -> None:
    assert str(Month.parse("November 2023").later(2)) == "January 2024"
    assert str(Month.parse("May 2023").later(0)) == "May 2023"
    assert Month.parse("September 2025").short == "Sep2025"
    with pytest.raises(ValueError, match="no month"):
        Month.parse("2023-05")


def revisions(release: int) -> dict[str, int]:
    state = REGISTER.state(release)
    numbers = map(str, state.numbers.tolist())
    return dict(zip(numbers, state.revisions.tolist(), strict=True))
