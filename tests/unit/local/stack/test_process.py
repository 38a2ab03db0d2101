"""A process is known by more than its id, and ends when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.stack import process
from local.stack.process import Identity, Process, rotate, tail

IGNORES_TERM = "import signal, time; signal.signal(15, signal.SIG_IGN); print('on', flush=True)"


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Process]]:
    """Processes that a test starts; killed at its end."""
    processes: list[Process] = []
    yield processes
    for one in processes:
        one.kill()


def start(started: list[Process], tmp_path: Path, code: str) -> Process:
    one = Process.start(
        [sys.executable, "-c", code],
        environment=os.environ,
        directory=tmp_path,
        log=tmp_path / "logs" / "one.log",
    )
    started.append(one)
    return one


def test_an_identity_is_of_one_process_only() -> None:
    own = Identity.own()
    assert own.is_alive()
    assert not Identity(own.pid, "another boot:1").is_alive()


def test_a_dead_process_has_no_identity() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert Identity.of(child.pid) is None


def test_a_zombie_counts_as_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert Identity.of(child.pid) is None
    child.wait()


def test_a_process_ends_when_asked(started: list[Process], tmp_path: Path) -> None:
    one = start(started, tmp_path, "import time; time.sleep(60)")
    assert one.is_alive()
    assert one.stop(seconds=60)
    assert one.how_it_ended() == "killed by SIGTERM"


def test_a_process_that_does_not_end_is_killed(started: list[Process], tmp_path: Path) -> None:
    one = start(started, tmp_path, IGNORES_TERM + "; time.sleep(60)")
    while not tail(tmp_path / "logs" / "one.log", 1):
        pass
    assert not one.stop(seconds=0.2)
    assert not one.is_alive()
    assert one.how_it_ended() == "killed by SIGKILL"


def test_a_process_that_another_started_can_be_taken_over(
    started: list[Process], tmp_path: Path
) -> None:
    one = start(started, tmp_path, "import time; time.sleep(60)")
    adopted = Process(one.identity)
    assert adopted.is_alive()
    adopted.send(signal.SIGTERM)
    assert one.wait(60)
    assert not adopted.is_alive()
    assert adopted.how_it_ended() == "ended"


def test_the_exit_code_is_told(started: list[Process], tmp_path: Path) -> None:
    one = start(started, tmp_path, "raise SystemExit(3)")
    assert one.wait(60)
    assert one.how_it_ended() == "ended with exit code 3"


def test_a_log_is_shown_from_its_end(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert tail(log, 3) == []
    log.write_text("".join(f"line {number}\n" for number in range(5000)))
    assert tail(log, 2) == ["line 4998", "line 4999"]


def test_a_long_log_is_moved_aside_under_its_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOG_LIMIT_BYTES", 10)
    log = tmp_path / "a.log"
    with log.open("a") as writer:
        writer.write("longer than that\n")
        writer.flush()
        rotate(log)
        writer.write("after\n")
    assert log.read_text() == "after\n"
    assert (tmp_path / "a.log.1").read_text() == "longer than that\n"
