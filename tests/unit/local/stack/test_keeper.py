"""A keeper starts its part again when it dies, and says when it does not answer."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.stack import keeper as module
from local.stack.errors import NotHealthy, StackError
from local.stack.keeper import Keeper
from local.stack.part import Part

SLEEPS = "import time; time.sleep(60)"


class Health:
    """A check whose outcome the test decides."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def __call__(self) -> None:
        if self.reason is not None:
            raise NotHealthy(self.reason)


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def keep(
    tmp_path: Path, health: Health, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Keeper]]:
    """Makes keepers of small programs; they are stopped at the end."""
    monkeypatch.setattr(module, "_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(module, "_WATCH_SECONDS", 0.02)
    keepers: list[Keeper] = []

    def make(
        code: str = SLEEPS,
        *,
        requires: list[Keeper] | None = None,
        prepare: Callable[[], None] = lambda: None,
    ) -> Keeper:
        part = Part(
            name="small",
            title="Small program",
            address="nowhere",
            command=(sys.executable, "-c", code),
            environment=os.environ,
            directory=tmp_path,
            log=tmp_path / "small.log",
            alive=health,
            prepare=prepare,
            start_seconds=60.0,
        )
        keeper = Keeper(part, requires=requires or [], changed=lambda: None)
        keepers.append(keeper)
        keeper.start()
        return keeper

    yield make
    for keeper in reversed(keepers):
        keeper.stop()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it has not come true in time"
        time.sleep(0.01)


def pid(keeper: Keeper) -> int:
    assert keeper.state.process is not None
    return keeper.state.process.pid


def test_a_part_that_dies_is_started_again(keep: Callable[..., Keeper]) -> None:
    keeper = keep()
    until(lambda: keeper.state.condition == "healthy")
    first = pid(keeper)
    os.kill(first, signal.SIGKILL)
    until(lambda: keeper.state.condition == "healthy" and pid(keeper) != first)
    assert keeper.state.restarts == 1


def test_a_part_that_does_not_answer_is_reported_and_left_alone(
    keep: Callable[..., Keeper], health: Health
) -> None:
    keeper = keep()
    until(lambda: keeper.state.condition == "healthy")
    first = pid(keeper)
    health.reason = "it is busy"
    until(lambda: keeper.state.condition == "unresponsive")
    assert keeper.state.detail == "it is busy"
    health.reason = None
    until(lambda: keeper.state.condition == "healthy")
    assert (keeper.state.detail, pid(keeper)) == ("", first)


def test_a_first_start_that_does_not_succeed_says_why(
    keep: Callable[..., Keeper], health: Health
) -> None:
    health.reason = "not yet"
    keeper = keep("print('the reason', flush=True); raise SystemExit(2)")
    until(lambda: keeper.state.condition == "failed")
    assert "ended with exit code 2" in keeper.state.detail
    assert "the reason" in keeper.state.detail


def test_what_cannot_be_prepared_is_tried_again(keep: Callable[..., Keeper]) -> None:
    tries = []

    def prepare() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise StackError("no disk")

    keeper = keep(prepare=prepare)
    until(lambda: (keeper.state.condition, keeper.state.detail) == ("failed", "no disk"))
    until(lambda: keeper.state.condition == "healthy")
    assert len(tries) == 3


def test_a_part_waits_for_what_it_needs(keep: Callable[..., Keeper], health: Health) -> None:
    health.reason = "not yet"
    needed = keep()
    waiting = keep(requires=[needed])
    until(lambda: needed.state.condition == "starting")
    assert waiting.state.condition == "waiting"
    health.reason = None
    until(lambda: waiting.state.condition == "healthy")


def test_a_keeper_can_be_stopped_while_its_part_starts(
    keep: Callable[..., Keeper], health: Health
) -> None:
    health.reason = "never"
    keeper = keep()
    until(lambda: keeper.state.condition == "starting")
    keeper.stop()
    assert keeper.state.process is not None
    assert not keeper.state.process.is_alive()


def test_every_change_is_told(tmp_path: Path, health: Health) -> None:
    seen: list[str] = []
    told = threading.Event()
    part = Part(
        name="small",
        title="Small program",
        address="nowhere",
        command=(sys.executable, "-c", SLEEPS),
        environment=os.environ,
        directory=tmp_path,
        log=tmp_path / "small.log",
        alive=health,
    )

    def changed() -> None:
        seen.append(keeper.state.condition)
        if seen[-1] == "healthy":
            told.set()

    keeper = Keeper(part, requires=[], changed=changed)
    keeper.start()
    assert told.wait(60)
    keeper.stop()
    assert seen == ["starting", "healthy"]
