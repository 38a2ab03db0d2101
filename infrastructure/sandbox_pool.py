"""Sandboxed children that wait for the next task of their job.

One child can serve the tasks of a job one after the other, and keeps warm what it has looked
up, such as coordinate systems::

    with pool().borrow(job_id, limits=Limits(), preload=["pyogrio.raw"]) as sandbox:
        sandbox.call(...)

A child never serves two jobs: whoever takes over a parser by a file of theirs finds nothing of
anybody else's in it.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from infrastructure.sandbox import Limits, Sandbox

_IDLE_SECONDS = 2.0
_MAX_IDLE = 4


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a child must have in common with the one that is asked for."""

    job_id: str
    environment: frozenset[tuple[str, str]]
    preload: tuple[str, ...]
    readable: tuple[Path, ...] | None
    writable: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Idle:
    """A child that waits. `since` is of the monotonic clock, in seconds."""

    kind: _Kind
    sandbox: Sandbox
    since: float


class SandboxPool:
    """Idle children of the recent jobs, for any number of threads.

    One that nobody asks for within `idle_seconds` is ended, and so is the one that has waited
    longest when there are more than `max_idle`.
    """

    def __init__(self, *, idle_seconds: float = _IDLE_SECONDS, max_idle: int = _MAX_IDLE) -> None:
        self._idle_seconds = idle_seconds
        self._max_idle = max_idle
        self._idle: list[_Idle] = []  # the one that has waited longest first
        self._changed = threading.Condition()
        self._sweeper: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def borrow(
        self,
        job_id: str,
        *,
        limits: Limits,
        environment: Mapping[str, str] | None = None,
        preload: Sequence[str] = (),
        readable: Sequence[Path] | None = None,
        writable: Sequence[Path] = (),
    ) -> Iterator[Sandbox]:
        """A child of this job's alone, with an empty directory; see `Sandbox`.

        It is ended if the block raises: nobody knows what state it is in.
        """
        kind = _Kind(
            job_id,
            frozenset((environment or {}).items()),
            tuple(preload),
            None if readable is None else tuple(readable),
            tuple(writable),
        )
        sandbox = self._take(kind)
        if sandbox is None:
            sandbox = Sandbox(
                limits,
                environment=environment,
                preload=preload,
                readable=readable,
                writable=writable,
            )
        sandbox.limits = limits
        try:
            yield sandbox
            sandbox.empty_directory()
        except BaseException:
            sandbox.close()
            raise
        self._give_back(kind, sandbox)

    def close(self) -> None:
        """End every idle child, and from now on those that are given back."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            self._changed.notify_all()
        for each in idle:
            each.sandbox.close()

    def _take(self, kind: _Kind) -> Sandbox | None:
        with self._changed:
            # The latest: the others may then grow old enough to be ended.
            for position in reversed(range(len(self._idle))):
                if self._idle[position].kind == kind:
                    return self._idle.pop(position).sandbox
        return None

    def _give_back(self, kind: _Kind, sandbox: Sandbox) -> None:
        surplus: list[Sandbox] = []
        with self._changed:
            if self._closed:
                surplus.append(sandbox)
            else:
                self._idle.append(_Idle(kind, sandbox, time.monotonic()))
                while len(self._idle) > self._max_idle:
                    surplus.append(self._idle.pop(0).sandbox)
                if self._sweeper is None:
                    self._sweeper = threading.Thread(
                        target=self._sweep, name="sandbox-pool", daemon=True
                    )
                    self._sweeper.start()
                self._changed.notify_all()
        for each in surplus:
            each.close()

    def _sweep(self) -> None:
        """End children as their time comes; return once none is left."""
        while True:
            with self._changed:
                if not self._idle:
                    self._sweeper = None
                    return
                left = self._idle[0].since + self._idle_seconds - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                expired = self._idle.pop(0)
            expired.sandbox.close()


@cache
def pool() -> SandboxPool:
    """The process's pool, which ends with it."""
    pool = SandboxPool()
    atexit.register(pool.close)
    return pool
