"""What the supervisor has to know of a part of the stack in order to keep it running."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from local.stack.errors import NotHealthy, StackError
from local.stack.health import Check
from local.stack.process import Process, tail


def _nothing() -> None:
    """The preparation of a part that needs none."""


@dataclass(frozen=True)
class Part:
    """A server that is one process.

    Attributes:
        name: how commands and files call it.
        title: how people call it.
        address: where it serves.
        command: program and arguments.
        environment: its whole environment.
        directory: its working directory.
        log: the file that its output is appended to.
        alive: raises NotHealthy unless the part serves.
        ready: asked in place of `alive` until it has succeeded once.
        prepare: what must be done before each start; raises StackError.
        user: user to run as, None for our own.
        requires: names of the parts that must serve before this one is started.
        stop_signal: what asks it to end.
        stop_seconds: how long it may take to end before it is killed.
        start_seconds: how long it may take until it serves.
    """

    name: str
    title: str
    address: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    directory: Path
    log: Path
    alive: Check
    ready: Check | None = None
    prepare: Check = _nothing
    user: str | None = None
    requires: tuple[str, ...] = ()
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 15.0
    start_seconds: float = 90.0

    def start(self) -> Process:
        """Prepare and start the process; does not wait until it serves.

        Raises:
            StackError: it could not be prepared, or its program cannot be run.
        """
        self.prepare()
        try:
            return Process.start(
                self.command,
                environment=self.environment,
                directory=self.directory,
                log=self.log,
                user=self.user,
            )
        except OSError as error:
            raise StackError(f"{self.title} cannot be started: {error}") from error

    def stop(self, process: Process) -> bool:
        """Stop its process; False where it had to be killed."""
        return process.stop(self.stop_signal, self.stop_seconds)

    def wait_until_ready(self, process: Process, cancelled: Event | None = None) -> bool:
        """Wait until the part serves.

        Returns:
            True when it serves, False if the wait was cancelled first.

        Raises:
            StackError: the process ended, or does not serve in time. Names the reason and shows
                the last lines of its log.
        """
        deadline = time.monotonic() + self.start_seconds
        check = self.ready or self.alive
        while cancelled is None or not cancelled.is_set():
            try:
                check()
            except NotHealthy as error:
                reason = str(error)
            else:
                return True
            if not process.is_alive():
                raise StackError(self._failure(process.how_it_ended()))
            if time.monotonic() > deadline:
                raise StackError(
                    self._failure(f"does not serve after {self.start_seconds:.0f} s: {reason}")
                )
            time.sleep(0.05)
        return False

    def _failure(self, reason: str) -> str:
        shown = "".join(f"\n    {line}" for line in tail(self.log, 15))
        return f"{self.title} {reason}. Its log, {self.log}, ends:{shown}"
