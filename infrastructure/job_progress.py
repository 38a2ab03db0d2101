"""What every job tells of itself while it runs: events, snapshots, figures.

The engine calls `event` at each turn of a job and `sample` after each batch of tasks; handlers
call `context` (as `TaskContext.progress`). All of it may be called from any worker and any
thread, as often as one likes, outside of a transaction. Nothing that matters is kept in the
process: the database decides whose turn it is to write a snapshot.

Trouble with metrics never fails a task: it is logged, at most once a minute, and the work goes
on. With METRICS_ENABLED=false nothing is written.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from config import MetricsSettings, get_metrics_settings
from core.models.metrics import RATE_WINDOW, MetricType, snapshot_payload
from infrastructure import metrics_repository, status_repository
from infrastructure.database import Connection
from infrastructure.telemetry import task_scope

log = logging.getLogger(__name__)

RECENT_EVENTS = 10

# Figures that handlers set are collected for so long and then written together.
_FIGURES_DELAY_SECONDS = 1.0
_WARNING_INTERVAL_SECONDS = 60.0


class _Throttle:
    """Lets a key through at most once an interval in this process: no query for the rest."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._guard = threading.Lock()

    def passes(self, key: str, seconds: float) -> bool:
        now = time.monotonic()
        with self._guard:
            if now - self._last.get(key, -seconds) < seconds:
                return False
            if len(self._last) >= 1024:
                self._last = {k: at for k, at in self._last.items() if now - at < seconds}
            self._last[key] = now
            return True


_samples = _Throttle()
_warnings = _Throttle()

_figures: dict[str, dict[str, Any]] = {}
_figures_guard = threading.Lock()


def event(job_id: str, kind: str, message: str, *, error: bool = False, **details: Any) -> None:
    """Record something that happened to the job: `kind` for programs, `message` for people."""
    settings = get_metrics_settings()
    with task_scope(job_id=job_id):
        level = logging.WARNING if error else logging.INFO
        log.log(level, "%s %s: %s", settings.log_prefix, kind, message)
    if not settings.enabled:
        return
    payload: dict[str, Any] = {"kind": kind, "message": message}
    if details:
        payload["details"] = details
    metric_type = MetricType.ERROR if error else MetricType.EVENT
    with never_failing("event"):
        metrics_repository.transact(
            lambda connection: metrics_repository.insert(connection, job_id, metric_type, payload)
        )


def sample(job_id: str, *, force: bool = False) -> bool:
    """Write a snapshot of the job if the last one is METRICS_SAMPLE_INTERVAL old; whether it did.

    `force` writes in any case: the engine does so where a stage or the job ends.
    """
    settings = get_metrics_settings()
    if not settings.enabled:
        return False
    interval = timedelta(seconds=settings.sample_interval)
    if force:
        flush_context(job_id)
    elif not _samples.passes(job_id, interval.total_seconds()):
        return False

    def write(connection: Connection) -> bool:
        began = time.monotonic()
        if not metrics_repository.take_turn(connection, job_id, None if force else interval):
            return False
        snapshot = _snapshot(connection, job_id)
        if snapshot is None:
            return False
        metrics_repository.insert(connection, job_id, MetricType.SNAPSHOT, snapshot)
        _debug(connection, settings, job_id, "snapshot", time.monotonic() - began)
        return True

    wrote = False
    with never_failing("snapshot"):
        wrote = metrics_repository.transact(write)
    return wrote  # noqa: RET504  # `never_failing` may have left it at False


def context(job_id: str, **figures: Any) -> None:
    """Set figures of the job's work, such as files_copied=120, for the dashboard.

    Figures of all workers are merged by name, and the last writer of a name wins: give sums
    of the whole job, or names that are the task's own. They are written about a second later,
    together with what came meanwhile; a worker that is killed loses that second.
    """
    if not figures or not get_metrics_settings().enabled:
        return
    with _figures_guard:
        collecting = job_id in _figures
        _figures.setdefault(job_id, {}).update(figures)
    if not collecting:
        timer = threading.Timer(_FIGURES_DELAY_SECONDS, flush_context, (job_id,))
        timer.daemon = True
        timer.start()


def flush_context(job_id: str) -> None:
    """Write this process's figures of a job now."""
    with _figures_guard:
        figures = _figures.pop(job_id, None)
    if not figures:
        return
    settings = get_metrics_settings()

    def write(connection: Connection) -> None:
        began = time.monotonic()
        metrics_repository.put_context(connection, job_id, figures)
        _debug(connection, settings, job_id, "context", time.monotonic() - began)

    with never_failing("context"):
        metrics_repository.transact(write)


def prune() -> int:
    """Delete rows older than METRICS_RETENTION_MINUTES; their number. A timer calls this."""
    retention = timedelta(minutes=get_metrics_settings().retention_minutes)
    return metrics_repository.transact(
        lambda connection: metrics_repository.prune(connection, retention)
    )


def _snapshot(connection: Connection, job_id: str) -> dict[str, Any] | None:
    state = status_repository.find(connection, job_id)
    if state is None:
        return None
    samples = metrics_repository.recent_samples(connection, [job_id], RATE_WINDOW)
    figures = metrics_repository.contexts(connection, [job_id])
    events = metrics_repository.page(
        connection, job_id, limit=RECENT_EVENTS, types=(MetricType.EVENT, MetricType.ERROR)
    )
    return snapshot_payload(state, samples.get(job_id), figures.get(job_id, {}), events)


def _debug(
    connection: Connection, settings: MetricsSettings, job_id: str, what: str, seconds: float
) -> None:
    """In debug mode, who wrote what and how long it took, to see what the metrics cost."""
    if settings.debug_mode:
        payload = {"wrote": what, "milliseconds": round(seconds * 1000, 2), "pid": os.getpid()}
        metrics_repository.insert(connection, job_id, MetricType.DEBUG, payload)


@contextmanager
def never_failing(what: str) -> Iterator[None]:
    """Log what goes wrong inside, at most once a minute, and go on after it."""
    try:
        yield
    except Exception as error:  # whatever it is: progress must never cost a task
        if _warnings.passes(what, _WARNING_INTERVAL_SECONDS):
            log.warning(
                "%s could not write a job's %s: %s",
                get_metrics_settings().log_prefix,
                what,
                error,
                exc_info=error,
            )
