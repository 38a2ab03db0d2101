"""One process of the operating system: start it, know it again, stop it.

A process is known by its id and the moment it started, so that an id which the kernel has given to
someone else since is never mistaken for ours. That also lets a new supervisor take over processes
that an earlier one started. Linux only: the facts come from /proc (see proc(5)).
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOG_LIMIT_BYTES = 32 * 1024 * 1024
"""A log longer than this is moved aside, so that a stack left up for months fills no disk."""

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Identity:
    """A process as nobody else can be: its id, and when it started on which boot."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """Identify a live process; None where there is none, or only its zombie."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        # The command's name stands in parentheses and may hold spaces and parentheses itself.
        state, *rest = stat.rpartition(")")[2].split()
        if state in "ZX":
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return cls(pid, f"{boot}:{rest[18]}")

    @classmethod
    def own(cls) -> Identity:
        """The identity of this process."""
        own = cls.of(os.getpid())
        if own is None:
            raise RuntimeError("/proc does not show this process: is it mounted?")
        return own

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return Identity.of(self.pid) == self


class Process:
    """A process that we started, or took over from a supervisor that died."""

    def __init__(self, identity: Identity, child: subprocess.Popen[bytes] | None = None) -> None:
        self.identity = identity
        self._child = child

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        log: Path,
        user: str | None = None,
    ) -> Process:
        """Start a command in a session of its own, its output appended to a log file.

        Args:
            command: the program and its arguments.
            environment: the whole environment of the process.
            directory: its working directory.
            log: where its standard output and standard error go.
            user: the user to run as (only root may name another); None for our own.

        Raises:
            OSError: the program cannot be run.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        rotate(log)
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=directory,
                env=dict(environment),
                start_new_session=True,
                **as_user(user),
            )
        # A child that is gone already leaves a zombie until poll() is called, hence the fallback.
        return cls(Identity.of(child.pid) or Identity(child.pid, "ended"), child)

    def is_alive(self) -> bool:
        """Whether the process still runs; reaps it where it has ended and was our child."""
        if self._child is not None:
            return self._child.poll() is None
        return self.identity.is_alive()

    def how_it_ended(self) -> str:
        """Say how a process that has ended did so."""
        code = self._child.returncode if self._child is not None else None
        if code is None:
            return "ended"
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def send(self, number: int) -> None:
        """Send a signal, unless the process is gone."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.identity.pid, number)

    def stop(self, number: int = signal.SIGTERM, seconds: float = 10.0) -> bool:
        """Ask the process to end, and kill it with its whole session if it has not in time.

        Returns:
            True if it ended when asked, False if it had to be killed.
        """
        self.send(number)
        if self.wait(seconds):
            return True
        self.kill()
        return False

    def kill(self) -> None:
        """Kill the process, and what it started in its own process group, at once."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                # Only a leader's id names a group of its own; ours always lead one.
                if os.getpgid(self.identity.pid) == self.identity.pid:
                    os.killpg(self.identity.pid, signal.SIGKILL)
            self.send(signal.SIGKILL)
            self.wait(10.0)

    def wait(self, seconds: float) -> bool:
        """Wait until the process has ended, for at most so many seconds; whether it has."""
        deadline = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True


def as_user(user: str | None) -> dict[str, Any]:
    """Arguments for subprocess that run the command as another user and with its groups only."""
    if user is None:
        return {}
    group = pwd.getpwnam(user).pw_gid
    return {"user": user, "group": group, "extra_groups": os.getgrouplist(user, group)}


def rotate(log: Path) -> None:
    """Move a log that has grown too long aside, under a writer that appends to it."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_LIMIT_BYTES:
            shutil.copyfile(log, log.with_name(log.name + ".1"))
            os.truncate(log, 0)


def tail(log: Path, lines: int) -> list[str]:
    """The last lines of a log; none where there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            # Long enough for these lines unless they are of absurd length.
            file.seek(max(0, file.tell() - lines * 1024))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-lines:]
