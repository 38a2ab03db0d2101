"""The child processes in which GDAL reads and writes rasters, and how they are called."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from config import get_settings
from core.errors import PermanentTaskError, TransientTaskError
from infrastructure.sandbox import ByteSource, Limits, Sandbox, SandboxError, SandboxFault, Sink
from infrastructure.sandbox_pool import pool
from infrastructure.turns import Turns
from services.raster import room
from services.raster.child.gdal_environment import ENVIRONMENT, PRELOAD
from services.vector.source_files import LocalSource

Check = Callable[[], None]

# What one call may take is bounded by hours; a task has a lease and is asked to stop by `check`.
_CALL_SECONDS = 4 * 3600
_WRITTEN_BYTES = 256 << 30
_OPEN_FILES = 1024
_BRIEF_MEMORY_MB = 1024

_turns = Turns(max(2, os.cpu_count() or 1))

_CODES = {
    SandboxFault.CRASHED: "raster_crashes_reader",
    SandboxFault.TIMED_OUT: "raster_takes_too_long",
    SandboxFault.OUT_OF_MEMORY: "raster_needs_more_memory",
    SandboxFault.RAISED: "raster_failed",
}


@contextmanager
def child_of(
    job_id: str, source: LocalSource, check: Check, *, memory_mb: int = 1024
) -> Iterator[Sandbox]:
    """A child for this job and no other, which can read and write the source's folder only.

    Waits while as many are at work in this process as there are processors: more would take
    memory and win nothing. `memory_mb` is beyond what an idle child holds.
    """
    reachable = [source.entry.folder]
    with _child(job_id, reachable, reachable, check, memory_mb) as child:
        yield child


@contextmanager
def child_of_several(
    job_id: str,
    sources: Sequence[LocalSource],
    scratch: Path,
    check: Check,
    *,
    memory_mb: int = 1024,
    preload: Sequence[str] = (),
) -> Iterator[Sandbox]:
    """As `child_of`, one that can read the folders of several sources and write none of them: it
    writes into the folder `scratch`. `preload` names modules that it has imported beside those of
    every child."""
    readable = [source.entry.folder for source in sources]
    with _child(job_id, readable, [scratch], check, memory_mb, preload) as child:
        yield child


@contextmanager
def child_of_ranges(
    job_id: str, check: Check, *, memory_mb: int = 1024, preload: Sequence[str] = ()
) -> Iterator[Sandbox]:
    """As `child_of`, one that reaches no files at all: what it reads comes from the parent.
    `preload` names modules that it has imported beside those of every child."""
    with _child(job_id, [], [], check, memory_mb, preload) as child:
        yield child


@contextmanager
def _child(
    job_id: str,
    readable: Sequence[Path],
    writable: Sequence[Path],
    check: Check,
    memory_mb: int,
    preload: Sequence[str] = (),
) -> Iterator[Sandbox]:
    with (
        _turns.one(check),
        pool().borrow(
            job_id,
            limits=_limits(memory_mb, _CALL_SECONDS),
            environment=environment(),
            preload=(*PRELOAD, *preload),
            readable=readable,
            writable=writable,
        ) as child,
    ):
        yield child


@contextmanager
def brief_child(source: LocalSource | None, seconds: float) -> Iterator[Sandbox]:
    """A child for one quick look into a source; with None it reaches no files at all, and what
    it reads comes from the parent."""
    reachable = [] if source is None else [source.entry.folder]
    with Sandbox(
        _limits(_BRIEF_MEMORY_MB, seconds),
        environment=environment(),
        preload=PRELOAD,
        readable=reachable,
        writable=reachable,
    ) as child:
        yield child


def call(
    child: Sandbox,
    function: str,
    arguments: Mapping[str, Any],
    *,
    check: Check | None,
    what: str,
    sources: Mapping[str, ByteSource] | None = None,
    sinks: Mapping[str, Sink] | None = None,
) -> Any:
    """What a function of the child's returns; see `Sandbox.call`. `what` names the raster.

    Raises `PermanentTaskError` with the code of the error that the child raised on purpose, or
    raster_failed, raster_crashes_reader, raster_takes_too_long, raster_needs_more_memory; and
    `TransientTaskError` for a child that was killed, or had no room on the disk (not_enough_disk):
    neither says anything of the raster.
    """
    disk = room.Watch(child.writable, check)
    try:
        return child.call(function, arguments, sources=sources, sinks=sinks, check=disk.look)
    except SandboxError as error:
        if error.fault is SandboxFault.KILLED:
            raise TransientTaskError(f"{what}: {error.message}", code=error.error_code) from error
        if disk.was_full(error.message):
            raise room.not_enough(f"{what}: {error.message}") from error
        message = f"{what}: {error.message}"
        if error.fault is SandboxFault.OUT_OF_MEMORY:
            message += " Raise memory_mb, or write the file in tiles."
        raise PermanentTaskError(
            message, code=error.raised_code or _CODES[error.fault], field="blob_name"
        ) from error


def environment() -> dict[str, str]:
    """The environment of a child that opens rasters, with the limit that it holds them to."""
    return {**ENVIRONMENT, "GEOFORGE_MAX_RASTER_PIXELS": str(get_settings().max_raster_pixels)}


def _limits(memory_mb: int, seconds: float) -> Limits:
    cores = os.cpu_count() or 1
    return Limits(
        memory_bytes=memory_mb << 20,
        cpu_seconds=math.ceil(seconds) * cores,  # GDAL compresses in threads
        wall_seconds=seconds,
        written_file_bytes=_WRITTEN_BYTES,
        open_files=_OPEN_FILES,
    )
