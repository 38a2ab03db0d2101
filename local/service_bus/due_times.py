"""When the messages of a queue are due."""

from __future__ import annotations

import heapq
from collections.abc import Iterator


class DueTimes:
    """One due time for each key, earliest first.

    A heap finds the earliest; keys that were changed or discarded leave stale entries in it,
    which are passed over, and the heap is built anew before they outnumber the live ones.
    """

    _SLACK = 1024

    def __init__(self) -> None:
        self._due: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._due)

    def set(self, key: int, due: int) -> None:
        """Makes `key` due at `due`, and at no other time."""
        if self._due.get(key) != due:
            self._due[key] = due
            heapq.heappush(self._heap, (due, key))
            self._compact()

    def discard(self, key: int) -> None:
        """Forgets `key`; it need not be known."""
        if self._due.pop(key, None) is not None:
            self._compact()

    def earliest(self) -> int | None:
        """The next due time, or None where nothing is due."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: int) -> Iterator[int]:
        """The keys due by `now`, each forgotten as it is given."""
        while (due := self.earliest()) is not None and due <= now:
            _, key = heapq.heappop(self._heap)
            del self._due[key]
            yield key

    def _compact(self) -> None:
        if len(self._heap) > 2 * len(self._due) + self._SLACK:
            self._heap = [(due, key) for key, due in self._due.items()]
            heapq.heapify(self._heap)
