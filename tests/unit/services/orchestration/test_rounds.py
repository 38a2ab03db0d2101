"""A round goes on behind a task that fails, and does not keep that to itself."""

from __future__ import annotations

import pytest

from services.orchestration.rounds import do_all


def test_what_fails_keeps_nothing_else_from_being_done() -> None:
    done = []

    def break_down() -> None:
        raise RuntimeError("no space is left")

    with pytest.raises(ExceptionGroup) as failed:
        do_all([lambda: done.append("metrics"), break_down, lambda: done.append("overviews")])
    assert done == ["metrics", "overviews"]
    (only,) = failed.value.exceptions
    assert isinstance(only, RuntimeError)
    assert "break_down" in only.__notes__[0]
    assert str(failed.value) == "1 of 3 tasks failed (1 sub-exception)"


def test_a_round_without_failures_ends_quietly() -> None:
    done: list[str] = []
    do_all([lambda: done.append("metrics"), lambda: done.append("overviews")])
    assert done == ["metrics", "overviews"]
