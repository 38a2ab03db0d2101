"""What could not be written of the metrics: counted, said once, and told when it is over.

Metrics must never cost a task, so whatever goes wrong with them is caught. It must not go
unnoticed either: each loss is counted for as long as the process lives, the log has one line
when an outage begins and one when it is over, and the jobs that lost something get a row in
app.job_metrics as soon as the database takes one, from which the dashboard and the API know.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from config import get_metrics_settings
from core.counting import counted
from core.models.metrics import MetricType
from infrastructure import metrics_repository
from infrastructure.database import Connection

log = logging.getLogger(__name__)

LOST = "metrics_lost"
"""The `kind` of the rows that tell of losses."""

# What fails for good while something else works is told so often, not at each success.
_TELL_SECONDS = 60.0

# Jobs of which losses are told one by one; those of more are only counted.
_MOST_JOBS = 1000


class Kind(StrEnum):
    """What can be lost."""

    EVENTS = "events"
    SNAPSHOTS = "snapshots"
    FIGURES = "figures"


@dataclass(slots=True)
class _Outage:
    """A kind that cannot be written at present."""

    began: float
    is_logged: bool
    lost: int = 0


class Losses:
    """The losses of one process. All of it may be called from any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._counts: Counter[Kind] = Counter()
        self._outages: dict[Kind, _Outage] = {}
        self._logged: dict[Kind, float] = {}
        self._untold: dict[str, Counter[Kind]] = {}
        self._told = -_TELL_SECONDS

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind this process has lost since it began. Never reset."""
        with self._guard:
            return {kind: self._counts[kind] for kind in Kind}

    @property
    def untold(self) -> dict[str, int]:
        """How many of each kind no row tells of yet."""
        with self._guard:
            return {kind: sum(each[kind] for each in self._untold.values()) for kind in Kind}

    @contextmanager
    def caught(self, kind: Kind, job_id: str) -> Iterator[None]:
        """Go on after what goes wrong inside, which loses one of a kind."""
        try:
            yield
        except Exception as error:  # whatever it is: metrics must never cost a task
            self.failed(kind, job_id, error, lost=1)
        else:
            self.worked(kind)

    def failed(self, kind: Kind, job_id: str, error: Exception, *, lost: int) -> None:
        """Note that something of a job could not be written. None is `lost` where what could
        not is kept, to be tried again."""
        now = time.monotonic()
        with self._guard:
            outage = self._outages.get(kind)
            begins = outage is None
            if outage is None:
                # One that comes and goes must not fill the log.
                is_logged = now - self._logged.get(kind, -_TELL_SECONDS) >= _TELL_SECONDS
                outage = self._outages[kind] = _Outage(now, is_logged)
                if is_logged:
                    self._logged[kind] = now
            outage.lost += lost
            self._counts[kind] += lost
            if lost and (job_id in self._untold or len(self._untold) < _MOST_JOBS):
                self._untold.setdefault(job_id, Counter())[kind] += lost
        if begins and outage.is_logged:
            prefix = get_metrics_settings().log_prefix
            log.warning("%s could not write %s of jobs: %s", prefix, kind, error, exc_info=error)

    def worked(self, kind: Kind) -> None:
        """Note that something of a kind was written: an outage is over, and its losses are told."""
        now = time.monotonic()
        with self._guard:
            outage = self._outages.pop(kind, None)
            untold: dict[str, Counter[Kind]] = {}
            if self._untold and now - self._told >= _TELL_SECONDS:
                untold, self._untold, self._told = self._untold, {}, now
        if outage is not None and outage.is_logged:
            log.warning(
                "%s writes %s of jobs again: %d were lost within %.0f s",
                get_metrics_settings().log_prefix,
                kind,
                outage.lost,
                now - outage.began,
            )
        if untold:
            self._tell(untold)

    def _tell(self, untold: Mapping[str, Counter[Kind]]) -> None:
        """Write one row for each job that lost something."""

        def write(connection: Connection) -> None:
            for job_id, lost in untold.items():
                metrics_repository.insert(
                    connection,
                    job_id,
                    MetricType.ERROR,
                    {"kind": LOST, "message": _message(lost), "details": dict(lost)},
                )

        try:
            metrics_repository.transact(write)
        except Exception as error:  # as above; they stay untold until something is written again
            log.debug("the losses are not told yet: %s", error)
            with self._guard:
                for job_id, lost in untold.items():
                    self._untold.setdefault(job_id, Counter()).update(lost)
                self._told = -_TELL_SECONDS


def _message(lost: Mapping[Kind, int]) -> str:
    parts = [counted(count, kind.removesuffix("s")) for kind, count in lost.items()]
    return f"Its progress has gaps: {' and '.join(parts)} could not be written"
