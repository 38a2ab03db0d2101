"""Memory is that of a process and its descendants, with what they share counted once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.memory import MemoryWatch, memory

MB = 1_000_000

HOLDS_100_MB = "held = b'x' * 100_000_000; print(flush=True); input()"

# Two children map the memory that their parent has touched and shares with them.
SHARES_100_MB = """
import mmap, os
shared = mmap.mmap(-1, 100_000_000)
shared.write(b"x" * 100_000_000)
for _ in range(2):
    if not (child := os.fork()):
        sum(shared[::4096])
        os.write(1, b"1")
        os.read(0, 1)
        os._exit(0)
os.read(0, 1)
"""


@contextmanager
def running(program: str, ready: int = 1) -> Iterator[subprocess.Popen[bytes]]:
    """A Python program that has said so many bytes, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        assert len(process.stdout.read(ready)) == ready
        yield process
        process.kill()


def test_memory_of_a_process() -> None:
    with running(HOLDS_100_MB) as process:
        assert 100 * MB < memory(process.pid) < 150 * MB


def test_memory_of_children_is_counted() -> None:
    with running(f"import os\nif os.fork(): os.wait()\nelse: {HOLDS_100_MB}") as process:
        assert 100 * MB < memory(process.pid) < 150 * MB


def test_shared_memory_is_counted_once() -> None:
    with running(SHARES_100_MB, ready=2) as process:
        assert 100 * MB < memory(process.pid) < 190 * MB


def test_a_process_that_is_gone_holds_nothing() -> None:
    with running("print(flush=True)") as process:
        process.wait()
    assert memory(process.pid) == 0


def test_the_peak_is_seen_although_it_has_passed() -> None:
    with MemoryWatch({"own": os.getpid()}) as watched:
        held = bytearray(200 * MB)
        held[::4096] = b"x" * len(held[::4096])
        watched.sample()
        del held
    assert watched.peak["own"] > watched.before["own"] + 190 * MB
    assert watched.after["own"] < watched.peak["own"]
