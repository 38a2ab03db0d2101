"""The memory of running processes, watched while something else is measured (Linux, proc(5))."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

_EVERY_SECONDS = 0.2
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def memory(pid: int) -> int:
    """The resident memory of a process and its descendants, in bytes; 0 where it is gone.

    Pages that processes share are counted once: PostgreSQL's backends all map the same shared
    buffers, and the sum of what `ps` shows for each would be many times what the server holds.
    """
    private = shared = 0
    for member in _family(pid):
        try:
            resident, of_it_shared = Path(f"/proc/{member}/statm").read_text().split()[1:3]
        except OSError:
            continue
        private += int(resident) - int(of_it_shared)
        shared = max(shared, int(of_it_shared))
    return (private + shared) * _PAGE_BYTES


def _family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    family = [pid]
    for member in family:
        for thread in _threads(member):
            try:
                children = Path(f"/proc/{member}/task/{thread}/children").read_text()
            except OSError:
                continue
            family += map(int, children.split())
    return family


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


class MemoryWatch:
    """Samples the memory of some processes for the length of a `with` block.

    Attributes:
        before: bytes at the start of the block, by the name of the process.
        peak: the most that was seen.
        after: bytes at the end.
    """

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = dict(processes)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)
        self.before: dict[str, int] = {}
        self.peak: dict[str, int] = {}
        self.after: dict[str, int] = {}

    def __enter__(self) -> MemoryWatch:
        self.before = self.sample()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.after = self.sample()

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            self.sample()

    def sample(self) -> dict[str, int]:
        """Look at the processes now, beside the looks that are taken anyway."""
        now = {name: memory(pid) for name, pid in self._processes.items()}
        self.peak = {name: max(self.peak.get(name, 0), bytes_) for name, bytes_ in now.items()}
        return now
