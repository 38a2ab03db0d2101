"""What a sandboxed child does with its life; see `infrastructure.sandbox`.

It is forked by `infrastructure.sandbox_template`, gives up what it can (network, files, new
privileges), then answers calls on its pipe until the pipe closes. By itself it imports the
standard library only: what it parses with was imported by the template, or is by the functions
that it is asked to call.
"""

from __future__ import annotations

import ctypes
import importlib
import io
import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from infrastructure import landlock
from infrastructure.sandbox_frames import EMITTED_FRAME_BYTES, HEADER, Frame

_BUFFER_BYTES = 64 << 10
_MESSAGE_LIMIT = 2000
_NAME = b"sandbox-child"

# What Python and native libraries read of the system: code, time zones, the own process.
_SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/proc/self",
           "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu", "/dev/urandom",
           "/dev/zero")  # fmt: skip

# linux/sched.h and linux/prctl.h
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_NO_NEW_PRIVS = 38


class Channel:
    """The pipe to the parent."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    def receive(self) -> bytes:
        """The body of the next frame. Raises EOFError when the parent is gone."""
        length, _kind = HEADER.unpack(self._exactly(HEADER.size))
        return self._exactly(length)

    def send(self, kind: Frame, message: Mapping[str, Any]) -> None:
        body = json.dumps(message).encode()
        self._outgoing.write(HEADER.pack(len(body), kind) + body)
        self._outgoing.flush()

    def emit(self, sink: int, data: bytes | bytearray | memoryview) -> None:
        """Send bytes to the parent's sink of this number, in frames of bounded size."""
        view = memoryview(data).cast("B")
        for start in range(0, len(view), EMITTED_FRAME_BYTES):
            part = view[start : start + EMITTED_FRAME_BYTES]
            self._outgoing.write(HEADER.pack(1 + len(part), Frame.EMIT) + bytes((sink,)))
            self._outgoing.write(part)
        self._outgoing.flush()

    def _exactly(self, length: int) -> bytes:
        data = self._incoming.read(length)
        if len(data) < length:
            raise EOFError
        return data


class Emitter:
    """What a function is given as `emit`: `emit(name, data)` sends bytes to a sink by its name.

    The parent takes them in the order in which they were sent. Each call costs a few system
    calls: emit pieces of some 100 KB rather than rows.
    """

    def __init__(self, channel: Channel, sinks: Sequence[str]) -> None:
        self._channel = channel
        self._numbers = {name: number for number, name in enumerate(sinks)}

    def __call__(self, sink: str, data: bytes | bytearray | memoryview) -> None:
        if sink not in self._numbers:
            raise ValueError(f"there is no sink {sink!r}")
        self._channel.emit(self._numbers[sink], data)


class RemoteFile(io.RawIOBase):
    """A file of the parent's, read in ranges over the channel."""

    def __init__(self, channel: Channel, name: str, size: int) -> None:
        self._channel = channel
        self._name = name
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError(f"cannot seek to {base + offset}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._size - self._position)
        if length <= 0:
            return 0
        self._channel.send(
            Frame.READ, {"source": self._name, "offset": self._position, "length": length}
        )
        data = self._channel.receive()
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def live(incoming: int, outgoing: int, directory: str, template: int) -> None:
    """Serve calls until the parent closes the pipe.

    The pipe's ends are descriptors, `directory` is the child's own, and `template` the id of
    the process that forked it. The first frame holds JSON: {readable: [path] or null for no
    restriction, writable: [path]}; it is answered by what the kernel let the child give up.
    """
    os.setsid()
    _take_name()
    _move_into(directory)
    channel = Channel(os.fdopen(incoming, "rb"), os.fdopen(outgoing, "wb"))
    options = json.loads(channel.receive())
    given_up = {"network": _leave_network(), "files": _leave_files(options)}
    _end_with(template)
    channel.send(Frame.READY, {"given_up": given_up})
    while True:
        try:
            request = json.loads(channel.receive())
        except EOFError:
            return
        channel.send(Frame.RESULT, _answer(channel, request))


def _take_name() -> None:
    """Be told from the template by `ps -o comm`."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, _NAME, 0, 0, 0)


def _move_into(directory: str) -> None:
    """Make a directory the one for all that is written without a word on where."""
    os.chdir(directory)
    os.environ["HOME"] = os.environ["TMPDIR"] = directory
    tempfile.tempdir = None  # which the template may have looked up


def _leave_network() -> bool:
    """Move to an empty network namespace; whether the kernel allowed it."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # Root may do so as it is; others become root of a user namespace of their own first.
    wanted = (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET)
    return any(libc.unshare(flags) == 0 for flags in wanted)


def _leave_files(options: Mapping[str, Any]) -> bool:
    """Keep to Python, its packages, the own directory and what was named; whether that holds."""
    if options["readable"] is None:
        return False
    code = Path(__file__).parents[1]
    # The packages beside this one, but not the files there: some hold settings.
    packages = [str(path) for path in code.iterdir() if path.is_dir() and path.name[0] != "."]
    others = [entry for entry in sys.path if entry and Path(entry).resolve() != code]
    return landlock.restrict(
        readable=[*_SYSTEM, sys.prefix, sys.base_prefix, *packages, *others, *options["readable"]],
        listable=[str(code)],
        writable=["/dev/null", os.getcwd(), *options["writable"]],
    )


def _end_with(template: int) -> None:
    """Have the kernel kill this process when the template goes, whatever code runs in it.

    Elsewhere than on Linux the closing of the pipe has to do. To be called last: a change of
    privileges, such as a user namespace brings, takes it back.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != template:
        os._exit(1)  # It went before the kernel was told.


def _answer(channel: Channel, request: Mapping[str, Any]) -> dict[str, Any]:
    module, _, name = request["function"].partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
        _limit(request["limits"])
        files = {
            source: io.BufferedReader(RemoteFile(channel, source, size), _BUFFER_BYTES)
            for source, size in request["sources"].items()
        }
        extras: dict[str, Any] = dict(files)
        if request["sinks"]:
            extras["emit"] = Emitter(channel, request["sinks"])
        result = function(**request["arguments"], **extras)
        json.dumps(result)
    except MemoryError:
        limit = request["limits"]["memory_bytes"] >> 20
        return {
            "fault": "out_of_memory",
            "error": f"The parser needed more than {limit:,} MiB of memory.",
        }
    except Exception as error:  # Everything that the function raises is the caller's to judge.
        return raised(error)
    return {"result": result}


def _limit(limits: Mapping[str, Any]) -> None:
    """Set the limits of one call. Soft ones, so that the next call can set its own."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(usage.ru_utime + usage.ru_stime)
    _soft(resource.RLIMIT_CPU, spent + 1 + limits["cpu_seconds"])
    _soft(resource.RLIMIT_FSIZE, limits["written_file_bytes"])
    _soft(resource.RLIMIT_NOFILE, limits["open_files"])
    if sys.platform == "linux":
        with open("/proc/self/statm") as statm:
            held = int(statm.read().split()[0]) * resource.getpagesize()
        _soft(resource.RLIMIT_AS, held + limits["memory_bytes"])


def _soft(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, hard))


def raised(error: Exception) -> dict[str, str]:
    """What the parent is told of an exception: errors of geoforge's own speak for themselves."""
    code, message = getattr(error, "error_code", None), getattr(error, "message", None)
    if isinstance(code, str) and isinstance(message, str):
        return {"fault": "raised", "error": message[:_MESSAGE_LIMIT], "code": code}
    return {"fault": "raised", "error": f"{type(error).__name__}: {error}"[:_MESSAGE_LIMIT]}
