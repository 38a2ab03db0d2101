"""What every job tells of itself while it runs: events, snapshots, figures.

The engine calls `event` at each turn of a job, `sample` after each batch of tasks and `flush`
before it settles them; handlers call `context` (as `TaskContext.progress`) and the trackers of
`infrastructure.job_progress_contexts`. All of it may be called from any worker and any thread,
as often as one likes, outside of a transaction. Nothing that matters is kept in the process: the
database decides whose turn it is to write a snapshot, and adds up what tasks have done.

Trouble with metrics never fails a task: see `infrastructure.metrics_losses`. With
METRICS_ENABLED=false nothing is written.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from config import MetricsSettings, get_metrics_settings
from core import jsonb
from core.models.metrics import (
    Attempt,
    JobState,
    MetricType,
    Sample,
    rate_window,
    snapshot_payload,
    with_context_rates,
)
from infrastructure import faults, metrics_repository, status_repository
from infrastructure.database import Connection
from infrastructure.job_figures import Fate, Outbox, Words
from infrastructure.metrics_losses import Kind, Losses
from infrastructure.telemetry import task_scope

log = logging.getLogger(__name__)

RECENT_EVENTS = 10

# Words of one job that are kept while the database does not answer.
_MOST_KEPT = 10_000

losses = Losses()
"""What this process could not write."""


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
    with losses.caught(Kind.EVENTS, job_id):
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
        flush(job_id)
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
    with losses.caught(Kind.SNAPSHOTS, job_id):
        wrote = metrics_repository.transact(write)
    return wrote  # noqa: RET504  # `caught` may have left it at False


def context(job_id: str, **values: Any) -> None:
    """Set figures of the job's work, such as files_copied=120, for the dashboard.

    Figures of all workers are merged by name, and the last writer of a name wins: give sums
    of the whole job, or names that are the task's own. What tasks do together is the matter of
    `contribute`.
    """
    _say(job_id, lambda: Words(figures=jsonb.clean(values)))


def show(job_id: str, name: str, **values: Any) -> None:
    """Set figures inside of the job's context of a name; the last writer of a figure wins."""
    _say(job_id, lambda: Words(shown={name: jsonb.clean(values)}))


def contribute(
    job_id: str, name: str, task: str, attempt: Attempt | None, amounts: Mapping[str, float]
) -> None:
    """Say what `task` has added to the sums in the job's context of a name, in all and so far.

    What the same attempt said before stays where it is not said anew; what earlier attempts
    said is taken back; and an attempt that the engine has given up for dead is not heard.
    """

    def words() -> Words:
        for figure, amount in amounts.items():
            if not math.isfinite(amount):
                raise ValueError(f"{task} has added {amount} to {name}.{figure}")
        return Words(contributed={(name, task, attempt): dict(amounts)})

    _say(job_id, words)


def flush(job_id: str) -> None:
    """Write now what this process has to say of a job."""
    _outbox.flush(job_id)


def figures(
    connection: Connection,
    states: Sequence[JobState],
    samples: Mapping[str, Sample] | None = None,
) -> dict[str, dict[str, Any]]:
    """What each job shows of its work, with the rates that follow from its sums.

    Those are counted from `samples`, which are read where the caller has not.
    """
    ids = [state.job.job_id for state in states]
    stored = metrics_repository.contexts(connection, ids)
    if samples is None and stored:
        window = rate_window(get_metrics_settings().sample_interval)
        samples = metrics_repository.recent_samples(connection, list(stored), window)
    return {
        job_id: with_context_rates(stored.get(job_id, {}), state, (samples or {}).get(job_id))
        for job_id, state in zip(ids, states, strict=True)
    }


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
    samples = metrics_repository.recent_samples(
        connection, [job_id], rate_window(get_metrics_settings().sample_interval)
    )
    sample = samples.get(job_id)
    stored = metrics_repository.contexts(connection, [job_id]).get(job_id, {})
    events = metrics_repository.page(
        connection, job_id, limit=RECENT_EVENTS, types=(MetricType.EVENT, MetricType.ERROR)
    )
    return snapshot_payload(state, sample, with_context_rates(stored, state, sample), events)


def _debug(
    connection: Connection, settings: MetricsSettings, job_id: str, what: str, seconds: float
) -> None:
    """In debug mode, who wrote what and how long it took, to see what the metrics cost."""
    if settings.debug_mode:
        payload = {"wrote": what, "milliseconds": round(seconds * 1000, 2), "pid": os.getpid()}
        metrics_repository.insert(connection, job_id, MetricType.DEBUG, payload)


def _say(job_id: str, words: Callable[[], Words]) -> None:
    if get_metrics_settings().enabled:
        try:
            said = words()
        except Exception as error:  # a figure that cannot be written must not cost the task
            losses.failed(Kind.FIGURES, job_id, error, lost=1)
        else:
            _outbox.say(job_id, said)


def _write(job_id: str, words: Words) -> Fate:
    """Write words of a job. Where the database does not answer they are kept, unless many are."""
    settings = get_metrics_settings()

    def write(connection: Connection) -> None:
        began = time.monotonic()
        metrics_repository.put_words(connection, job_id, words)
        _debug(connection, settings, job_id, "context", time.monotonic() - began)

    try:
        metrics_repository.transact(write)
    except Exception as error:  # whatever it is: progress must never cost a task
        is_kept = faults.classify(error).transient and len(words) <= _MOST_KEPT
        losses.failed(Kind.FIGURES, job_id, error, lost=0 if is_kept else len(words))
        return Fate.KEPT if is_kept else Fate.LOST
    losses.worked(Kind.FIGURES)
    return Fate.WRITTEN


_outbox = Outbox(_write, lambda: get_metrics_settings().sample_interval, sample)
