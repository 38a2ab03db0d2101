"""How many requests an account may make."""

from __future__ import annotations

import math
import threading
import time
from collections import deque


class Rate:
    """At most so many requests within so many seconds, by the machine's clock.

    Without `requests` there is no limit.
    """

    def __init__(self, requests: int | None = None, seconds: float = 60.0) -> None:
        self.requests = requests
        self.seconds = seconds
        self._lock = threading.Lock()
        self._passed: deque[float] = deque()

    def wait(self) -> int | None:
        """None for a request that passes; else after how many seconds one will (Retry-After)."""
        now = time.monotonic()
        with self._lock:
            while self._passed and self._passed[0] <= now - self.seconds:
                self._passed.popleft()
            if self.requests is None or len(self._passed) < self.requests:
                self._passed.append(now)
                return None
            return max(1, math.ceil(self._passed[0] + self.seconds - now))
