"""The cache of folders: made once, held while in use, given up at need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import pytest

from core.errors import PermanentTaskError, TransientTaskError
from infrastructure import file_cache
from infrastructure.file_cache import Entry, FileCache

MAKE_SLOWLY = """
import sys, time
from pathlib import Path
from infrastructure.file_cache import FileCache
def make(folder):
    with open(Path(sys.argv[1]) / "made", "a") as made:
        made.write("x")
    (folder / "a").write_bytes(b"1")
    time.sleep(float(sys.argv[2]))
with FileCache(Path(sys.argv[1]) / "cache", 1000).entry("k", check=lambda: None) as entry:
    print(entry.part("files", make, check=lambda: None), flush=True)
"""


def go_on() -> None:
    """Nobody wants to stop."""


def fill(cache: FileCache, key: str, size: int = 100, age: float = 0) -> Path:
    def make(folder: Path) -> None:
        (folder / "data").write_bytes(bytes(size))

    with cache.entry(key, check=go_on) as entry:
        path = entry.part("files", make, check=go_on)
    if age:
        os.utime(entry.folder, (time.time() - age,) * 2)
    return path


@pytest.fixture
def cache(tmp_path: Path) -> FileCache:
    return FileCache(tmp_path / "cache", 1000)


def test_a_part_is_made_once(cache: FileCache) -> None:
    path = fill(cache, "a", 7)
    inode = path.stat().st_ino
    assert (path / "data").stat().st_size == 7
    assert fill(cache, "a", 9).stat().st_ino == inode


def test_what_could_not_be_made_leaves_nothing(cache: FileCache) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_bytes(b"x")
        raise KeyError("no")

    with cache.entry("a", check=go_on) as entry:
        with pytest.raises(KeyError):
            entry.part("files", fail, check=go_on)
        assert [path.name for path in entry.folder.iterdir()] == ["files.lock"]
    assert fill(cache, "a").is_dir()


def test_threads_and_processes_make_it_once_between_them(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAKE_SLOWLY, str(tmp_path), "0.3"]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])
        for _ in range(3)
    ]
    paths = {process.communicate(timeout=30)[0] for process in running}
    assert (tmp_path / "made").read_text() == "x"
    assert len(paths) == 1


def test_what_a_killed_process_left_is_made_anew(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAKE_SLOWLY, str(tmp_path), "60"]
    with subprocess.Popen(command, cwd=Path(__file__).parents[3]) as process:
        deadline = time.monotonic() + 20
        while not list(tmp_path.glob("cache/k/*/a")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
    cache = FileCache(tmp_path / "cache", 1000)
    path = fill(cache, "k", 5)
    assert sorted(p.name for p in path.parent.iterdir()) == ["files", "files.lock"]
    assert (path / "data").stat().st_size == 5


def test_a_wait_can_be_stopped(cache: FileCache) -> None:
    begun, done = threading.Event(), threading.Event()

    def slow(folder: Path) -> None:
        begun.set()
        done.wait(20)

    def stop() -> None:
        raise RuntimeError("cancelled")

    def work() -> None:
        with cache.entry("a", check=go_on) as entry:
            entry.part("files", slow, check=go_on)

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait(20)
    with cache.entry("a", check=stop) as entry, pytest.raises(RuntimeError, match="cancelled"):
        entry.part("files", slow, check=stop)
    done.set()
    thread.join()


def test_what_was_used_longest_ago_makes_room(cache: FileCache) -> None:
    old, used, new = (
        fill(cache, key, 300, age) for key, age in zip("abc", (30, 20, 10), strict=True)
    )
    fill(cache, "a", 300)  # used again: now the youngest
    cache.make_room(100)
    assert all(path.exists() for path in (old, used, new))
    cache.make_room(300)
    assert [path.exists() for path in (old, used, new)] == [True, False, True]
    assert not (cache.root / "b.lock").exists()


def test_folders_are_not_looked_at_again_for_each_of_many_small_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roomy = FileCache(tmp_path / "cache", 1 << 20)
    for key in "abc":
        fill(roomy, key)
    looked: list[Path] = []

    def bytes_under(folder: Path) -> int:
        looked.append(folder)
        return 100

    monkeypatch.setattr(file_cache, "_bytes_under", bytes_under)
    for _ in range(100):
        roomy.make_room(1)
    assert 3 <= len(looked) < 100
    looked.clear()
    roomy.make_room(1 << 20)
    assert looked, "where there may be too little room it is looked for"


def test_what_is_in_use_stays(cache: FileCache) -> None:
    path = fill(cache, "a", 900, age=30)
    other = fill(cache, "b", 50)
    with cache.entry("a", check=go_on):
        cache.make_room(900)
        assert path.exists()
        assert not other.exists()
    cache.make_room(900)
    assert not path.exists()


HOLD_SCRATCH = """
import sys, time
from pathlib import Path
from infrastructure.file_cache import Entry
with Entry(Path(sys.argv[1])).scratch("made-") as folder:
    (folder / "half").write_bytes(b"x")
    print(folder, flush=True)
    time.sleep(600)
