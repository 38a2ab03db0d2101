"""The clock of the stand-in: what its Date header, its timestamps and its tokens go by."""

from __future__ import annotations

import threading
import time
from datetime import UTC, date, datetime, timedelta


class Clock:
    """Runs with the machine's clock, or stands still at a moment, until it is moved.

    A history of weeks is played in a moment by moving it, and two runs of it that begin with
    `at` have the same timestamps.

    Args:
        at: stand still at this moment; default: run along with the machine's clock.
    """

    def __init__(self, at: datetime | None = None) -> None:
        self._lock = threading.Lock()
        self._standing = at
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The moment, in UTC."""
        with self._lock:
            base = self._standing or datetime.fromtimestamp(time.time(), UTC)
            return base + self._ahead

    def timestamp(self) -> int:
        """The moment in whole Unix seconds."""
        return int(self.now().timestamp())

    def today(self) -> date:
        """The day in UTC."""
        return self.now().date()

    def advance(self, step: timedelta) -> datetime:
        """Move it on; the new moment. Raises ValueError for a step back."""
        if step < timedelta():
            raise ValueError(f"the clock goes forward only, not by {step}")
        with self._lock:
            self._ahead += step
        return self.now()
