"""Whether what geoforge depends on can be used: one check for each dependency.

Checks run side by side, and each has five seconds; one that takes longer has failed, and the
next request waits for it again instead of starting another. So a dependency that hangs costs a
process one thread, however often its health is asked for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

import psycopg

from config import get_settings
from core.errors import GeoforgeError, Unavailable
from infrastructure import blob_storage, database, queries
from infrastructure.faults import redact
from infrastructure.migrate import migrations
from infrastructure.queue_probe import QueueProbe

BOUND_SECONDS = 5.0
SLOW_SECONDS = 2.0

_SQL = queries.load("health")


class Status(StrEnum):
    """DEGRADED works, but not as it should."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check. `message` names no secret: everyone may read it."""

    name: str
    status: Status
    latency_ms: float
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of all checks; the worst of them counts."""

    checks: tuple[Check, ...]

    @property
    def status(self) -> Status:
        found = {check.status for check in self.checks}
        return next(s for s in (Status.FAILED, Status.DEGRADED, Status.OK) if s in found)


class Degraded(Exception):
    """Raised by a check of a dependency that works, but not as it should."""


Probe = Callable[[], str]


class Checks:
    """Named probes. A probe returns what it found, or raises.

    Args:
        probes: each is called in a thread of this object, never twice at once.
        bound_seconds: how long the whole report may take.
    """

    def __init__(self, probes: Mapping[str, Probe], bound_seconds: float = BOUND_SECONDS) -> None:
        self._probes = dict(probes)
        self._bound = bound_seconds
        self._threads = ThreadPoolExecutor(len(self._probes), thread_name_prefix="health")
        self._running: dict[str, Future[Check]] = {}
        self._guard = threading.Lock()

    def report(self) -> Report:
        """The outcome of every probe."""
        deadline = time.monotonic() + self._bound
        runs = [(name, self._run(name)) for name in self._probes]
        return Report(tuple(self._outcome(name, run, deadline) for name, run in runs))

    def one(self, name: str) -> Check:
        """The outcome of one probe."""
        return self._outcome(name, self._run(name), time.monotonic() + self._bound)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self, name: str) -> Future[Check]:
        """A run of the probe: the one under way, or a new one."""
        with self._guard:
            run = self._running.get(name)
            if run is None or run.done():
                run = self._running[name] = self._threads.submit(self._check, name)
            return run

    def _outcome(self, name: str, run: Future[Check], deadline: float) -> Check:
        try:
            return run.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            message = f"no answer within {self._bound:g} s"
            return Check(name, Status.FAILED, self._bound * 1000, message)

    def _check(self, name: str) -> Check:
        begun = time.monotonic()
        try:
            status, message = Status.OK, self._probes[name]()
        except Degraded as error:
            status, message = Status.DEGRADED, str(error)
        except GeoforgeError as error:
            status, message = Status.FAILED, redact(error.message)
        except Exception as error:  # whatever a client raises, its dependency cannot be used
            status, message = Status.FAILED, f"{type(error).__name__}: {redact(str(error))}"
        seconds = time.monotonic() - begun
        if status is Status.OK and seconds > SLOW_SECONDS:
            status, message = Status.DEGRADED, f"slow; {message}"
        return Check(name, status, round(seconds * 1000, 1), message)


def check_database() -> str:
    """The database answers, and has this version's migrations."""
    # Not out of the pool: one that is busy is no fault of the database.
    with database.connect(autocommit=True) as connection:
        try:
            rows = connection.execute(_SQL["migrations"]).fetchall()
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            rows = []
    wanted = {migration.name: migration.digest for migration in migrations()}
    found = {row["name"]: row["digest"] for row in rows}
    missing = sorted(wanted.keys() - found.keys())
    if missing:
        raise Unavailable(
            f"{len(missing)} of {len(wanted)} migrations are missing, first {missing[0]}: "
            "run python -m infrastructure.migrate."
        )
    changed = sorted(name for name in wanted if wanted[name] != found[name])
    if changed:
        raise Unavailable(f"The migration {changed[0]} is not the one that was applied.")
    newer = sorted(found.keys() - wanted.keys())
    if newer:
        raise Degraded(f"the database is newer than this app: it has {newer[0]}")
    return f"{len(wanted)} migrations applied"


def check_pgstac() -> str:
    """pgSTAC is installed."""
    with database.connect(autocommit=True) as connection:
        try:
            row = connection.execute(_SQL["pgstac_version"]).fetchone()
        except (psycopg.errors.UndefinedFunction, psycopg.errors.InvalidSchemaName):
            row = None
    if row is None or row["version"] is None:
        raise Unavailable("pgSTAC is not installed: run python -m infrastructure.migrate.")
    return f"version {row['version']}"


def check_storage() -> str:
    """Blob storage answers, with the app's credential."""
    container = get_settings().work_container
    with blob_storage.faults(container):
        found = blob_storage.container_client(container).exists(retry_total=0, timeout=4)
    return f"container {container} " + ("found" if found else "will be made when it is needed")


_checks: Checks | None = None
_guard = threading.Lock()


def checks() -> Checks:
    """The checks of this process's dependencies, made at their first use."""
    global _checks
    with _guard:
        if _checks is None:
            settings, queues = get_settings(), QueueProbe(get_settings(), BOUND_SECONDS - 0.5)
            _checks = Checks(
                {
                    "database": check_database,
                    "pgstac": check_pgstac,
                    "storage": check_storage,
                    "service_bus_light": lambda: queues.check(settings.light_queue),
                    "service_bus_heavy": lambda: queues.check(settings.heavy_queue),
                }
            )
        return _checks


def report() -> Report:
    """The health of everything that this process depends on."""
    return checks().report()


def readiness() -> Check:
    """Whether requests can be served: the database answers and is of this version."""
    return checks().one("database")