"""


def test_scratch_is_gone_in_the_end(tmp_path: Path) -> None:
    def fail() -> None:
        with Entry(tmp_path).scratch("made-") as folder:
            (folder / "half").write_bytes(b"x")
            raise KeyError("no")

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_scratch_of_a_killed_process_is_removed_and_no_other(tmp_path: Path) -> None:
    held, killed = (
        subprocess.Popen(
            [sys.executable, "-c", HOLD_SCRATCH, str(tmp_path)],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3],
        )
        for _ in range(2)
    )  # fmt: skip
    try:
        in_use, left = (
            Path(process.stdout.readline().strip())
            for process in (held, killed)
            if process.stdout is not None
        )
        killed.kill()
        killed.communicate()
        assert (left / "half").exists()
        with Entry(tmp_path).scratch("made-") as own:
            assert not left.exists()
            assert (in_use / "half").exists()
            assert {each for each in tmp_path.iterdir() if each.is_dir()} == {in_use, own}
    finally:
        held.kill()
        held.communicate()


Usage = namedtuple("Usage", "total used free")


def test_a_full_disk_is_told_of(cache: FileCache, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fill(cache, "a", 10)
    usage = Usage(total=10 << 30, used=0, free=1 << 30)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    cache.limit_bytes = 100 << 30
    cache.make_room(700 << 20)
    assert path.exists()
    with pytest.raises(TransientTaskError, match="3,221,225,472 bytes on the worker") as later:
        cache.make_room(3 << 30)
    assert later.value.error_code == "not_enough_disk"
    assert not path.exists()
    with pytest.raises(PermanentTaskError) as never:
        cache.make_room(20 << 30)
    assert never.value.error_code == "not_enough_disk"


def test_a_folder_of_another_user_is_refused(
    cache: FileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.root.mkdir()
    monkeypatch.setattr(os, "getuid", lambda: cache.root.stat().st_uid + 1)
    with pytest.raises(PermanentTaskError, match="GEOFORGE_SOURCE_CACHE_DIR"):
        fill(cache, "a")


def test_eviction_and_use_do_not_meet(tmp_path: Path) -> None:
    """Whoever holds an entry finds what was made in it, however often others evict."""
    cache = FileCache(tmp_path / "cache", 0)
    end = time.monotonic() + 1.5
    faults: list[BaseException] = []

    def use() -> None:
        try:
            while time.monotonic() < end:
                with cache.entry("a", check=go_on) as entry:
                    path = entry.part("files", lambda folder: None, check=go_on)
                    assert path.is_dir()
        except BaseException as error:
            faults.append(error)

    def evict() -> None:
        try:
            while time.monotonic() < end:
                cache.make_room(0)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=work) for work in (use, use, use, evict, evict)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
