"""Where answers of a stand-in wait until a test lets them go."""

from __future__ import annotations

import threading


class Hold:
    """An answer that waits, a download after so many bytes of it, until it is let go."""

    def __init__(self, after_bytes: int = 0) -> None:
        self.after_bytes = after_bytes
        self.reached = threading.Event()
        self._released = threading.Event()

    def wait(self) -> None:
        """Wait, as one that has come so far."""
        self.reached.set()
        self._released.wait()

    def release(self) -> None:
        """Let those that wait go on, and none wait any more."""
        self._released.set()
