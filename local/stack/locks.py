"""Locks between processes that the kernel releases when their holder dies (flock(2))."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from local.stack.errors import StackError


@contextmanager
def exclusive(path: Path, *, busy: str, wait: bool = False) -> Iterator[None]:
    """Hold a lock file for the length of a block.

    Args:
        path: the file, made where it is missing.
        busy: what to say when somebody else holds it.
        wait: wait for it instead.

    Raises:
        StackError: it is held, and we were not to wait.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        if not _take(file, wait=wait):
            raise StackError(busy)
        yield


def is_held(path: Path) -> bool:
    """Whether somebody holds this lock now."""
    try:
        with path.open("a") as file:
            return not _take(file, wait=False)
    except FileNotFoundError:
        return False


def _take(file: IO[str], *, wait: bool) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
