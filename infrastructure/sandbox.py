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

On the pipe each frame is a header (4 bytes of length, big-endian, 1 byte of kind) and a body:
JSON, the bytes of a range, or the number of a sink (1 byte) and bytes for it.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from core.errors import GeoforgeError
from infrastructure.sandbox_child import EMITTED_FRAME_BYTES, HEADER, MAX_FRAME_BYTES, Frame

_CHILD = "infrastructure.sandbox_child"
_START_SECONDS = 30.0
_TICK_SECONDS = 0.5
# Room for several emitted frames: with less the two sides would mostly wait for each other.
_PIPE_BYTES = 4 * EMITTED_FRAME_BYTES

# Formats that make GDAL open other files or the network on behalf of the one it was given.
_INDIRECT_DRIVERS = (
    "VRT", "GTI", "WMS", "WMTS", "WCS", "WFS", "OAPIF", "OGCAPI", "STACIT", "STACTA", "DERIVED",
    "EEDA", "EEDAI", "PLMosaic", "PLSCENES", "NGW", "HTTP", "RasterLite", "TileDB", "Zarr",
    "DAAS", "CSW", "AmigoCloud", "Carto", "Elastic", "GeoRSS", "GMLAS", "MRF", "KMLSuperOverlay",
    "PostGISRaster", "PostgreSQL", "MySQL", "MSSQLSpatial", "MongoDBv3", "ODBC", "OGR_VRT",
)  # fmt: skip


class SandboxFault(StrEnum):
    """What went wrong in the child."""

    RAISED = "raised"
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"


