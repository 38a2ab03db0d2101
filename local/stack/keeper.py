"""Keeps one part running: starts it, watches it, and starts it again when it dies."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from local.stack.errors import NotHealthy, StackError
from local.stack.part import Part
from local.stack.process import Process, rotate
from local.stack.state import Condition, PartState

log = logging.getLogger(__name__)

_WATCH_SECONDS = 0.2
_CHECK_SECONDS = 5.0
_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 10.0
_STABLE_SECONDS = 10.0


class Keeper(threading.Thread):
    """The life of one part.

    A part that dies is started again at once; one that dies again and again, after a delay that
    doubles up to ten seconds. A process that runs but does not answer is reported, not killed:
    it may be at work, and only a person knows.
    """

    def __init__(
        self,
        part: Part,
        *,
        requires: list[Keeper],
        changed: Callable[[], None],
        adopted: Process | None = None,
    ) -> None:
        """Prepare to keep a part; `start()` begins.

        Args:
            part: the part.
            requires: keepers of the parts that must serve first.
            changed: called after each change of the state.
            adopted: a process of the part that an earlier supervisor left running.
        """
        super().__init__(name=part.name)
        self.part = part
        self.served = threading.Event()
        self.state = PartState(
            name=part.name,
            title=part.title,
            address=part.address,
            log=str(part.log),
            command=list(part.command),
            stop_signal=part.stop_signal,
            since=time.time(),
        )
        self._requires = requires
        self._changed = changed
        self._adopted = adopted
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Stop the part, and wait until it has ended."""
        self._stopping.set()
        self.join()

    def run(self) -> None:
        """Keep the part running until `stop()` is called."""
        delay = _FIRST_DELAY_SECONDS
        while self._requirements_served():
            began = time.monotonic()
            try:
                reason = self._one_life()
            except StackError as error:
                reason = str(error)
            if self._stopping.is_set():
                break
            if time.monotonic() - began > _STABLE_SECONDS:
                delay = _FIRST_DELAY_SECONDS
            log.warning("%s %s; starting it again in %.1f s", self.part.title, reason, delay)
            self.state.restarts += 1
            self._enter("restarting" if self.served.is_set() else "failed", reason)
            self._stopping.wait(delay)
            delay = min(delay * 2, _LONGEST_DELAY_SECONDS)

    def _requirements_served(self) -> bool:
        """Wait for the parts that this one needs; False if we are to stop instead."""
        while not self._stopping.is_set():
            if all(keeper.served.is_set() for keeper in self._requires):
                return True
            self._stopping.wait(_WATCH_SECONDS)
        return False

    def _one_life(self) -> str:
        """Run the part until its process ends or we are to stop; how it ended."""
        process, self._adopted = self._adopted or self.part.start(), None
        self.state.process = process.identity
        try:
            self._enter("starting")
            if self.part.wait_until_ready(process, self._stopping):
                log.info("%s serves at %s", self.part.title, self.part.address)
                self.served.set()
                self._enter("healthy")
                self._watch(process)
            ended = not process.is_alive()
        finally:
            # Also where it did not serve in time, so that the next one finds its port free.
            if not self.part.stop(process):
                log.warning("%s did not end when asked and was killed", self.part.title)
        return process.how_it_ended() if ended else "was stopped"

    def _watch(self, process: Process) -> None:
        next_check = time.monotonic() + _CHECK_SECONDS
        while process.is_alive() and not self._stopping.wait(_WATCH_SECONDS):
            if time.monotonic() < next_check:
                continue
            rotate(self.part.log)
            try:
                self.part.alive()
            except NotHealthy as error:
                # It may have died under the check; then the loop ends and says so.
                if process.is_alive():
                    self._enter("unresponsive", str(error))
            else:
                self._enter("healthy")
            next_check = time.monotonic() + _CHECK_SECONDS

    def _enter(self, condition: Condition, detail: str = "") -> None:
        if (self.state.condition, self.state.detail) == (condition, detail):
            # A new process in the same condition is a change as well.
            if condition != "starting":
                return
        else:
            self.state.since = time.time()
        self.state.condition, self.state.detail = condition, detail
        self._changed()
