"""Turns at something of which a process can do only so many at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_POLL_SECONDS = 0.5


class Turns:
    """So many turns, for any number of threads."""

    def __init__(self, at_once: int) -> None:
        self._free = threading.BoundedSemaphore(at_once)

    @contextmanager
    def one(self, check: Callable[[], None]) -> Iterator[None]:
        """Have a turn, once one is free; `check` is called while waiting, and may raise."""
        while not self._free.acquire(timeout=_POLL_SECONDS):
            check()
        try:
            yield
        finally:
            self._free.release()
