"""Which processes are alive, and what they are at."""

from __future__ import annotations

import os
import socket
import time
import uuid
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache

from core.models.worker import PoolState, Worker
from infrastructure import database, metrics_repository, workers_repository
from infrastructure.database import Connection
from infrastructure.process_memory import proportional_bytes
from services.orchestration.leases import keeper

BEAT_EVERY = timedelta(seconds=5)

# Three beats and a pause: one that was only slow is not given up.
_SILENT_AFTER = timedelta(seconds=20)

# A process that is gone is shown for a while: that it is gone may be what one is looking for.
_SHOWN_FOR = timedelta(minutes=10)
_KEPT_FOR = timedelta(hours=1)

_MOST_SHOWN = 50
_MOST_WORK = 20


class Heart:
    """Tells of this process. Its id is made with it: a pid comes again, on other machines too."""

    def __init__(self) -> None:
        self._id = str(uuid.uuid4())
        self._began = time.monotonic()
        self._waited_ms = 0

    def beat(self) -> None:
        """Write that the process lives, and what it is at."""
        work = keeper.work()
        pool = self._pool()
        memory = proportional_bytes(os.getpid())

        def write(connection: Connection) -> None:
            workers_repository.beat(
                connection,
                self._id,
                instance=_instance(),
                pid=os.getpid(),
                age=timedelta(seconds=time.monotonic() - self._began),
                busy=work[:_MOST_WORK],
                tasks=sum(each.tasks for each in work),
                memory_bytes=memory,
                pool=pool,
            )
            workers_repository.prune(connection, _KEPT_FOR)

        metrics_repository.transact(write)

    def _pool(self) -> PoolState:
        """The pool, with the waits since the last beat."""
        state, before = database.pool_state(), self._waited_ms
        self._waited_ms = state.wait_ms
        return replace(state, wait_ms=max(0, state.wait_ms - before))


def recent() -> list[Worker]:
    """The processes that were heard of within the last ten minutes, oldest first.

    Those in whose place another has begun are left out: a host that was restarted is no trouble.
    """
    return metrics_repository.transact(
        lambda connection: workers_repository.recent(
            connection, within=_SHOWN_FOR, silent_after=_SILENT_AFTER, limit=_MOST_SHOWN
        )
    )


@lru_cache
def _instance() -> str:
    """As Azure names it, or the machine's name."""
    return os.environ.get("WEBSITE_INSTANCE_ID", "")[:12] or socket.gethostname()
