"""The pulse of a process: every few seconds it says that it lives, and somebody counts tasks.

One thread for both. Whatever goes wrong is logged once and tried again at the next beat: what the
dashboard shows must never cost a task. With METRICS_ENABLED=false nothing is written.
"""

from __future__ import annotations

import logging
import threading

from config import get_metrics_settings
from services.dashboard import throughput
from services.dashboard.workers import BEAT_EVERY, Heart

log = logging.getLogger(__name__)


class Pulse:
    """The thread of a process; it ends with the process, or by `stop`."""

    def __init__(self) -> None:
        self._heart = Heart()
        self._stopping = threading.Event()
        self._is_well = True
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        if get_metrics_settings().enabled:
            self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for its end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def beat(self) -> None:
        """One beat, now."""
        try:
            self._heart.beat()
            throughput.count()
        except Exception as error:  # whatever it is, the next beat tries again
            if self._is_well:
                log.warning("the dashboard's figures cannot be written: %s", error, exc_info=error)
            self._is_well = False
        else:
            if not self._is_well:
                log.warning("the dashboard's figures are written again")
            self._is_well = True

    def _run(self) -> None:
        self.beat()
        while not self._stopping.wait(BEAT_EVERY.total_seconds()):
            self.beat()


def start() -> None:
    """Start the process's pulse. For whoever loads the app to run it, once."""
    Pulse().start()
