"""How much memory a process and its descendants take, as Linux tells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


def proportional_bytes(pid: int) -> int | None:
    """Resident memory of a process and its descendants, pages that they share counted once.

    None where the system does not tell. A child that ends meanwhile is left out.
    """
    sizes = [_bytes_of(each) for each in (pid, *_descendants(pid))]
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def _bytes_of(pid: int) -> int | None:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:  # no Linux, or the process has ended
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), None)


def _descendants(pid: int) -> Iterator[int]:
    for file in (_PROC / str(pid) / "task").glob("*/children"):
        try:
            children = [int(child) for child in file.read_text().split()]
        except OSError:  # the thread has ended
            continue
        for child in children:
            yield child
            yield from _descendants(child)
