"""Where the children of sandboxes come from: forks of template processes.

To start Python and import what a parser needs takes the better part of a second of CPU time. A
template does that once, for all children with the same environment and the same modules, and
forks each of them in milliseconds. `infrastructure.sandbox_template` says what it does, and why
children of strangers' files may come from one.

A template is started when a child is wanted that it can make. It ends with this process, and by
itself when it has had no child for ten minutes. A child ends with its template.
"""

from __future__ import annotations

import atexit
import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from infrastructure.sandbox_errors import SandboxError, SandboxFault, told
from infrastructure.sandbox_pipe import FramePipe
from infrastructure.sandbox_template import END, LENGTH, NUMBER

_TEMPLATE = "infrastructure.sandbox_template"
_START_SECONDS = 30.0
_END_SECONDS = 5.0
_END = b"."
_GREETING_BYTES = 64 << 10
_ATTEMPTS = 2

# Formats that make GDAL open other files or the network on behalf of the one it was given.
_INDIRECT_DRIVERS = (
    "VRT", "GTI", "WMS", "WMTS", "WCS", "WFS", "OAPIF", "OGCAPI", "STACIT", "STACTA", "DERIVED",
    "EEDA", "EEDAI", "PLMosaic", "PLSCENES", "NGW", "HTTP", "RasterLite", "TileDB", "Zarr",
    "DAAS", "CSW", "AmigoCloud", "Carto", "Elastic", "GeoRSS", "GMLAS", "MRF", "KMLSuperOverlay",
    "PostGISRaster", "PostgreSQL", "MySQL", "MSSQLSpatial", "MongoDBv3", "ODBC", "OGR_VRT",
)  # fmt: skip


class TemplateGoneError(Exception):
    """The template has ended, so that it cannot be asked for a child."""


class Child:
    """A process forked from a template, and the pipe to it."""

    def __init__(self, pid: int, pipe: FramePipe, lifeline: socket.socket) -> None:
        self.pid = pid
        self.pipe = pipe
        self._lifeline = lifeline
        self._exit_code: int | None = None
        self._cpu_seconds = 0.0
        self._cpu_seconds_told = 0.0

    def exit_code(self, timeout_seconds: float = 0.0) -> int | None:
        """The exit code, or minus the number of a signal; None if it still runs by then."""
        if self._exit_code is None:
            with suppress(TimeoutError):
                end = _receive(self._lifeline, END.size, timeout_seconds)
                # Without a word from the template that one is dead, and the child with it.
                self._exit_code = -signal.SIGKILL
                if end:
                    self._exit_code, self._cpu_seconds = END.unpack(end)
        return self._exit_code

    def cpu_seconds_since(self) -> float:
        """Seconds of CPU, of user and system, that the process has taken since this was asked
        last, or since its birth. Where the system does not tell of other processes before their
        end (it does on Linux), they are 0 until then.
        """
        if self.exit_code() is None and sys.platform == "linux":
            with suppress(OSError):  # It has ended just now, and its end is told next time.
                self._cpu_seconds = time.clock_gettime(_cpu_clock(self.pid))
        since = max(0.0, self._cpu_seconds - self._cpu_seconds_told)
        self._cpu_seconds_told += since
        return since

    def end(self) -> None:
        """Kill the process with all that it has started, and close the pipe. Not repeatable."""
        if self.exit_code() is None:
            with suppress(ConnectionError):
                self._lifeline.sendall(_END)
            if self.exit_code(_END_SECONDS) is None:
                # It was told to end, and nobody will hear of it when it has.
                self._exit_code = -signal.SIGKILL
        self._lifeline.close()
        self.pipe.close()


@dataclass(frozen=True, slots=True)
class _Kind:
    """What children must have in common to come from one template."""

    environment: frozenset[tuple[str, str]]
    preload: tuple[str, ...]


