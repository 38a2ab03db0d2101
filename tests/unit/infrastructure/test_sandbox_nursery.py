"""Children forked from templates: what they share, what they do not, and when they end."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infrastructure.sandbox import Limits, Sandbox, SandboxError, SandboxFault
from infrastructure.sandbox_nursery import Nursery, TemplateGoneError
from services.vector.formats.gdal_environment import ENVIRONMENT, PRELOAD

HERE = "tests.unit.infrastructure.sandboxed"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def two() -> Iterator[tuple[Sandbox, Sandbox]]:
    limits = Limits(written_file_bytes=1 << 20)
    preload = [HERE]
    with (
        Sandbox(limits, preload=preload, readable=[]) as one,
        Sandbox(limits, preload=preload, readable=[]) as other,
    ):
        yield one, other


def state(process: int) -> str:
    """The letter that `ps` shows; "" if there is no such process."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def lives(process: int) -> bool:
    return state(process) not in ("", "Z")


def soon(done: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_children_share_a_template_and_no_state(two: tuple[Sandbox, Sandbox]) -> None:
    one, other = two
    assert one.call("os:getppid") == other.call("os:getppid") != os.getpid()
    assert one.call(f"{HERE}:remember", {"word": "secret"}) == ["secret"]
    assert other.call(f"{HERE}:remember", {"word": "mine"}) == ["mine"]
    with Sandbox(preload=[HERE]) as later:
        assert later.call(f"{HERE}:remember", {"word": "new"}) == ["new"]


def test_children_do_not_see_each_others_files(two: tuple[Sandbox, Sandbox]) -> None:
    one, other = two
    one.call(f"{HERE}:write", {"path": "a.bin", "size": 10})
    path = str(one.directory / "a.bin")
    assert one.call(f"{HERE}:try_files", {"paths": {path: "read"}}) == {path: "done"}
    assert other.call(f"{HERE}:try_files", {"paths": {path: "read", "a.bin": "read"}}) == {
        path: "PermissionError",
        "a.bin": "FileNotFoundError",
    }


def test_a_child_can_signal_none_but_its_own(two: tuple[Sandbox, Sandbox]) -> None:
    if ctypes.CDLL(None).syscall(444, None, 0, 1) < 6:
        pytest.skip("this kernel's Landlock knows nothing of signals")
    one, other = two
    for stranger in (os.getpid(), one.call("os:getppid"), other.call("os:getpid")):
        with pytest.raises(SandboxError, match="PermissionError"):
            one.call(f"{HERE}:signal_to", {"process": stranger})
    one.call(f"{HERE}:signal_to", {"process": one.call("os:getpid")})


def test_a_child_has_its_pipe_open_and_nothing_of_the_template(
    two: tuple[Sandbox, Sandbox],
) -> None:
    for child in two:
        names = [name.partition(":")[0] for name in child.call(f"{HERE}:descriptors")]
        assert names == ["/dev/null"] * 3 + [f"/proc/{child.call('os:getpid')}/fd"] + ["pipe"] * 2


def test_each_child_has_a_directory_of_its_own(two: tuple[Sandbox, Sandbox]) -> None:
    for child in two:
        directory = str(child.directory)
        environment = child.call(f"{HERE}:environment")
        assert environment["HOME"] == environment["TMPDIR"] == directory
        assert child.call("tempfile:gettempdir") == child.call("os:getcwd") == directory
        assert child.call(f"{HERE}:temporary_file_of_sqlite").startswith(directory)


def test_children_do_not_draw_the_same_random_numbers(two: tuple[Sandbox, Sandbox]) -> None:
    drawn = [child.call(f"{HERE}:random_numbers") for child in two]
    assert len({number for numbers in drawn for number in numbers}) == 4


def test_an_operator_can_tell_a_child_from_its_template() -> None:
    with Sandbox() as child:
        names = [
            Path(f"/proc/{child.call(f'os:{which}')}/comm").read_text().strip()
            for which in ("getpid", "getppid")
        ]
    assert names[0] == "sandbox-child" != names[1]


def test_another_environment_is_another_template() -> None:
    with Sandbox(environment={"X": "1"}) as one, Sandbox(environment={"X": "2"}) as other:
        assert one.call("os:getppid") != other.call("os:getppid")
        assert one.call("os:getenv", {"key": "X"}) == "1"
        assert other.call("os:getenv", {"key": "X"}) == "2"


def test_a_child_does_not_pay_for_the_imports() -> None:
    """They take some 0.3 s of CPU time; numpy, pyarrow, pyogrio and their like have no threads
    that would not survive."""
    for _ in range(2):
        with Sandbox(environment=ENVIRONMENT, preload=PRELOAD) as child:
            assert set(PRELOAD) <= set(child.call(f"{HERE}:modules"))
            assert child.call("time:process_time") < 0.1


def test_many_threads_ask_at_once() -> None:
    all_together = threading.Barrier(8)
    found: list[tuple[int, int]] = []

    def work() -> None:
        with Sandbox(environment={"MANY": "1"}) as child:
            all_together.wait(timeout=20)
            child_and_template = child.call("os:getpid"), child.call("os:getppid")
            all_together.wait(timeout=20)
            found.append(child_and_template)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    children, templates = zip(*found, strict=True)
    assert len(set(children)) == 8
    assert len(set(templates)) == 1


def test_children_end_with_their_template_and_another_one_takes_over() -> None:
    environment = {"KILLED": "1"}
    with (
        Sandbox(environment=environment, readable=[]) as idle,
        Sandbox(Limits(cpu_seconds=60), environment=environment, readable=[]) as busy,
    ):
        child, template = idle.call("os:getpid"), idle.call("os:getppid")
        busy.call("os:getpid")
        killer = threading.Timer(0.2, os.kill, (template, signal.SIGKILL))
        killer.start()
        with pytest.raises(SandboxError, match="killed") as caught:
            busy.call(f"{HERE}:spin")
        assert caught.value.fault is SandboxFault.KILLED
        soon(lambda: not lives(child))
        assert idle.call("os:getppid") == busy.call("os:getppid") != template


def test_a_template_that_has_ended_says_so_and_is_replaced(tmp_path: Path) -> None:
    nursery = Nursery()
    first = nursery.start({}, [], str(tmp_path))
    [template] = nursery._templates.values()
    os.kill(template._process.pid, signal.SIGKILL)
    with pytest.raises(TemplateGoneError):
        template.fork(str(tmp_path))
    second = nursery.start({}, [], str(tmp_path))
    assert (first.exit_code(5), second.exit_code()) == (-signal.SIGKILL, None)
    first.end()
    second.end()
    nursery.close()


def test_a_child_that_does_not_end_in_time_counts_as_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.sandbox_nursery._END_SECONDS", 0.0)
    # It will not be told to end, as it would not be where it cannot be.
    monkeypatch.setattr("infrastructure.sandbox_nursery._END", b"")
    nursery = Nursery()
    child = nursery.start({}, [], str(tmp_path))
    child.end()
    assert child.exit_code() == -signal.SIGKILL
    assert child.cpu_seconds_since() >= 0.0
    nursery.close()


def test_nothing_is_left_of_a_host_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.unit.infrastructure.sandbox_host"],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as host:
        assert host.stdout is not None
        facts = json.loads(host.stdout.readline())
        processes = [*facts["children"], facts["template"]]
        directories = [Path(path) for path in facts["directories"]]
        assert all(map(lives, processes))
        assert all(directory.is_dir() for directory in directories)
        host.kill()
    soon(lambda: not any(map(lives, processes)))
    assert not any(directory.exists() for directory in directories)


def test_what_a_crashed_child_has_started_goes_too() -> None:
    with Sandbox(Limits(written_file_bytes=100)) as child:
        with pytest.raises(SandboxError, match="SIGSEGV"):
            child.call(f"{HERE}:start_and_die")
        left = int((child.directory / "left.txt").read_text())
        soon(lambda: not lives(left))


def test_a_child_that_is_forgotten_leaves_nothing(tmp_path: Path) -> None:
    nursery = Nursery()
    directory = tmp_path / "forgotten"
    directory.mkdir()
    child = nursery.start({}, [], str(directory))
    assert lives(child.pid)
    child._lifeline.close()  # as when it is collected as garbage
    soon(lambda: state(child.pid) == "" and not directory.exists())
    child.pipe.close()
    nursery.close()


def test_a_closed_nursery_has_ended_everything(tmp_path: Path) -> None:
    nursery = Nursery()
    child = nursery.start({}, [], str(tmp_path))
    [template] = nursery._templates.values()
    nursery.close()
    assert not lives(child.pid)
    assert not template.is_alive()
    child.end()


def test_modules_that_start_threads_are_refused() -> None:
    with (
        Sandbox(preload=["tests.unit.infrastructure.threaded"]) as child,
        pytest.raises(SandboxError, match="have started threads: ") as caught,
    ):
        child.call("os:getpid")
    assert caught.value.fault is SandboxFault.RAISED


def test_a_template_that_could_not_start_is_tried_anew(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    (tmp_path / "fickle.py").write_text(f"open({str(flag)!r}).close()")
    with Sandbox(environment=environment, preload=["fickle"]) as child:
        with pytest.raises(SandboxError, match="FileNotFoundError"):
            child.call("os:getpid")
        flag.touch()
        assert child.call("os:getpid") > 0


def test_all_who_wait_for_a_template_are_told_why_there_is_none() -> None:
    told: list[str] = []

    def work() -> None:
        with Sandbox(preload=["no_such_module"]) as child:
            try:
                child.call("os:getpid")
            except SandboxError as error:
                told.append(error.message)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == ["ModuleNotFoundError: No module named 'no_such_module'"] * 6


def test_a_template_that_dies_when_it_starts_is_told_of(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    (tmp_path / "deadly.py").write_text("import os; os._exit(7)")
    with (
        Sandbox(environment=environment, preload=["deadly"]) as child,
        pytest.raises(SandboxError, match=r"did not start \(exit code 7\)"),
    ):
        child.call("os:getpid")


def test_where_there_can_be_no_more_processes_the_system_says_so(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    (tmp_path / "barren.py").write_text(
        "import errno, os\ndef fork(): raise OSError(errno.EAGAIN, 'too many')\nos.fork = fork\n"
    )
    with Sandbox(environment=environment, preload=["barren"]) as child:
        for _ in range(2):
            with pytest.raises(BlockingIOError):
                child.call("os:getpid")


def test_a_template_without_children_ends_by_itself() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        program = (
            "from infrastructure import sandbox_template as t; t._IDLE_SECONDS = 0.1; t.main()"
        )
        template = subprocess.run(
            [sys.executable, "-c", program, str(theirs.fileno()), "[]"],
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
            timeout=60,
            check=False,
        )
        assert template.returncode == 0
        assert ours.recv(100) == b"{}\n"
