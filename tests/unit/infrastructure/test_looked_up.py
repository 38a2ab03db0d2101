"""A figure that takes long is never waited for, and never shown as newer than it is."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from core.errors import Unavailable
from infrastructure.looked_up import Finding, LookedUp
from tests.support.engine import eventually


class Source:
    """Something that is looked up: it answers when it is let, with what it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: Callable[[], int] = lambda: self.asked
        self.free = threading.Event()
        self.free.set()

    def look(self) -> int:
        self.asked += 1
        assert self.free.wait(60)
        return self.answer()


@pytest.fixture
def source() -> Source:
    return Source()


def settled(looked_up: LookedUp[int], *, value: int | None = None) -> Finding[int]:
    """What is known once a look has ended."""
    eventually("a look has ended", lambda: looked_up._running is None)
    with looked_up._guard:
        return Finding(looked_up._value if value is None else value, None, looked_up._problem)


def test_nothing_is_known_before_it_was_found_and_nobody_waits(source: Source) -> None:
    source.free.clear()
    looked_up = LookedUp(source.look, fresh_seconds=60)
    assert [looked_up.get() for _ in range(3)] == [Finding()] * 3
    source.free.set()
    settled(looked_up)
    # However often it is asked for, one look is enough.
    assert (looked_up.get().value, source.asked) == (1, 1)


def test_what_is_old_is_shown_with_its_age_while_it_is_looked_up_again(source: Source) -> None:
    looked_up = LookedUp(source.look, fresh_seconds=0)
    looked_up.get()
    settled(looked_up)
    source.free.clear()
    found = looked_up.get()
    assert found.value == 1
    assert found.age_seconds is not None
    assert found.age_seconds >= 0
    source.free.set()
    settled(looked_up)
    assert looked_up.get().value == 2


def test_a_failure_is_told_beside_what_was_known(source: Source) -> None:
    looked_up = LookedUp(source.look, fresh_seconds=0)
    looked_up.get()
    settled(looked_up)

    def fail() -> int:
        raise Unavailable("It does not answer.")

    source.answer = fail
    looked_up.get()
    assert settled(looked_up).problem == "It does not answer."
    found = looked_up.get()
    assert (found.value, found.problem) == (1, "It does not answer.")
    source.answer = lambda: 7
    settled(looked_up)
    looked_up.get()
    settled(looked_up)
    assert (looked_up._value, looked_up._problem) == (7, None)


def test_what_nobody_foresaw_is_logged_and_not_told(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> int:
        raise RuntimeError("a secret detail")

    source.answer = fail
    looked_up = LookedUp(source.look, fresh_seconds=60)
    looked_up.get()
    problem = settled(looked_up).problem
    assert problem is not None
    assert "secret" not in problem
    assert "a secret detail" in caplog.text


def test_what_is_too_old_is_not_shown(source: Source) -> None:
    looked_up = LookedUp(source.look, fresh_seconds=60, useless_seconds=0)
    looked_up.get()
    settled(looked_up)
    assert looked_up.get() == Finding()
