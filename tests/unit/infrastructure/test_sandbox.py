"""The sandbox: what comes back, and what does not get out."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from infrastructure.sandbox import Limits, Sandbox, SandboxError, SandboxFault
from infrastructure.sandbox_child import MAX_FRAME_BYTES

HERE = "tests.unit.infrastructure.sandboxed"


@dataclass
class Source:
    data: bytes
    reads: list[tuple[int, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        self.reads.append((offset, length))
        return self.data[offset : offset + length]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits(memory_bytes=128 << 20, cpu_seconds=1, wall_seconds=3)) as sandbox:
        yield sandbox


def fault(sandbox: Sandbox, function: str, **arguments: Any) -> SandboxError:
    with pytest.raises(SandboxError) as caught:
        sandbox.call(f"{HERE}:{function}", arguments)
    return caught.value


def test_arguments_and_results_are_json(sandbox: Sandbox) -> None:
    value = {"a": [1, 2.5, None, "ü"], "b": {"c": True}}
    assert sandbox.call(f"{HERE}:echo", value) == value


def test_one_child_serves_many_calls_and_a_dead_one_is_replaced(sandbox: Sandbox) -> None:
    first = sandbox.call(f"{HERE}:process")
    assert sandbox.call(f"{HERE}:process") == first
    os.kill(first, signal.SIGKILL)
    with suppress(SandboxError):  # Unless its death was noticed before the call.
        sandbox.call(f"{HERE}:process")
    assert sandbox.call(f"{HERE}:process") != first


def test_the_environment_holds_no_setting(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@host/db")
    with Sandbox() as fresh:
        names = fresh.call(f"{HERE}:environment")
    assert "secret" not in str(names)
    assert names["HOME"] not in (os.environ.get("HOME"), "")


def test_what_the_function_raises_is_told(sandbox: Sandbox) -> None:
    error = fault(sandbox, "fail", message="bad byte 7")
    assert error.fault is SandboxFault.RAISED
    assert error.message == "ValueError: bad byte 7"
    assert fault(sandbox, "not_json").fault is SandboxFault.RAISED
    assert fault(sandbox, "no_such_function").fault is SandboxFault.RAISED


def test_a_crash_costs_the_child_only(sandbox: Sandbox) -> None:
    error = fault(sandbox, "crash")
    assert (error.fault, error.error_code) == (SandboxFault.CRASHED, "sandbox_crashed")
    assert "SIGSEGV" in error.message
    assert "exit code 3" in fault(sandbox, "leave", code=3).message
    assert sandbox.call(f"{HERE}:echo", {"a": 1}) == {"a": 1}


def test_cpu_time_is_limited_for_each_call(sandbox: Sandbox) -> None:
    began = time.monotonic()
    assert fault(sandbox, "spin").fault is SandboxFault.TIMED_OUT
    assert time.monotonic() - began < 10


def test_wall_time_is_limited_and_grandchildren_go_too() -> None:
    with Sandbox(Limits(wall_seconds=1)) as sandbox:
        child = sandbox.call(f"{HERE}:process")
        assert fault(sandbox, "sleep_with_child").fault is SandboxFault.TIMED_OUT
        listed = subprocess.run(["ps", "-o", "stat=", "-s", str(child)], capture_output=True)
        # Dead, if not yet taken note of by init.
        assert all(state.startswith(b"Z") for state in listed.stdout.split())


def test_memory_is_limited_beyond_what_the_idle_child_holds(sandbox: Sandbox) -> None:
    assert fault(sandbox, "eat", mebibytes=512).fault is SandboxFault.OUT_OF_MEMORY
    assert sandbox.call(f"{HERE}:eat", {"mebibytes": 50}) == 50 << 20


def test_nothing_is_written_beyond_the_limit(sandbox: Sandbox) -> None:
    fault(sandbox, "write", path="a.bin", size=10_000)
    with Sandbox(Limits(written_file_bytes=100)) as other:
        other.call(f"{HERE}:write", {"path": "a.bin", "size": 100})
        directory = other.directory
        assert (directory / "a.bin").stat().st_size == 100
    assert not directory.exists()


def test_what_it_prints_does_not_reach_the_protocol(sandbox: Sandbox) -> None:
    assert sandbox.call(f"{HERE}:scribble") == "well"


def test_an_answer_may_be_large_but_not_endless(sandbox: Sandbox) -> None:
    assert len(sandbox.call(f"{HERE}:answer", {"size": 5_000_000})) == 5_000_000


def test_the_network_is_out_of_reach(sandbox: Sandbox) -> None:
    isolated = subprocess.run(
        ["unshare", "--net", "true"], capture_output=True, check=False
    ).returncode
    if isolated != 0:
        pytest.skip("this kernel does not let the process leave its network")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert fault(sandbox, "connect", port=port).fault is SandboxFault.RAISED


def test_sources_are_read_in_ranges(sandbox: Sandbox) -> None:
    source = Source(bytes(range(97, 123)) * 100_000)
    call = {"offset": 1_300_001, "length": 5}
    assert sandbox.call(f"{HERE}:middle", call, sources={"data": source}) == "bcdef"
    assert sum(length for _, length in source.reads) < 200_000
    small = Source(b"0123456789")
    assert sandbox.call(f"{HERE}:ends", sources={"data": small}) == [10, 10, 0, 7]


def test_a_child_gets_no_more_than_a_frame_at_once(sandbox: Sandbox) -> None:
    source = Source(b"0123456789")
    call = {"source": "data", "offset": 2, "length": 1 << 50}
    assert sandbox.call(f"{HERE}:ask", call, sources={"data": source}) == 8
    assert source.reads == [(2, MAX_FRAME_BYTES)]


@pytest.mark.parametrize(
    "asked",
    [
        {"source": "other", "offset": 0, "length": 1},
        {"source": "data", "offset": -1, "length": 1},
        {"source": "data", "offset": 0, "length": -1},
        {"source": "data", "offset": None, "length": 1},
        {"source": "data", "offset": float("inf"), "length": 1},
        {"source": "data"},
    ],
)
def test_a_request_without_sense_is_refused(sandbox: Sandbox, asked: dict[str, Any]) -> None:
    source = Source(b"0123456789")
    with pytest.raises(SandboxError, match="lost its senses"):
        sandbox.call(f"{HERE}:ask", asked, sources={"data": source})
    assert source.reads == []


@pytest.mark.parametrize("text", ["{", "[]", "7", "[" * 100_000])
def test_what_is_no_request_is_refused(sandbox: Sandbox, text: str) -> None:
    with pytest.raises(SandboxError, match="lost its senses"):
        sandbox.call(f"{HERE}:babble", {"text": text}, sources={"data": Source(b"x")})


def test_a_child_that_does_not_listen_is_not_waited_for() -> None:
    source = Source(bytes(8 << 20))
    with Sandbox(Limits(wall_seconds=1)) as sandbox:
        began = time.monotonic()
        with pytest.raises(SandboxError) as caught:
            sandbox.call(
                f"{HERE}:ask_and_not_listen", {"length": source.size}, sources={"data": source}
            )
        assert caught.value.fault is SandboxFault.TIMED_OUT
        assert time.monotonic() - began < 10


def test_a_large_range_arrives_whole(sandbox: Sandbox) -> None:
    source = Source(bytes(20 << 20))
    call = {"source": "data", "offset": 0, "length": source.size}
    assert sandbox.call(f"{HERE}:ask", call, sources={"data": source}) == source.size


def test_what_reading_a_source_raises_comes_out(sandbox: Sandbox) -> None:
    class Broken(Source):
        def read(self, offset: int, length: int) -> bytes:
            raise ConnectionError("storage is down")

    with pytest.raises(ConnectionError):
        sandbox.call(f"{HERE}:middle", {"offset": 0, "length": 1}, sources={"data": Broken(b"abc")})
    assert sandbox.call(f"{HERE}:echo", {"a": 1}) == {"a": 1}


def test_the_wait_can_be_stopped() -> None:
    def check() -> None:
        raise RuntimeError("cancelled")

    with Sandbox(Limits(cpu_seconds=30, wall_seconds=30)) as sandbox:
        began = time.monotonic()
        with pytest.raises(RuntimeError, match="cancelled"):
            sandbox.call(f"{HERE}:sleep_with_child", check=check)
        assert time.monotonic() - began < 10
