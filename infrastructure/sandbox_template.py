"""The process that sandboxed children are forked from: `python -m infrastructure.sandbox_template`.

Its arguments are the number of an inherited socket and a JSON list of modules. It imports the
modules, says so with a line of JSON on the socket ({}, or the error as a child tells it), and
from then on forks a child for each request. That is all it does: not a byte of anybody's file
ever reaches it, so what its children have in common is code. (And where in memory that code
lies: a child is held by what it gives up, which it does anew each time, and not by what an
attacker does not know.)

A request is the length of a path (4 bytes, big-endian) and the path of the child's directory.
With it come three descriptors: the two ends of the child's pipe, and its lifeline, a socket. On
that the template sends the child's process id, or minus the errno with which no child could be
made, and when the child has ended its exit code, or minus the number of a signal: 4 bytes each,
big-endian. With the latter comes, as a double of 8 bytes, how many seconds of CPU the child has
taken, of user and system, with those of the processes that it has waited for. A byte from the
other side ends the child with all that it has started. So does the end of that side, which then
nobody is left to tidy up after: the child's directory is removed as well. The end of the socket
itself ends everything.
"""

from __future__ import annotations

import errno
import gc
import importlib
import json
import os
import resource
import selectors
import shutil
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from infrastructure import sandbox_child

LENGTH = struct.Struct(">I")
NUMBER = struct.Struct(">i")
END = struct.Struct(">id")
_IDLE_SECONDS = 600.0
_BELL_BYTES = 4096


class Birth(NamedTuple):
    """What a child comes into the world with: its pipe, as descriptors, and its directory."""

    incoming: int
    outgoing: int
    directory: str


@dataclass(slots=True)
class _Charge:
    """A child, until it has ended and its exit code is told."""

    pid: int
    lifeline: socket.socket
    directory: str
    is_abandoned: bool = False

    def has_ended(self) -> bool:
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, options) is not None

    def kill(self) -> None:
        """End the child with its session, which it may not have come to open yet."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        os.kill(self.pid, signal.SIGKILL)

    def bury(self) -> None:
        """Wait for the child's end, pass the exit code on, and leave nothing of it."""
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        self.kill()  # What it has started may still run; until the next line its id is its own.
        _, status, usage = os.wait4(self.pid, 0)
        if self.is_abandoned:
            shutil.rmtree(self.directory, ignore_errors=True)
        else:
            with suppress(ConnectionError):
                cpu_seconds = usage.ru_utime + usage.ru_stime
                end = END.pack(os.waitstatus_to_exitcode(status), cpu_seconds)
                self.lifeline.sendall(end)
        self.lifeline.close()


class Template:
    """Forks children for whoever holds the other end of the socket."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._charges: dict[int, _Charge] = {}
        # The kernel rings the bell when a child has ended.
        self._bell, self._bell_rope = socket.socketpair()
        self._bell_rope.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._bell_rope.fileno(), warn_on_full_buffer=False)
        self._selector = selectors.PollSelector()
        for end in (control, self._bell):
            self._selector.register(end, selectors.EVENT_READ)

    def serve(self) -> Birth | None:
        """Returns as fork does: in each child with what it is born with, and here with None.

        Here that is when the socket has ended, or when there was no child for ten minutes.
        """
        while True:
            events = self._selector.select(None if self._charges else _IDLE_SECONDS)
            ready = {key.fileobj for key, _ in events}
            if not ready and not self._charges:
                return None
            if self._bell in ready:
                self._bury_the_dead()
            for charge in self._charges.values():
                if charge.lifeline in ready:
                    self._end(charge)
            if self._control in ready:
                try:
                    birth = self._fork()
                except EOFError:
                    self._end_all()
                    return None
                if birth is not None:
                    return birth

    def _fork(self) -> Birth | None:
        """Answer a request; what the child is born with, in the child."""
        directory, (incoming, outgoing, line) = self._request()
        lifeline = socket.socket(fileno=line)
        try:
            pid = os.fork()
        except OSError as error:
            pid = -(error.errno or errno.EAGAIN)
        if pid == 0:
            lifeline.close()
            self._leave()
            return Birth(incoming, outgoing, directory)
        os.close(incoming)
        os.close(outgoing)
        # Whoever asked may be gone, which shows when the lifeline is read.
        with suppress(ConnectionError):
            lifeline.sendall(NUMBER.pack(pid))
        if pid > 0:
            self._charges[pid] = _Charge(pid, lifeline, directory)
            self._selector.register(lifeline, selectors.EVENT_READ)
        else:
            lifeline.close()
        return None

    def _request(self) -> tuple[str, list[int]]:
        """The directory and the descriptors of a child to be. Raises EOFError after the last."""
        try:
            header, descriptors, *_ = socket.recv_fds(self._control, LENGTH.size, 3)
            if not header:
                raise EOFError
            [length] = LENGTH.unpack(header)
            return os.fsdecode(self._control.recv(length, socket.MSG_WAITALL)), descriptors
        except ConnectionError:
            raise EOFError from None

    def _leave(self) -> None:
        """Let go, in a child, of what is the template's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for end in (self._control, self._bell, self._bell_rope):
            end.close()
        for charge in self._charges.values():
            charge.lifeline.close()

    def _end(self, charge: _Charge) -> None:
        """End a child whose lifeline has something to read; its death is noted when it comes."""
        try:
            asked = charge.lifeline.recv(1)
        except ConnectionError:
            asked = b""
        charge.is_abandoned = not asked
        self._selector.unregister(charge.lifeline)
        charge.kill()

    def _end_all(self) -> None:
        for charge in self._charges.values():
            charge.is_abandoned = True
            charge.kill()
        for charge in self._charges.values():
            charge.bury()

    def _bury_the_dead(self) -> None:
        self._bell.recv(_BELL_BYTES)
        for charge in [each for each in self._charges.values() if each.has_ended()]:
            with suppress(KeyError):  # where it was already told to end
                self._selector.unregister(charge.lifeline)
            del self._charges[charge.pid]
            charge.bury()


def main() -> None:
    """Serve as a template. In a child, live that child's life."""
    control = socket.socket(fileno=int(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    failure = _prepare(json.loads(sys.argv[2]))
    control.sendall(json.dumps(failure).encode() + b"\n")
    if failure:
        return
    template = os.getpid()
    birth = Template(control).serve()
    if birth is not None:
        sandbox_child.live(*birth, template)
        os._exit(0)  # What else happens at an interpreter's end is the template's to do.


def _prepare(modules: Sequence[str]) -> dict[str, str]:
    """Import what children will need; the error, if there is one, as a child tells it."""
    try:
        for module in modules:
            importlib.import_module(module)
        _check_threads()
    except Exception as error:  # Whatever it is, it is told to whoever wanted a child.
        return sandbox_child.raised(error)
    # Looking for garbage among what the children share would make each of them copy it.
    gc.collect()
    gc.freeze()
    return {}


def _check_threads() -> None:
    """Raise if there are any: a fork takes along the locks that they hold, but not them."""
    if sys.platform != "linux":
        return
    tasks = [task for task in Path("/proc/self/task").iterdir() if int(task.name) != os.getpid()]
    if tasks:
        names = ", ".join(sorted((task / "comm").read_text().strip() for task in tasks))
        raise RuntimeError(f"the preloaded modules have started threads: {names}")


if __name__ == "__main__":
    main()
