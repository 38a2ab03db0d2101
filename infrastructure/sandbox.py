"""Run one importable function in a child process that may die, hang or eat memory.

Native parsers (GDAL, OGR, expat) meet files that strangers made. They run here, so that a
crash costs one file and not the worker::

    with Sandbox(Limits(wall_seconds=30)) as sandbox:
        facts = sandbox.call("infrastructure.raster_probe:probe", {"name": "a.tif"},
                             sources={"raster": BlobSource(...)}, check=context.check)

The child has limits on memory, CPU time, wall time and written bytes, an environment without
the app's settings, and no network where the kernel lets it give that up. A file in storage it
cannot open itself: it asks for byte ranges over its pipe, and the parent, which holds the
credentials, answers. Local files it opens by their paths. What it makes in bulk it streams to
sinks: functions of the parent's that take the bytes as they come. A child that died or was
killed is replaced at the next call.

Starting a child takes milliseconds once there was one with the same environment and modules:
see `infrastructure.sandbox_nursery`. What goes over the pipe is in `infrastructure.sandbox_frames`.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from infrastructure import metering
from infrastructure.sandbox_errors import SandboxError, SandboxFault, senseless, told
from infrastructure.sandbox_frames import MAX_FRAME_BYTES, Frame
from infrastructure.sandbox_nursery import Child, start_child
from infrastructure.sandbox_pipe import ChildGoneError, Patience

__all__ = ["ByteSource", "Limits", "Sandbox", "SandboxError", "SandboxFault", "Sink"]

log = logging.getLogger(__name__)

_START_SECONDS = 30.0
_DEATH_SECONDS = 5.0


class ByteSource(Protocol):
    """Something that the parent reads for the child, in ranges."""

    @property
    def size(self) -> int:
        """Bytes in all."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`; fewer only at the end."""
        ...


