"""All queues of the endpoint, with the store and the clock they share."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator
from functools import partial

from local.service_bus.config import DEAD_LETTER_SUFFIX, QueueSpec
from local.service_bus.journal import Journal, StoredQueue
from local.service_bus.message_sessions import SessionQueue
from local.service_bus.queues import Depths, Queue

logger = logging.getLogger(__name__)

_LONGEST_SLEEP_SECONDS = 5.0  # so that a change of the system's clock is noticed soon
_COMPACT_EVERY_SECONDS = 10.0
_COMPACT_PAUSE_SECONDS = 0.1


class Namespace:
    """The queues by name, each with its dead-letter queue; drives them in the event loop."""

    def __init__(
        self, specs: Iterable[QueueSpec], journal: Journal, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.journal = journal
        self._loop = loop
        self._queues: dict[str, Queue] = {}
        self._to_pump: set[Queue] = set()
        self._wake: asyncio.TimerHandle | None = None
        self._wake_due = 0
        stored = journal.load()
        for spec in specs:
            self._create(spec, stored)
        for name, rest in stored.items():
            if rest.messages:
                logger.warning(
                    "%d messages of queue %s are kept on disk: the queue is not configured",
                    *(len(rest.messages), name),
                )
        self._compaction = loop.call_later(_COMPACT_EVERY_SECONDS, self._compact)

    def _create(self, spec: QueueSpec, stored: dict[str, StoredQueue]) -> None:
        dead_letters = Queue(spec.for_dead_letters(), self)
        kind = SessionQueue if spec.requires_session else Queue
        queue = kind(spec, self, dead_letters)
        for each in (queue, dead_letters):
            self._queues[each.name] = each
            content = stored.pop(each.name, StoredQueue())
            if isinstance(each, SessionQueue):
                for state in content.session_states:
                    each.restore_state(*state)
            each.restore(content.messages, content.next_sequence)

    def find(self, path: str) -> Queue | None:
        """The queue of this path; names are not case-sensitive."""
        return self._queues.get(path.lower())

    def depths(self) -> Iterator[tuple[str, Depths]]:
        """What each configured queue holds."""
        for name, queue in self._queues.items():
            if not name.endswith(DEAD_LETTER_SUFFIX):
                yield name, queue.depths()

    def close(self) -> None:
        """Commits what is left, and closes the store."""
        self._compaction.cancel()
        if self._wake is not None:
            self._wake.cancel()
        self.journal.close()

    # --- queues.Host ------------------------------------------------------------------

    @property
    def store(self) -> Journal:
        """Where the queues' messages are kept."""
        return self.journal

    def now(self) -> int:
        """Milliseconds since 1970, UTC."""
        return time.time_ns() // 1_000_000

    def pump_later(self, queue: Queue) -> None:
        """Pumps the queue in the loop's next pass, after the commit that may be due."""
        if queue not in self._to_pump:
            self._to_pump.add(queue)
            self._loop.call_soon(self.journal.after_commit, partial(self._pump, queue))

    def _pump(self, queue: Queue) -> None:
        self._to_pump.discard(queue)
        queue.pump()

    def wake_at(self, due: int) -> None:
        """Lets the queues run what is due at that time."""
        if self._wake is not None:
            if self._wake_due <= due:
                return
            self._wake.cancel()
        self._wake_due = due
        # A millisecond more, as the clock's milliseconds are rounded down.
        seconds = min(max(0, due - self.now() + 1) / 1000, _LONGEST_SLEEP_SECONDS)
        self._wake = self._loop.call_later(seconds, self._run_due)

    def _run_due(self) -> None:
        self._wake = None
        for queue in self._queues.values():
            queue.run_due()
        times = [due for queue in self._queues.values() if (due := queue.next_due()) is not None]
        if times:
            self.wake_at(min(times))

    def _compact(self) -> None:
        pause = _COMPACT_PAUSE_SECONDS if self.journal.compact() else _COMPACT_EVERY_SECONDS
        self._compaction = self._loop.call_later(pause, self._compact)
