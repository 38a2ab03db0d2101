"""Meters of what is done for a job: CPU, time, and bytes to and from storage.

Who runs something for a job puts a meter around it; what is done deep within is counted by
whatever meter is there, or by none::

    meter = Meter()
    with meter.running():
        handler(context)             # calls metering.read(len(data)) on its way
    cost_repository.add(connection, job_id, stage, meter.cost())

A meter belongs to a thread and what that one has begun: threads that help are those of `Threads`,
children those of `infrastructure.sandbox`.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import ParamSpec, TypeVar

from core.models.cost import Cost

P = ParamSpec("P")
T = TypeVar("T")

_meter: ContextVar[Meter | None] = ContextVar("geoforge_meter", default=None)


class Meter:
    """Counts, for any number of threads."""

    __slots__ = ("_busy_seconds", "_bytes_read", "_bytes_written", "_core_seconds", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._core_seconds = self._busy_seconds = 0.0
        self._bytes_read = self._bytes_written = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Within, this thread works for what is metered, and its time on the clock counts too."""
        token = _meter.set(self)
        began = time.perf_counter()
        try:
            with _thread_of(self):
                yield
        finally:
            _meter.reset(token)
            self.add(busy_seconds=time.perf_counter() - began)

    def add(
        self,
        *,
        core_seconds: float = 0.0,
        busy_seconds: float = 0.0,
        bytes_read: int = 0,
        bytes_written: int = 0,
    ) -> None:
        """Count something that was done."""
        with self._lock:
            self._core_seconds += core_seconds
            self._busy_seconds += busy_seconds
            self._bytes_read += bytes_read
            self._bytes_written += bytes_written

    def cost(self, messages: int = 0) -> Cost:
        """What was counted until now, with messages that somebody else has counted."""
        with self._lock:
            return Cost(
                core_seconds=self._core_seconds,
                busy_seconds=self._busy_seconds,
                messages=messages,
                bytes_read=self._bytes_read,
                bytes_written=self._bytes_written,
            )


class Threads(ThreadPoolExecutor):
    """Threads that work for whoever gives them work: in its context, and on its meter."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As the base does, but in a copy of the caller's context."""
        run = contextvars.copy_context().run
        return super().submit(run, _as_helper, partial(fn, *args, **kwargs))


def read(count: int) -> None:
    """So many bytes of a blob, or of a source's answer, have come."""
    if (meter := _meter.get()) is not None:
        meter.add(bytes_read=count)


def wrote(count: int) -> None:
    """So many bytes have become part of a blob."""
    if (meter := _meter.get()) is not None:
        meter.add(bytes_written=count)


def computed(core_seconds: float) -> None:
    """Another process has computed for so long, on behalf of this thread."""
    if (meter := _meter.get()) is not None:
        meter.add(core_seconds=core_seconds)


@contextmanager
def _thread_of(meter: Meter) -> Iterator[None]:
    """Count the CPU time that this thread takes within."""
    began = time.thread_time()
    try:
        yield
    finally:
        meter.add(core_seconds=time.thread_time() - began)


def _as_helper(work: Callable[[], T]) -> T:
    meter = _meter.get()
    if meter is None:
        return work()
    with _thread_of(meter):
        return work()
