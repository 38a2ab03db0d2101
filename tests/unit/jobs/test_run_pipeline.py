"""The orchestrator of pipelines: what it waits for, how long, and where its history is cut off."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from tests.support.settings import app_settings

RUN = "a" * 64
NOW = datetime(2031, 5, 1, tzinfo=UTC)


@dataclass
class Timer:
    fire_at: datetime
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


@dataclass
class Context:
    """As much of the SDK's context as the orchestrator asks for."""

    instance_id: str = RUN
    current_utc_datetime: datetime = NOW
    calls: list[tuple[str, str]] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    continued: int = 0

    def call_activity_with_retry(self, name: str, retry: Any, given: str) -> str:
        self.calls.append((name, given))
        return "the activity"

    def create_timer(self, fire_at: datetime) -> Timer:
        self.timers.append(Timer(fire_at))
        return self.timers[-1]

    def wait_for_external_event(self, name: str) -> str:
        self.events.append(name)
        return name

    def task_any(self, tasks: list[Any]) -> str:
        return "the race"

    def continue_as_new(self, given: Any) -> None:
        self.continued += 1


class Orchestration:
    """A run's orchestration, whose activities and events come as a test says."""

    def __init__(self, code: Any) -> None:
        self.context = Context()
        self._steps: Generator[Any, Any, Any] = code(self.context)
        self.waits_for = next(self._steps)
        self.output: Any = None
        self.has_ended = False

    def look(self, turn: int, **verdict: Any) -> None:
        assert self.waits_for == "the activity"
        self._send(
            {"next": "wait", "status": "running", "turn": turn, "wake_in_seconds": None, **verdict}
        )

    def hear(self) -> None:
        self._race(self.context.events[-1])

    def time_out(self) -> None:
        self._race(self.context.timers[-1])

    @property
    def patience(self) -> timedelta:
        return self.context.timers[-1].fire_at - NOW

    def _race(self, winner: Any) -> None:
        assert self.waits_for == "the race"
        self._send(winner)

    def _send(self, value: Any) -> None:
        try:
            self.waits_for = self._steps.send(value)
        except StopIteration as end:
            self.output, self.has_ended = end.value, True


@pytest.fixture(scope="module")
def code() -> Iterator[Any]:
    """The orchestrator's own code, without the SDK around it."""
    with app_settings():
        app = df.DFApp()
        app.register_functions(importlib.import_module("jobs.pipelines").bp)
        [handle] = [
            each.get_user_function()
            for each in app.get_functions()
            if each.get_function_name() == "run_pipeline"
        ]
        yield handle.orchestrator_function


@pytest.fixture
def run(code: Any) -> Orchestration:
    return Orchestration(code)


def test_it_looks_until_the_run_is_over(run: Orchestration) -> None:
    for turn in (1, 2):
        run.look(turn)
        run.hear()
    run.look(3, next="end", status="completed")
    assert run.has_ended
    assert run.output == "completed"
    assert run.context.calls == [("advance_pipeline", RUN)] * 3
    assert run.context.continued == 0


def test_it_waits_for_no_name_twice(run: Orchestration) -> None:
    """The SDK would hand the event of the first wait to every later one."""
    for turn in range(4, 10):
        run.look(turn)
        run.hear()
    assert run.context.events == [f"moved_{turn}" for turn in range(4, 10)]


def test_a_timer_that_is_not_needed_is_cancelled(run: Orchestration) -> None:
    run.look(1)
    run.hear()
    run.look(2)
    run.time_out()
    assert [timer.is_cancelled for timer in run.context.timers] == [True, False]


def test_the_watchdog_waits_longer_each_time_and_not_when_something_moved(
    run: Orchestration,
) -> None:
    waited = []
    for turn in range(9):
        run.look(turn)
        waited.append(run.patience / timedelta(minutes=1))
        run.time_out()
    assert waited == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    run.look(10)
    run.hear()
    run.look(11)
    assert run.patience == timedelta(minutes=1)


def test_it_looks_again_at_the_deadline_of_a_gate(run: Orchestration) -> None:
    run.look(1, wake_in_seconds=12.5)
    assert run.patience == timedelta(seconds=12.5)
    run.time_out()
    run.look(2, wake_in_seconds=86_400.0)
    assert run.patience == timedelta(minutes=2)


def test_its_history_is_cut_off_after_fifty_turns(run: Orchestration) -> None:
    for turn in range(50):
        assert not run.has_ended
        run.look(turn)
        run.hear()
    assert run.has_ended
    assert run.context.continued == 1
    assert len(run.context.calls) == 50
