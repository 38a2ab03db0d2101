"""Folders on a worker's disk that are made once, shared by processes, and given up at need.

An entry is a folder `<root>/<key>` with parts in it, each made under a temporary name and
renamed when it is whole. Locks are flocks, so a process that dies holds none::

    with cache.entry(key) as entry:          # held: it will not be evicted
        path = entry.part("files", make)     # made by whoever comes first; the others wait
        with entry.scratch("made-") as own:  # this process' own, and gone in the end
            ...
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from core.errors import PermanentTaskError, TransientTaskError

# Left free on the disk, for whoever else needs some.
_RESERVE_BYTES = 256 << 20
_LONGEST_POLL_SECONDS = 0.25
# How long what was found to be in use is taken to be so, with what was asked for since. What other
# processes fetch meanwhile is not seen: by that the limit may be passed, and the disk never is.
_KNOWN_SECONDS = 30.0
# Of the limit, what is freed beyond what is wanted once entries have to go: else all folders would
# be looked through for every file of a cache that is full, as it mostly is.
_SLACK = 16
_PART = ".part-"
_LOCK = ".lock"

Check = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """One folder of the cache, held by this process while its context is open."""

    folder: Path

    def part(self, name: str, make: Callable[[Path], None], *, check: Check) -> Path:
        """The folder of this name inside the entry. Where it is missing, `make` fills an empty
        folder that then becomes it; what `make` raises comes out, and nothing stays.

        `check` is called while another process makes it, and may raise.
        """
        target = self.folder / name
        if target.is_dir():
            return target
        with _locked(self.folder / f"{name}.lock", fcntl.LOCK_EX, check):
            if target.is_dir():
                return target
            for left_behind in self.folder.glob(f"{name}{_PART}*"):
                shutil.rmtree(left_behind)
            being_made = Path(tempfile.mkdtemp(prefix=name + _PART, dir=self.folder))
            try:
                make(being_made)
                being_made.rename(target)
            except BaseException:
                shutil.rmtree(being_made, ignore_errors=True)
                raise
        return target

    @contextmanager
    def scratch(self, prefix: str) -> Iterator[Path]:
        """An empty folder inside the entry, removed when the context ends. Those of this prefix
        whose processes died are removed first."""
        for lock in self.folder.glob(f"{prefix}*{_LOCK}"):
            _remove_unless_held(lock)
        folder, descriptor = self._own_folder(prefix)
        try:
            yield folder
        finally:
            _remove_scratch(folder, descriptor)

    def _own_folder(self, prefix: str) -> tuple[Path, int]:
        """A new folder, and the lock that says that it is in use: held before it is there."""
        while True:
            folder = self.folder / f"{prefix}{uuid4().hex}"
            descriptor = _try_lock(_lock_of(folder), fcntl.LOCK_EX)
            if descriptor is not None:  # None: someone cleared it away as one left behind.
                folder.mkdir(mode=0o700)
                return folder, descriptor


class FileCache:
    """Entries under `root`, which is made if missing and must belong to this user.

    When there are more than `limit_bytes`, those that were used longest ago are removed;
    one that any process holds stays.
    """

    def __init__(self, root: Path, limit_bytes: int) -> None:
        self.root = root
        self.limit_bytes = limit_bytes

    @contextmanager
    def entry(self, key: str, *, check: Check) -> Iterator[Entry]:
        """Hold the entry of this key: it is there, and is not evicted, to the context's end."""
        self._make_root()
        with _locked(self._lock(key), fcntl.LOCK_SH, check):
            folder = self.root / key
            folder.mkdir(mode=0o700, exist_ok=True)
            os.utime(folder)
            yield Entry(folder)

    def make_room(self, wanted: int) -> None:
        """Evict until `wanted` more bytes fit under the limit and on the disk.

        The limit gives way to entries in use, the disk does not: raises `TransientTaskError`
        (not_enough_disk) where they leave too little, `PermanentTaskError` where even an empty
        disk would be too small.
        """
        self._make_root()
        if wanted <= _free_bytes(self.root) and _usages.grant(self.root, wanted, self.limit_bytes):
            return
        used = {folder: _bytes_under(folder) for folder in self._folders()}
        total = sum(used.values())
        goal = self.limit_bytes
        for folder in sorted(used, key=_last_use):
            if total + wanted <= goal and wanted <= _free_bytes(self.root):
                break
            goal = self.limit_bytes - self.limit_bytes // _SLACK
            if self._evict(folder):
                total -= used[folder]
        _usages.note(self.root, total + wanted)
        disk = shutil.disk_usage(self.root)
        if wanted > disk.free - _RESERVE_BYTES:
            kind = PermanentTaskError if wanted > disk.total else TransientTaskError
            raise kind(
                f"This takes {wanted:,} bytes on the worker's disk, which has "
                f"{disk.free:,} of {disk.total:,} bytes left.",
                code="not_enough_disk",
            )

    def _folders(self) -> list[Path]:
        return [path for path in self.root.iterdir() if path.is_dir()]

    def _lock(self, key: str) -> Path:
        return self.root / f"{key}.lock"

    def _evict(self, folder: Path) -> bool:
        """Remove an entry unless someone holds it; whether it is gone."""
        path = self._lock(folder.name)
        descriptor = _try_lock(path, fcntl.LOCK_EX)
        if descriptor is None:
            return False
        try:
            shutil.rmtree(folder, ignore_errors=True)
            path.unlink()
        finally:
            os.close(descriptor)
        return not folder.exists()

    def _make_root(self) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.root.stat().st_uid != os.getuid():
            raise PermanentTaskError(
                f"{self.root}, the folder for local copies, belongs to another user: set "
                "GEOFORGE_SOURCE_CACHE_DIR to one of this user's.",
                code="cache_not_ours",
            )


