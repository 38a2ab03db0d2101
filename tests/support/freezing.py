"""Stopping a process at a chosen moment."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable


def freeze(pid: int, condition: Callable[[], bool], seconds: float = 240.0) -> None:
    """Stop a process at a moment when the condition holds, which stays so while it stands."""
    deadline = time.monotonic() + seconds
    while True:
        os.kill(pid, signal.SIGSTOP)
        if condition():
            return
        os.kill(pid, signal.SIGCONT)
        assert time.monotonic() < deadline, "the moment to stop the process did not come"
        time.sleep(0.005)
