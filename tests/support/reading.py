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
    """Reads a table over and over in a thread of its own."""

    read: Callable[[], T]
    seen: list[T] = field(default_factory=list)
    reads: int = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        over = threading.Event()

        def poll() -> None:
            while not over.is_set():
                found = self.read()
                self.reads += 1
                if not self.seen or self.seen[-1] != found:
                    self.seen.append(found)

        with ThreadPoolExecutor(1) as threads:
            polling = threads.submit(poll)
            try:
                yield
            finally:
                over.set()
            polling.result()
