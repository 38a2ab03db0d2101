"""The pool of sandboxed children: who gets which, and when they end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.sandbox import Limits, Sandbox, SandboxError
from infrastructure.sandbox_pool import SandboxPool, pool

HERE = "tests.unit.infrastructure.sandboxed"
LIMITS = Limits(memory_bytes=128 << 20, cpu_seconds=5, wall_seconds=5)


@pytest.fixture
def children() -> Iterator[SandboxPool]:
    children = SandboxPool(max_idle=2)
    yield children
    children.close()


def process(sandbox: Sandbox) -> int:
    number: int = sandbox.call(f"{HERE}:process")
    return number


def lives(number: int) -> bool:
    state = Path(f"/proc/{number}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def borrowed(children: SandboxPool, job_id: str, **options: dict[str, str]) -> int:
    with children.borrow(job_id, limits=LIMITS, **options) as sandbox:  # type: ignore[arg-type]
        return process(sandbox)


def test_a_job_gets_its_child_back_and_no_other_job_does(children: SandboxPool) -> None:
    first = borrowed(children, "a")
    assert borrowed(children, "a") == first
    assert borrowed(children, "b") != first
    assert borrowed(children, "a", environment={"X": "1"}) != first


def test_two_threads_of_a_job_get_a_child_each(children: SandboxPool) -> None:
    both = threading.Barrier(2, timeout=20)
    numbers: list[int] = []

    def work() -> None:
        with children.borrow("a", limits=LIMITS) as sandbox:
            both.wait()
            numbers.append(process(sandbox))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(numbers)) == 2


def test_each_borrower_sets_its_own_limits(children: SandboxPool) -> None:
    borrowed(children, "a")
    small = Limits(memory_bytes=16 << 20)
    with (
        pytest.raises(SandboxError, match="16 MiB"),
        children.borrow("a", limits=small) as sandbox,
    ):
        sandbox.call(f"{HERE}:eat", {"mebibytes": 64})


def test_a_child_comes_with_an_empty_directory(children: SandboxPool) -> None:
    limits = Limits(written_file_bytes=100)
    with children.borrow("a", limits=limits) as sandbox:
        sandbox.call(f"{HERE}:write", {"path": "left.bin", "size": 10})
        (sandbox.directory / "folder").mkdir()
        (sandbox.directory / "folder" / "deep.bin").touch()
    with children.borrow("a", limits=limits) as sandbox:
        assert list(sandbox.directory.iterdir()) == []


def test_a_child_whose_block_raised_is_ended(children: SandboxPool) -> None:
    number = borrowed(children, "a")

    def fail() -> None:
        with children.borrow("a", limits=LIMITS) as sandbox:
            assert process(sandbox) == number
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not lives(number)
    assert borrowed(children, "a") != number


def test_the_one_that_waited_longest_makes_room(children: SandboxPool) -> None:
    numbers = [borrowed(children, job) for job in "abc"]
    assert [lives(number) for number in numbers] == [False, True, True]


def test_nobody_waits_for_ever() -> None:
    children = SandboxPool(idle_seconds=0.2)
    for _ in range(2):  # The sweeper ends with the last child, and begins again.
        number = borrowed(children, "a")
        deadline = time.monotonic() + 60
        while lives(number):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    children.close()


def test_a_closed_pool_keeps_nothing() -> None:
    children = SandboxPool()
    waiting = borrowed(children, "a")
    with children.borrow("b", limits=LIMITS) as sandbox:
        busy = process(sandbox)
        children.close()
        assert not lives(waiting)
        assert process(sandbox) == busy
    assert not lives(busy)


def test_the_process_has_one_pool() -> None:
    assert pool() is pool()