class SandboxError(GeoforgeError):
    """The function did not return. `fault` says how; the message can be shown to users.

    `raised_code` is the code of the `GeoforgeError` that the function raised, if it was one,
    and the message is then that error's.
    """

    code = "sandbox_failed"

    def __init__(
        self, fault: SandboxFault, message: str, *, raised_code: str | None = None
    ) -> None:
        super().__init__(message, code=f"sandbox_{fault}")
        self.fault = fault
        self.raised_code = raised_code


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

    `preload` names modules that the child imports when it starts. With `readable` it is kept,
    where the kernel has Landlock, to these files and folders, the `writable` ones, its own
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
        self._options = {
            "preload": list(preload),
            "readable": None if readable is None else [str(path) for path in readable],
            "writable": [str(path) for path in writable],
        }
        self._process: subprocess.Popen[bytes] | None = None
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
        process = self._running()
        deadline = time.monotonic() + self.limits.wall_seconds
        try:
            self._send(process, Frame.CALL, json.dumps(request).encode(), deadline, check)
            answer = self._serve(process, sources, list(sinks.values()), deadline, check)
        except BaseException:
            self._kill()
            raise
        if "error" in answer:
            raise _told(answer)
        return answer.get("result")

    def close(self) -> None:
        """End the child and remove its directory. Safe to repeat."""
        self._kill()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._kill()
        self._process = process = subprocess.Popen(
            [sys.executable, "-P", "-m", _CHILD, json.dumps(self._options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.directory,
            env=self._child_environment(),
            start_new_session=True,
            bufsize=0,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        # A child that does not read must not hold the parent in a write.
        os.set_blocking(process.stdin.fileno(), False)
        _widen(process.stdout.fileno())
        try:
            _, ready = self._receive(process, time.monotonic() + _START_SECONDS, None)
            if "error" in (greeting := _message(ready)):
                raise _told(greeting)
        except BaseException:
            self._kill()
            raise
        return process

    def _child_environment(self) -> dict[str, str]:
        """Nothing of the app's own environment but what starts Python."""
        inherited = ("PATH", "LD_LIBRARY_PATH", "LANG", "TZ", "SYSTEMROOT")
        return {
            **{name: os.environ[name] for name in inherited if name in os.environ},
            "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(self.directory),
            "TMPDIR": str(self.directory),
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "GDAL_NUM_THREADS": "1",
            "GDAL_SKIP": " ".join(_INDIRECT_DRIVERS),
            "GDAL_DRIVER_PATH": "disable",
            "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
            "GDAL_PAM_ENABLED": "NO",
            "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
            "PROJ_NETWORK": "OFF",
            **self._environment,
        }

    def _serve(
        self,
        process: subprocess.Popen[bytes],
        sources: Mapping[str, ByteSource],
        sinks: Sequence[Sink],
        deadline: float,
        check: Callable[[], None] | None,
    ) -> dict[str, Any]:
        """Answer the child's range requests and take what it emits until it returns its result."""
        emitted = 0
        checked = time.monotonic()
        while True:
            kind, body = self._receive(process, deadline, check)
            began = time.monotonic()
            if check is not None and began - checked > _TICK_SECONDS:
                # A child that is never waited for must not keep the caller from being stopped.
                check()
                checked = began
            if kind is Frame.EMIT:
                emitted += len(body)
                if emitted > self.limits.emitted_bytes:
                    raise _emits_too_much(self.limits.emitted_bytes)
                _sink(sinks, body)(body[1:])
                # The time that storage and sinks take is not the child's.
                deadline += time.monotonic() - began
                continue
            message = _message(body)
            if kind is not Frame.READ:
                return message
            data = _range(sources, message)
            deadline += time.monotonic() - began
            self._send(process, Frame.DATA, data, deadline, check)

    def _send(
        self,
        process: subprocess.Popen[bytes],
        kind: Frame,
        body: bytes,
        deadline: float,
        check: Callable[[], None] | None,
    ) -> None:
        assert process.stdin is not None
        descriptor = process.stdin.fileno()
        view = memoryview(HEADER.pack(len(body), kind) + body)
        try:
            while view:
                self._wait(descriptor, select.POLLOUT, deadline, check)
                view = view[os.write(descriptor, view) :]
        except BrokenPipeError:
            raise self._death(process) from None

    def _receive(
        self,
        process: subprocess.Popen[bytes],
        deadline: float,
        check: Callable[[], None] | None,
    ) -> tuple[Frame, bytes]:
        header = self._read(process, HEADER.size, deadline, check)
        try:
            length, kind = HEADER.unpack(header)
            frame = Frame(kind)
        except (struct.error, ValueError):
            raise _senseless() from None
        if length > MAX_FRAME_BYTES:
            raise SandboxError(
                SandboxFault.RAISED, f"The parser's answer is over {MAX_FRAME_BYTES:,} bytes."
            )
        return frame, self._read(process, length, deadline, check)

    def _read(
        self,
        process: subprocess.Popen[bytes],
        length: int,
        deadline: float,
        check: Callable[[], None] | None,
    ) -> bytes:
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        parts: list[bytes] = []
        while length > 0:
            self._wait(descriptor, select.POLLIN, deadline, check)
            part = os.read(descriptor, min(length, 1 << 20))
            if not part:
                raise self._death(process)
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def _wait(
        self, descriptor: int, event: int, deadline: float, check: Callable[[], None] | None
    ) -> None:
        """Wait until the pipe can be read or written, calling `check` now and then."""
        poll = select.poll()
        poll.register(descriptor, event)
        while (left := deadline - time.monotonic()) > 0:
            if poll.poll(min(left, _TICK_SECONDS) * 1000):
                return
            if check is not None:
                check()
        raise SandboxError(
            SandboxFault.TIMED_OUT,
            f"The parser took longer than {self.limits.wall_seconds:g} seconds.",
        )

    def _death(self, process: subprocess.Popen[bytes]) -> SandboxError:
        """Why the child is gone."""
        try:
            code = process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return SandboxError(SandboxFault.CRASHED, "The parser closed its pipe.")
        if code == -signal.SIGXCPU:
            return SandboxError(
                SandboxFault.TIMED_OUT,
                f"The parser used more than {self.limits.cpu_seconds} seconds of CPU time.",
            )
        if code < 0:
            return SandboxError(
                SandboxFault.CRASHED, f"The parser crashed ({signal.Signals(-code).name})."
            )
        return SandboxError(SandboxFault.CRASHED, f"The parser ended with exit code {code}.")

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            # Its own session: what it may have started goes with it.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _message(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise _senseless() from None
    if not isinstance(message, dict):
        raise _senseless()
    return message


def _told(answer: Mapping[str, Any]) -> SandboxError:
    """The error that the child tells of."""
    try:
        fault, message, code = SandboxFault(answer["fault"]), answer["error"], answer.get("code")
    except (KeyError, ValueError):
        raise _senseless() from None
    return SandboxError(fault, str(message), raised_code=None if code is None else str(code))


def _range(sources: Mapping[str, ByteSource], request: dict[str, Any]) -> bytes:
    """The bytes that the child asked for: at most those of one frame, whatever it said."""
    try:
        source = sources[request["source"]]
        offset, length = int(request["offset"]), int(request["length"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise _senseless() from None
    if offset < 0 or length < 0:
        raise _senseless()
    return source.read(offset, min(length, MAX_FRAME_BYTES))


def _sink(sinks: Sequence[Sink], body: bytes) -> Sink:
    """The sink that an emitted frame is for."""
    if not body or body[0] >= len(sinks):
        raise _senseless()
    return sinks[body[0]]


def _emits_too_much(limit: int) -> SandboxError:
    return SandboxError(SandboxFault.RAISED, f"The parser made more than {limit:,} bytes.")


def _widen(pipe: int) -> None:
    """Give a pipe room for frames where the system lets us; the usual room works too."""
    if sys.platform == "linux":
        # Refused where the user's pipes together hold as much as the kernel allows.
        with suppress(PermissionError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _senseless() -> SandboxError:
    return SandboxError(SandboxFault.CRASHED, "The parser lost its senses.")
