"""What the children of sandboxes compute is counted for whoever has called them."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from core.errors import TaskCancelled
from infrastructure.metering import Meter
from infrastructure.sandbox import Limits, Sandbox, SandboxError, SandboxFault

HERE = "tests.unit.infrastructure.sandboxed"

needs_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells what other processes have taken"
)


def spent(sandbox: Sandbox, function: str, **arguments: float) -> float:
    """Seconds of CPU that a call is counted as, in which this process does next to nothing."""
    meter = Meter()
    with meter.running():
        sandbox.call(f"{HERE}:{function}", arguments)
    return meter.cost().core_seconds


@needs_linux
def test_each_call_is_counted_once() -> None:
    with Sandbox(Limits(cpu_seconds=60, wall_seconds=60)) as sandbox:
        spent(sandbox, "echo")
        assert spent(sandbox, "burn", seconds=0.5) >= 0.5
        # What came before is not counted again.
        assert spent(sandbox, "echo") < 0.5


def test_a_child_that_reached_its_limit_is_counted() -> None:
    meter = Meter()
    with Sandbox(Limits(cpu_seconds=1, wall_seconds=60)) as sandbox:
        with meter.running(), pytest.raises(SandboxError) as caught:
            sandbox.call(f"{HERE}:spin")
        assert caught.value.fault is SandboxFault.TIMED_OUT
    assert meter.cost().core_seconds >= 0.9


def test_a_child_that_is_killed_is_counted() -> None:
    meter = Meter()
    limits = Limits(cpu_seconds=60, wall_seconds=60)
    with Sandbox(limits) as sandbox, meter.running(), pytest.raises(TaskCancelled):
        sandbox.call(f"{HERE}:spin", check=_after(3))
    assert meter.cost().core_seconds > 0.1


def _after(looks: int) -> Callable[[], None]:
    """A check that is called twice a second, and at last says to stop."""
    left = iter(range(looks))

    def check() -> None:
        if next(left, None) is None:
            raise TaskCancelled("cancelled")

    return check
