"""A reader that never stops to look."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class Reader(Generic[T]):
    """Reads a table over and over in a thread of its own.

    On a busy machine it would miss what is there for a moment only: `look` waits for it.
    """

    read: Callable[[], T]
    seen: list[T] = field(default_factory=list)
    reads: int = 0
    _has_read: threading.Condition = field(default_factory=threading.Condition)
    _is_over: bool = False

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Read until the block ends, and what is there then."""
        with ThreadPoolExecutor(1) as threads:
            polling = threads.submit(self._poll)
            try:
                yield
                self.look()
            finally:
                self._is_over = True
            polling.result()

    def look(self) -> None:
        """Wait for a reading that has begun after this call, or for the reader's end."""
        with self._has_read:
            # The one that is under way began before.
            wanted = self.reads + 2
            done = self._has_read.wait_for(
                lambda: self.reads >= wanted or self._is_over, timeout=60
            )
        assert done, "the reader is stuck"

    def _poll(self) -> None:
        try:
            while not self._is_over:
                found = self.read()
                with self._has_read:
                    if not self.seen or self.seen[-1] != found:
                        self.seen.append(found)
                    self.reads += 1
                    self._has_read.notify_all()
        finally:
            with self._has_read:
                self._is_over = True
                self._has_read.notify_all()