Sink = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may take. The memory is counted beyond what the idle child holds.

    The wall time is the child's own: what sources and sinks take is not counted.
    """

    memory_bytes: int = 1 << 30
    cpu_seconds: int = 30
    wall_seconds: float = 60.0
    written_file_bytes: int = 0
    open_files: int = 256
    emitted_bytes: int = 16 << 30


class Sandbox:
    """A child process for calls made one after the other. Not for use by two threads at once.

    `preload` names modules that the child has imported when it starts. With `readable` it is
    kept, where the kernel has Landlock, to these files and folders, the `writable` ones, its own
    directory and Python's; without, it can read what the parent can. `limits` may be set anew
    between calls.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        preload: Sequence[str] = (),
        readable: Sequence[Path] | None = None,
        writable: Sequence[Path] = (),
    ) -> None:
        self.limits = limits or Limits()
        self._environment = dict(environment or {})
        self._preload = tuple(preload)
        self._writable = tuple(writable)
        self._options = {
            "readable": None if readable is None else [str(path) for path in readable],
            "writable": [str(path) for path in writable],
        }
        self._child: Child | None = None
        self._directory: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def writable(self) -> tuple[Path, ...]:
        """Files and folders that the child may write, beside its own directory."""
        return self._writable

    @property
    def directory(self) -> Path:
        """A private directory that parent and child share; removed by `close`.

        The child may write files of at most `limits.written_file_bytes` there.
        """
        if self._directory is None:
            self._directory = tempfile.mkdtemp(prefix="geoforge-sandbox-")
        return Path(self._directory)

    def empty_directory(self) -> None:
        """Remove what calls have left in the directory."""
        if self._directory is None:
            return
        for entry in os.scandir(self._directory):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)

    def call(
        self,
        function: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        sources: Mapping[str, ByteSource] | None = None,
        sinks: Mapping[str, Sink] | None = None,
        check: Callable[[], None] | None = None,
    ) -> Any:
        """The result of `package.module:function(**arguments, **sources)`, which is JSON.

        Each source reaches the function as a seekable binary file. With sinks it gets one
        more argument, `emit(name, data)`, whose bytes reach the sink of that name in order, in
        pieces of at most 256 KiB. `check` is called about twice a second and may raise, to stop
        the wait. Raises `SandboxError`; what a source's `read` or a sink raises comes out
        unchanged. After anything but an answer the child is killed.
        """
        sources, sinks = sources or {}, sinks or {}
        request = {
            "function": function,
            "arguments": dict(arguments or {}),
            "sources": {name: source.size for name, source in sources.items()},
            "sinks": list(sinks),
            "limits": asdict(self.limits),
        }
        child = self._running()
        patience = Patience(self.limits.wall_seconds, check)
        try:
            child.pipe.send(Frame.CALL, json.dumps(request).encode(), patience)
            answer = self._serve(child, sources, list(sinks.values()), patience)
        except ChildGoneError:
            error = self._death(child)
            self._kill()
            raise error from None
        except BaseException:
            self._kill()
            raise
        finally:
            # Also of a child that is dead by now: what ran into a limit has cost the most.
            metering.computed(child.cpu_seconds_since())
        if "error" in answer:
            raise told(answer)
        return answer.get("result")

    def close(self) -> None:
        """End the child and remove its directory. Safe to repeat."""
        self._kill()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def _running(self) -> Child:
        if self._child is not None and self._child.exit_code() is None:
            return self._child
        self._kill()
        self._child = child = start_child(self._environment, self._preload, str(self.directory))
        patience = Patience(_START_SECONDS)
        try:
            child.pipe.send(Frame.START, json.dumps(self._options).encode(), patience)
            _, ready = child.pipe.receive(patience)
            _tell_what_is_in_reach(_message(ready))
        except ChildGoneError:
            error = self._death(child)
            self._kill()
            raise error from None
        except BaseException:
            self._kill()
            raise
        return child

    def _serve(
        self,
        child: Child,
        sources: Mapping[str, ByteSource],
        sinks: Sequence[Sink],
        patience: Patience,
    ) -> dict[str, Any]:
        """Answer the child's range requests and take what it emits until it returns its result."""
        emitted = 0
        while True:
            kind, body = child.pipe.receive(patience)
            # A child that is never waited for must not keep the caller from being stopped.
            patience.look_up()
            # The time that storage and sinks take is not the child's.
            began = time.monotonic()
            if kind is Frame.EMIT:
                emitted += len(body)
                if emitted > self.limits.emitted_bytes:
                    raise _emits_too_much(self.limits.emitted_bytes)
                _sink(sinks, body)(body[1:])
                patience.give_back(time.monotonic() - began)
                continue
            message = _message(body)
            if kind is not Frame.READ:
                return message
            data = _range(sources, message)
            patience.give_back(time.monotonic() - began)
            child.pipe.send(Frame.DATA, data, patience)

    def _death(self, child: Child) -> SandboxError:
        """Why the child is gone."""
        code = child.exit_code(_DEATH_SECONDS)
        if code is None:
            return SandboxError(SandboxFault.CRASHED, "The parser closed its pipe.")
        if code == -signal.SIGXCPU:
            return SandboxError(
                SandboxFault.TIMED_OUT,
                f"The parser used more than {self.limits.cpu_seconds} seconds of CPU time.",
            )
        if code == -signal.SIGKILL:
            return SandboxError(
                SandboxFault.KILLED, "The parser was killed, as when the machine lacks memory."
            )
        if code < 0:
            return SandboxError(
                SandboxFault.CRASHED, f"The parser crashed ({signal.Signals(-code).name})."
            )
        return SandboxError(SandboxFault.CRASHED, f"The parser ended with exit code {code}.")

    def _kill(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end()


@cache
def _warn_of(missing: str) -> None:
    """Once in a process: it is the same for every child."""
    log.warning("files of strangers are parsed by children that still have: %s", missing)


def _tell_what_is_in_reach(ready: Mapping[str, Any]) -> None:
    """Log what the kernel did not let a child give up."""
    given_up = ready.get("given_up") or {}
    missing = ", ".join(name for name, done in given_up.items() if done is False)
    if missing:
        _warn_of(missing)


def _message(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise senseless() from None
    if not isinstance(message, dict):
        raise senseless()
    return message


def _range(sources: Mapping[str, ByteSource], request: dict[str, Any]) -> bytes:
    """The bytes that the child asked for: at most those of one frame, whatever it said."""
    try:
        source = sources[request["source"]]
        offset, length = int(request["offset"]), int(request["length"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise senseless() from None
    if offset < 0 or length < 0:
        raise senseless()
    return source.read(offset, min(length, MAX_FRAME_BYTES))


def _sink(sinks: Sequence[Sink], body: bytes) -> Sink:
    """The sink that an emitted frame is for."""
    if not body or body[0] >= len(sinks):
        raise senseless()
    return sinks[body[0]]


def _emits_too_much(limit: int) -> SandboxError:
    return SandboxError(SandboxFault.RAISED, f"The parser made more than {limit:,} bytes.")
