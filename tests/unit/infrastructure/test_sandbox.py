"""The sandbox: what comes back, and what does not get out."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from infrastructure.sandbox import Limits, Sandbox, SandboxError, SandboxFault
from infrastructure.sandbox_frames import EMITTED_FRAME_BYTES, MAX_FRAME_BYTES

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
    with Sandbox(Limits(memory_bytes=128 << 20, cpu_seconds=1, wall_seconds=30)) as sandbox:
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


def test_an_error_of_our_own_speaks_for_itself(sandbox: Sandbox) -> None:
    error = fault(sandbox, "refuse", message="The file is a photograph.")
    assert (error.fault, error.raised_code) == (SandboxFault.RAISED, "not_a_map")
    assert error.message == "The file is a photograph."


def test_a_crash_costs_the_child_only(sandbox: Sandbox) -> None:
    error = fault(sandbox, "crash")
    assert (error.fault, error.error_code) == (SandboxFault.CRASHED, "sandbox_crashed")
    assert "SIGSEGV" in error.message
    assert "exit code 3" in fault(sandbox, "leave", code=3).message
    assert sandbox.call(f"{HERE}:echo", {"a": 1}) == {"a": 1}


def test_cpu_time_is_limited_for_each_call(sandbox: Sandbox) -> None:
    assert fault(sandbox, "spin").fault is SandboxFault.TIMED_OUT


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
        with pytest.raises(SandboxError) as caught:
            sandbox.call(
                f"{HERE}:ask_and_not_listen", {"length": source.size}, sources={"data": source}
            )
        assert caught.value.fault is SandboxFault.TIMED_OUT


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

    with (
        Sandbox(Limits(cpu_seconds=30, wall_seconds=30)) as sandbox,
        pytest.raises(RuntimeError, match="cancelled"),
    ):
        sandbox.call(f"{HERE}:sleep_with_child", check=check)


def test_what_is_emitted_arrives_whole_and_in_order(sandbox: Sandbox) -> None:
    taken: list[bytes] = []
    call = {"sink": "out", "pieces": 30, "size": 3_000_001}
    sent = sandbox.call(f"{HERE}:stream", call, sinks={"out": taken.append})
    assert sent == 90_000_030
    assert max(map(len, taken)) <= EMITTED_FRAME_BYTES
    assert b"".join(taken) == b"".join(bytes([97 + n % 26]) * 3_000_001 for n in range(30))


def test_each_sink_takes_what_is_for_it(sandbox: Sandbox) -> None:
    taken: dict[str, list[bytes]] = {"even": [], "odd": []}
    sinks = {name: parts.append for name, parts in taken.items()}
    sandbox.call(f"{HERE}:alternate", {"rounds": 5}, sinks=sinks)
    assert taken == {"even": [b"0,", b"2,", b"4,"], "odd": [b"1,", b"3,"]}


def test_a_sink_that_was_not_offered_is_the_childs_fault(sandbox: Sandbox) -> None:
    taken: list[bytes] = []
    call = {"sink": "elsewhere", "pieces": 1, "size": 1}
    with pytest.raises(SandboxError, match="no sink 'elsewhere'") as caught:
        sandbox.call(f"{HERE}:stream", call, sinks={"out": taken.append})
    assert caught.value.fault is SandboxFault.RAISED
    with pytest.raises(SandboxError, match="lost its senses"):
        sandbox.call(f"{HERE}:emit_as_number", {"number": 7}, sinks={"out": taken.append})
    assert taken == []


def test_what_a_sink_raises_comes_out_and_ends_the_child(sandbox: Sandbox) -> None:
    def full(data: bytes) -> None:
        raise BufferError("full")

    before = sandbox.call(f"{HERE}:process")
    with pytest.raises(BufferError, match="full"):
        sandbox.call(f"{HERE}:emit_for_ever", sinks={"out": full})
    assert sandbox.call(f"{HERE}:process") != before


def test_what_was_emitted_before_a_failure_has_arrived(sandbox: Sandbox) -> None:
    taken: list[bytes] = []
    with pytest.raises(SandboxError, match="no more"):
        sandbox.call(f"{HERE}:emit_then_fail", sinks={"out": taken.append})
    assert taken == [b"half"]


def test_the_time_of_a_sink_is_not_the_childs() -> None:
    with Sandbox(Limits(wall_seconds=4)) as sandbox:
        call = {"sink": "out", "pieces": 8, "size": 1 << 20}
        sandbox.call(f"{HERE}:stream", call, sinks={"out": lambda data: time.sleep(0.7)})


def test_a_stream_is_bounded_and_can_be_stopped() -> None:
    def check() -> None:
        raise RuntimeError("cancelled")

    def drop(data: bytes) -> None:
        """Take no notice."""

    with Sandbox(Limits(emitted_bytes=5 << 20)) as sandbox:
        with pytest.raises(SandboxError, match="more than 5,242,880 bytes"):
            sandbox.call(f"{HERE}:emit_for_ever", sinks={"out": drop})
        sandbox.limits = Limits(cpu_seconds=60)
        with pytest.raises(RuntimeError, match="cancelled"):
            sandbox.call(f"{HERE}:emit_for_ever", sinks={"out": drop}, check=check)


def test_modules_are_imported_before_the_first_call() -> None:
    with Sandbox(Limits(memory_bytes=16 << 20), preload=["colorsys", "xml.dom"]) as sandbox:
        assert {"colorsys", "xml.dom"} <= set(sandbox.call(f"{HERE}:modules"))
    with (
        Sandbox(preload=["no_such_module"]) as sandbox,
        pytest.raises(SandboxError, match="no_such_module"),
    ):
        sandbox.call(f"{HERE}:process")


def test_a_confined_child_reads_what_it_was_given_and_nothing_else(tmp_path: Path) -> None:
    if not has_landlock():
        pytest.skip("this kernel has no Landlock")
    given, kept, shared = (tmp_path / name for name in ("given", "kept", "shared"))
    for folder in (given, kept, shared):
        folder.mkdir()
        (folder / "a.txt").write_text("a")
    checkout = Path(__file__).parents[3]
    denied, done = "PermissionError", "done"
    expected = {
        f"{given}/a.txt": ("read", done),
        f"{given}/b.txt": ("write", denied),
        f"{kept}/a.txt": ("read", denied),
        f"{kept}": ("list", denied),
        f"{shared}/a.txt": ("read", done),
        f"{shared}/b.txt": ("write", done),
        f"{checkout}/pyproject.toml": ("read", denied),
        f"{checkout}/core/errors.py": ("read", done),
        f"/proc/{os.getpid()}/environ": ("read", denied),
        "/etc/passwd": ("read", denied),
        "own.txt": ("write", done),
    }
    with Sandbox(
        Limits(written_file_bytes=100), readable=[given], writable=[shared], preload=["shapely"]
    ) as sandbox:
        found = sandbox.call(
            f"{HERE}:try_files", {"paths": {path: way for path, (way, _) in expected.items()}}
        )
    assert found == {path: outcome for path, (_, outcome) in expected.items()}


def has_landlock() -> bool:
    version = ctypes.CDLL(None).syscall(444, None, 0, 1)
    return sys.platform == "linux" and version > 0