class _Template:
    """A template process, for any number of threads."""

    def __init__(self, kind: _Kind) -> None:
        self._lock = threading.Lock()
        self._greeting: dict[str, str] | None = None
        self._control, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", _TEMPLATE, str(number), json.dumps(kind.preload)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=dict(kind.environment),
                pass_fds=[number],
                start_new_session=True,
            )

    def fork(self, directory: str) -> Child:
        """See `Nursery.start`. Raises `TemplateGoneError` as well."""
        with self._lock:
            if self._greeting is None:
                self._greeting = self._await_greeting()
            if self._greeting:
                raise told(self._greeting)
            return self._ask(os.fsencode(directory))

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """End the process and its children. Safe to repeat."""
        with self._lock:
            self._control.close()
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _await_greeting(self) -> dict[str, str]:
        """Nothing, or why there will be no children."""
        deadline = time.monotonic() + _START_SECONDS
        line = b""
        while not line.endswith(b"\n"):
            try:
                part = _receive(self._control, _GREETING_BYTES, deadline - time.monotonic())
            except TimeoutError:
                message = f"The parser did not start within {_START_SECONDS:g} seconds."
                return {"fault": SandboxFault.KILLED, "error": message}
            if not part:
                message = f"The parser did not start (exit code {self._process.wait()})."
                return {"fault": SandboxFault.CRASHED, "error": message}
            line += part
        greeting: dict[str, str] = json.loads(line)
        return greeting

    def _ask(self, directory: bytes) -> Child:
        with ExitStack() as theirs, ExitStack() as ours:
            requests, outgoing = _pipe(theirs, ours)
            incoming, answers = _pipe(ours, theirs)
            lifeline, line = socket.socketpair()
            theirs.enter_context(line)
            ours.enter_context(lifeline)
            try:
                socket.send_fds(
                    self._control,
                    [LENGTH.pack(len(directory)), directory],
                    [requests, answers, line.fileno()],
                )
            except OSError as error:
                # Also where another thread found it gone and closed the socket.
                if error.errno in (errno.EPIPE, errno.ECONNRESET, errno.EBADF):
                    raise TemplateGoneError from None
                raise
            theirs.close()
            try:
                number = _receive(lifeline, NUMBER.size, _START_SECONDS)
            except TimeoutError:
                number = b""
            if not number:
                raise TemplateGoneError
            [pid] = NUMBER.unpack(number)
            if pid < 0:
                raise OSError(-pid, os.strerror(-pid))
            child = Child(pid, FramePipe(incoming, outgoing), lifeline)
            ours.pop_all()
            return child


class Nursery:
    """The templates of this process, for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._templates: dict[_Kind, _Template] = {}

    def start(
        self, environment: Mapping[str, str], preload: Sequence[str], directory: str
    ) -> Child:
        """A child at home in this directory, with this environment and these modules.

        Raises `SandboxError` where the template cannot start, as when there is no such module,
        and OSError where there can be no more processes.
        """
        kind = _Kind(frozenset(_clean(environment).items()), tuple(preload))
        for _ in range(_ATTEMPTS):
            template = self._template(kind)
            try:
                return template.fork(directory)
            except TemplateGoneError:
                self._drop(kind, template)
            except SandboxError:
                self._drop(kind, template)
                raise
        raise SandboxError(SandboxFault.CRASHED, "The parser did not start: it keeps ending.")

    def close(self) -> None:
        """End all templates and their children."""
        with self._lock:
            templates, self._templates = self._templates, {}
        for template in templates.values():
            template.close()

    def _template(self, kind: _Kind) -> _Template:
        with self._lock:
            # Those of kinds that nobody asks for any more have ended by themselves.
            for each, template in list(self._templates.items()):
                if not template.is_alive():
                    del self._templates[each]
                    template.close()
            if kind not in self._templates:
                self._templates[kind] = _Template(kind)
            return self._templates[kind]

    def _drop(self, kind: _Kind, template: _Template) -> None:
        with self._lock:
            if self._templates.get(kind) is template:
                del self._templates[kind]
        template.close()


_nursery = Nursery()
atexit.register(_nursery.close)


def start_child(environment: Mapping[str, str], preload: Sequence[str], directory: str) -> Child:
    """A child of the process's own nursery; see `Nursery.start`."""
    return _nursery.start(environment, preload, directory)


def _clean(extra: Mapping[str, str]) -> dict[str, str]:
    """Nothing of the app's own environment but what starts Python, and what is to be added."""
    inherited = ("PATH", "LD_LIBRARY_PATH", "LANG", "TZ", "SYSTEMROOT")
    return {
        **{name: os.environ[name] for name in inherited if name in os.environ},
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        "PYTHONDONTWRITEBYTECODE": "1",
        # SQLite looks this up once, when it is loaded: it is to mean each child's own directory.
        "HOME": ".",
        "TMPDIR": ".",
        # A template must have no threads.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
        "GDAL_NUM_THREADS": "1",
        "GDAL_SKIP": " ".join(_INDIRECT_DRIVERS),
        "GDAL_DRIVER_PATH": "disable",
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "GDAL_PAM_ENABLED": "NO",
        "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
        "PROJ_NETWORK": "OFF",
        **extra,
    }


def _cpu_clock(pid: int) -> int:
    """The clock of a process's CPU time, as Linux numbers it (clock_getcpuclockid(3))."""
    return (~pid << 3) | 2


def _pipe(reader: ExitStack, writer: ExitStack) -> tuple[int, int]:
    """A pipe whose ends are closed with these."""
    ends = os.pipe()
    reader.callback(os.close, ends[0])
    writer.callback(os.close, ends[1])
    return ends


def _receive(end: socket.socket, length: int, timeout_seconds: float) -> bytes:
    """At most so many bytes; none at the end. Raises TimeoutError."""
    poll = select.poll()
    poll.register(end, select.POLLIN)
    if not poll.poll(max(0.0, timeout_seconds) * 1000):
        raise TimeoutError
    try:
        return end.recv(length)
    except ConnectionError:
        return b""
