"""Who waits for a turn, and who is told to stop waiting."""

from __future__ import annotations

import pytest

from core.errors import TaskCancelled
from infrastructure.turns import Turns


def carry_on() -> None:
    """Nobody wants to stop."""


def stop() -> None:
    raise TaskCancelled("The job was cancelled.")


def test_there_are_so_many_turns_and_each_comes_back() -> None:
    turns = Turns(2)
    for _ in range(3):
        with (
            turns.one(stop),
            turns.one(stop),
            pytest.raises(TaskCancelled),
            turns.one(stop),
        ):
            pass


def test_a_turn_comes_back_from_work_that_failed() -> None:
    turns = Turns(1)
    with pytest.raises(ValueError, match="broken"), turns.one(carry_on):
        raise ValueError("broken")
    with turns.one(stop):
        pass
