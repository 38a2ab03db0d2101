"""The processes that run tasks and answer requests, as they tell of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Work:
    """Tasks of one stage that a process took together, and for how long it has had them."""

    job_id: str
    stage: int
    tasks: int
    seconds: float


@dataclass(frozen=True, slots=True)
class PoolState:
    """A process's connections to the database.

    size: how many it has open.
    in_use: how many of them are in use.
    waiting: callers that wait for one at this moment.
    wait_ms: milliseconds that callers have waited since the last beat, all together.
    """

    size: int = 0
    in_use: int = 0
    waiting: int = 0
    wait_ms: int = 0


class WorkerState(StrEnum):
    """SILENT: it has missed several beats, so it hangs or is gone."""

    ALIVE = "alive"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Worker:
    """One process. `memory_bytes` has its child processes in it; None where it is not known."""

    worker_id: str
    instance: str
    pid: int
    state: WorkerState
    started_at: datetime
    last_seen: datetime
    tasks: int
    busy: tuple[Work, ...]
    job_types: dict[str, str]
    memory_bytes: int | None
    pool: PoolState