class _Usages:
    """What each cache was found to hold a moment ago: to look at thousands of folders again for
    each small file would take longer than to fetch them."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[float, int]] = {}
        self._guard = threading.Lock()

    def note(self, root: Path, used: int) -> None:
        """Take what was found, with what was granted since."""
        with self._guard:
            self._known[root] = time.monotonic(), used

    def grant(self, root: Path, wanted: int, limit: int) -> bool:
        """Whether so much more is known to fit under a limit; if so it counts as used."""
        with self._guard:
            at, used = self._known.get(root, (-_KNOWN_SECONDS, 0))
            if time.monotonic() - at >= _KNOWN_SECONDS or used + wanted > limit:
                return False
            self._known[root] = at, used + wanted
            return True


_usages = _Usages()


def _free_bytes(root: Path) -> int:
    """What of the disk may be taken."""
    return shutil.disk_usage(root).free - _RESERVE_BYTES


def _lock_of(folder: Path) -> Path:
    return folder.with_name(folder.name + _LOCK)


def _remove_unless_held(lock: Path) -> None:
    """Remove a scratch folder whose process is gone."""
    descriptor = _try_lock(lock, fcntl.LOCK_EX)
    if descriptor is not None:
        _remove_scratch(lock.with_name(lock.name.removesuffix(_LOCK)), descriptor)


def _remove_scratch(folder: Path, descriptor: int) -> None:
    """The lock goes last: what of the folder could not be removed is found by it later."""
    try:
        if folder.exists():
            shutil.rmtree(folder)
        _lock_of(folder).unlink()
    finally:
        os.close(descriptor)


@contextmanager
def _locked(path: Path, kind: int, check: Check) -> Iterator[None]:
    """Hold a lock on a file; `check` is called while waiting for it."""
    pause = 0.005
    while (descriptor := _try_lock(path, kind)) is None:
        check()
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_POLL_SECONDS)
    try:
        yield
    finally:
        os.close(descriptor)


def _try_lock(path: Path, kind: int) -> int | None:
    """The descriptor of the file, locked; None where another holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        # Whoever evicts removes the file too: a lock on one that is gone protects nothing.
        if os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _last_use(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:  # another process was quicker
        return 0.0


def _bytes_under(folder: Path) -> int:
    """What a folder takes on the disk; what vanishes meanwhile takes nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except FileNotFoundError:
                continue
    return total
