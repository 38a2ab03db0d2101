"""The process in the background that holds the parts of the stack."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Collection
from pathlib import Path

from local.stack.assembly import build, published
from local.stack.errors import StackError
from local.stack.keeper import Keeper
from local.stack.locks import exclusive
from local.stack.part import Part
from local.stack.postgres import Cluster
from local.stack.process import Identity, Process
from local.stack.settings import StackSettings
from local.stack.state import StackState

log = logging.getLogger(__name__)

_WATCH_SECONDS = 0.5


def state_file(settings: StackSettings) -> Path:
    """Where the supervisor writes what it knows."""
    return settings.state / "state.json"


def lock_file(settings: StackSettings) -> Path:
    """The lock that a supervisor holds as long as it lives."""
    return settings.state / "supervisor.lock"


class Supervisor:
    """Keeps the parts of one stack running until it is told to stop."""

    def __init__(
        self, settings: StackSettings, parts: list[Part], environment: dict[str, str]
    ) -> None:
        """Take over what an earlier supervisor left running, and prepare to keep all parts.

        Args:
            settings: those of the stack.
            parts: in the order in which they are to be started.
            environment: what `make env` is to print.
        """
        self._file = state_file(settings)
        self._writing = threading.Lock()
        self._stopping = threading.Event()
        adopted = adopt(settings, parts)
        self._keepers: dict[str, Keeper] = {}
        for part in parts:
            self._keepers[part.name] = Keeper(
                part,
                requires=[self._keepers[name] for name in part.requires],
                changed=self._write,
                adopted=adopted.get(part.name),
            )
        self._state = StackState(
            supervisor=Identity.own(),
            fingerprint=settings.fingerprint(),
            environment=environment,
            parts=[keeper.state for keeper in self._keepers.values()],
        )

    def run(self) -> None:
        """Keep the parts running; returns after SIGTERM or SIGINT, when all have ended."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        self._write()
        for keeper in self._keepers.values():
            keeper.start()
        while not self._stopping.wait(_WATCH_SECONDS):
            broken = [name for name, keeper in self._keepers.items() if not keeper.is_alive()]
            if broken:
                log.critical("nobody keeps %s any longer: stopping", ", ".join(broken))
                break
        for keeper in reversed(self._keepers.values()):
            log.info("stopping %s", keeper.part.title)
            keeper.stop()
        self._file.unlink(missing_ok=True)

    def _write(self) -> None:
        with self._writing:
            self._state.write(self._file)


def adopt(settings: StackSettings, parts: list[Part]) -> dict[str, Process]:
    """Find what a supervisor that was killed left running, and stop what is of no more use.

    Only processes that it recorded, and that are still the same ones, are touched.

    Returns:
        The processes that go on serving, by part.
    """
    wanted = {part.name: part for part in parts}
    adopted: dict[str, Process] = {}
    earlier = StackState.read(state_file(settings))
    unchanged = earlier is not None and earlier.fingerprint == settings.fingerprint()
    for state in reversed(earlier.parts if earlier else []):
        process = state.live_process()
        if process is None:
            continue
        part = wanted.get(state.name)
        if unchanged and part is not None and list(part.command) == state.command:
            log.info("%s still runs: keeping it", state.title)
            adopted[state.name] = process
        else:
            log.info("stopping the %s of an earlier stack", state.title)
            process.stop(state.stop_signal)
    if "postgres" in wanted and "postgres" not in adopted:
        _stop_stray_server(settings, wanted["postgres"])
    return adopted


def _stop_stray_server(settings: StackSettings, part: Part) -> None:
    """Stop a server that runs on our data directory although no record of it is left."""
    stray = Cluster.under(settings.state, settings.ports.postgres).running()
    if stray is not None:
        log.warning("stopping a PostgreSQL server on our data that nobody keeps")
        part.stop(stray)


def supervise(settings: StackSettings, names: Collection[str]) -> None:
    """Run a supervisor in this process until it is told to stop.

    Raises:
        StackError: another one runs on the same state, or a part cannot be made.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    # A line for each health check would bury what matters.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        with exclusive(lock_file(settings), busy="the stack is already supervised"):
            parts = build(settings, names)
            Supervisor(settings, parts, published(settings)).run()
    except StackError as error:
        log.critical("%s", error)
        raise
