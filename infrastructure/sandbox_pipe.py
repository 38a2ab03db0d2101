"""The parent's end of the pipe to a sandboxed child, which may not read, write or live."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from io import FileIO

from infrastructure.sandbox_errors import SandboxError, SandboxFault, senseless
from infrastructure.sandbox_frames import EMITTED_FRAME_BYTES, HEADER, MAX_FRAME_BYTES, Frame

_TICK_SECONDS = 0.5
_PIECE_BYTES = 1 << 20
# Room for several emitted frames: with less the two sides would mostly wait for each other.
_PIPE_BYTES = 4 * EMITTED_FRAME_BYTES


class ChildGoneError(Exception):
    """The child has closed its ends: it is dead, or about to be."""


class Patience:
    """How long a child is waited for, and who may call the wait off.

    `check` is called about twice a second and may raise.
    """

    def __init__(self, seconds: float, check: Callable[[], None] | None = None) -> None:
        self._seconds = seconds
        self._check = check
        self._checked = time.monotonic()
        self._deadline = self._checked + seconds

    def look_up(self) -> None:
        """Call `check` if it is time to, for waits in which the child always has something."""
        if self._check is not None and time.monotonic() - self._checked > _TICK_SECONDS:
            self._check()
            self._checked = time.monotonic()

    def give_back(self, seconds: float) -> None:
        """Do not count time in which the child was not at work."""
        self._deadline += seconds

    def wait(self, file: FileIO, event: int) -> None:
        """Wait until a file can be read or written. Raises `SandboxError`: timed_out."""
        poll = select.poll()
        poll.register(file, event)
        while (left := self._deadline - time.monotonic()) > 0:
            if poll.poll(min(left, _TICK_SECONDS) * 1000):
                return
            self.look_up()
        raise SandboxError(
            SandboxFault.TIMED_OUT, f"The parser took longer than {self._seconds:g} seconds."
        )


class FramePipe:
    """Frames to and from one child. Takes over the two descriptors, and closes them.

    Its methods raise `ChildGoneError`, and `SandboxError` where the time is up or what comes
    makes no sense.
    """

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming = FileIO(incoming, "rb")
        self._outgoing = FileIO(outgoing, "wb")
        # A child that does not read must not hold the parent in a write.
        os.set_blocking(outgoing, False)
        _widen(incoming)

    def send(self, kind: Frame, body: bytes, patience: Patience) -> None:
        view = memoryview(HEADER.pack(len(body), kind) + body)
        try:
            while view:
                patience.wait(self._outgoing, select.POLLOUT)
                view = view[self._outgoing.write(view) or 0 :]
        except BrokenPipeError:
            raise ChildGoneError from None

    def receive(self, patience: Patience) -> tuple[Frame, bytes]:
        header = self._read(HEADER.size, patience)
        try:
            length, kind = HEADER.unpack(header)
            frame = Frame(kind)
        except (struct.error, ValueError):
            raise senseless() from None
        if length > MAX_FRAME_BYTES:
            raise SandboxError(
                SandboxFault.RAISED, f"The parser's answer is over {MAX_FRAME_BYTES:,} bytes."
            )
        return frame, self._read(length, patience)

    def close(self) -> None:
        self._incoming.close()
        self._outgoing.close()

    def _read(self, length: int, patience: Patience) -> bytes:
        parts: list[bytes] = []
        while length > 0:
            patience.wait(self._incoming, select.POLLIN)
            part = self._incoming.read(min(length, _PIECE_BYTES))
            if not part:
                raise ChildGoneError
            parts.append(part)
            length -= len(part)
        return b"".join(parts)


def _widen(pipe: int) -> None:
    """Give a pipe room for frames where the system lets us; the usual room works too."""
    if sys.platform == "linux":
        # Refused where the user's pipes together hold as much as the kernel allows.
        with suppress(PermissionError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
