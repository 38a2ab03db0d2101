"""A figure that takes long to look up, kept for those who must not wait for it.

`get` never waits: it hands out what was found last, with its age, and has it looked up again in
the background when it is old. So a page that shows it is as fast as ever while what it asks hangs.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from core.errors import GeoforgeError

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding(Generic[T]):
    """What is known.

    value: what was found last; None where nothing was found yet.
    age_seconds: how old it is; None without a value.
    problem: why the newest attempt failed, in words for everyone; None where it did not.
    """

    value: T | None = None
    age_seconds: float | None = None
    problem: str | None = None


class LookedUp(Generic[T]):
    """The outcome of `look`, which may take long and may raise. Thread-safe.

    Args:
        look: called in a thread of its own, never twice at once.
        fresh_seconds: for how long an outcome is good enough.
        useless_seconds: from when on a value is so old that none is better.
    """

    def __init__(
        self, look: Callable[[], T], fresh_seconds: float, useless_seconds: float = 300.0
    ) -> None:
        self._look = look
        self._fresh = fresh_seconds
        self._useless = useless_seconds
        self._guard = threading.Lock()
        self._running: threading.Thread | None = None
        self._value: T | None = None
        self._found_at: float | None = None
        self._tried_at: float | None = None
        self._problem: str | None = None

    def get(self) -> Finding[T]:
        """What is known now; where that is old, it is looked up again meanwhile."""
        now = time.monotonic()
        with self._guard:
            if self._running is None and (
                self._tried_at is None or now - self._tried_at >= self._fresh
            ):
                self._running = threading.Thread(target=self._run, name="look-up", daemon=True)
                self._running.start()
            if self._found_at is None or now - self._found_at > self._useless:
                return Finding(problem=self._problem)
            return Finding(self._value, now - self._found_at, self._problem)

    def _run(self) -> None:
        value, problem = None, None
        try:
            value = self._look()
        except GeoforgeError as error:
            problem = error.message
        except Exception:  # whatever it is: the log has it, and the next look tries again
            log.exception("a figure of the dashboard could not be looked up")
            problem = "It could not be looked up; the log has the details."
        with self._guard:
            self._running, self._problem = None, problem
            self._tried_at = time.monotonic()
            if problem is None:
                self._value, self._found_at = value, self._tried_at
