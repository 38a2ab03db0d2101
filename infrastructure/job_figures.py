"""What the tasks of this process have to say of their jobs' work, until it is written.

A task may say how far it is a thousand times a second. What it says is collected by job, the
newest word on each thing, and written in one transaction: once an interval while words come, and
whenever somebody asks for it, as the engine does before it settles a task. A worker that is
killed loses an interval's words, and the task's next attempt says them anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from core.models.metrics import Attempt

# The first words of a job need not wait for a whole interval: somebody is looking.
_FIRST_DELAY_SECONDS = 1.0

# Jobs that are remembered although they have nothing to say at present.
_REMEMBERED = 1024

_speaker: ContextVar[Attempt | None] = ContextVar("geoforge_attempt", default=None)


@contextmanager
def speaking_for(attempt: Attempt) -> Iterator[None]:
    """Within, contributions are this attempt's. The ledger decides whether it still counts."""
    token = _speaker.set(attempt)
    try:
        yield
    finally:
        _speaker.reset(token)


def speaker() -> Attempt | None:
    """The attempt at a task that is being made here; None outside of tasks."""
    return _speaker.get()


@dataclass(slots=True)
class Words:
    """What is to be written of one job.

    figures: of the job, by name.
    shown: figures of the job within a context: {context: {name: value}}.
    contributed: what tasks have done, in all: {(context, task, attempt): {name: amount}}.
    """

    figures: dict[str, Any] = field(default_factory=dict)
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)
    contributed: dict[tuple[str, str, Attempt | None], dict[str, float]] = field(
        default_factory=dict
    )

    def __len__(self) -> int:
        return len(self.figures) + sum(map(len, self.shown.values())) + len(self.contributed)

    def show(self, context: str, figures: dict[str, Any]) -> None:
        self.shown.setdefault(context, {}).update(figures)

    def contribute(
        self, context: str, task: str, attempt: Attempt | None, amounts: dict[str, float]
    ) -> None:
        # Taken out and put last: of two attempts that name one task, the last word counts.
        said = self.contributed.pop((context, task, attempt), {})
        self.contributed[context, task, attempt] = {**said, **amounts}

    def add(self, newer: Words) -> None:
        """Take in what was said after these."""
        self.figures.update(newer.figures)
        for context, figures in newer.shown.items():
            self.show(context, figures)
        for (context, task, attempt), amounts in newer.contributed.items():
            self.contribute(context, task, attempt, amounts)


class Fate(Enum):
    """What became of words that were to be written."""

    WRITTEN = auto()
    KEPT = auto()
    """They are to be tried again later."""
    LOST = auto()


@dataclass(slots=True)
class _Box:
    """The words of one job. Who holds `turn` writes them: so none overtakes an earlier one."""

    words: Words = field(default_factory=Words)
    turn: threading.Lock = field(default_factory=threading.Lock)
    is_due: bool = False
    written_at: float | None = None


class Outbox:
    """Collects words and has them written.

    Args:
        write: writes the words of a job, and says what became of them.
        interval: seconds between two writes of one job, while nobody asks.
        after: called with a job's id when words were written that nobody asked for.
    """

    def __init__(
        self,
        write: Callable[[str, Words], Fate],
        interval: Callable[[], float],
        after: Callable[[str], object],
    ) -> None:
        self._write = write
        self._interval = interval
        self._after = after
        self._boxes: dict[str, _Box] = {}
        self._guard = threading.Lock()

    def say(self, job_id: str, words: Words) -> None:
        """Have words written within an interval."""
        with self._guard:
            box = self._boxes.get(job_id)
            if box is None:
                self._forget()
                box = self._boxes[job_id] = _Box()
            box.words.add(words)
        self._arrange(job_id, box)

    def flush(self, job_id: str) -> bool:
        """Write the words of a job now; whether there were any, and they were written.

        Those that are kept stay for later.
        """
        with self._guard:
            box = self._boxes.get(job_id)
        if box is None:
            return False
        with box.turn:
            with self._guard:
                words, box.words = box.words, Words()
            if not words:
                return False
            fate = self._write(job_id, words)
            box.written_at = time.monotonic()
            if fate is not Fate.KEPT:
                return fate is Fate.WRITTEN
            with self._guard:
                words.add(box.words)
                box.words = words
        self._arrange(job_id, box)
        return False

    def _arrange(self, job_id: str, box: _Box) -> None:
        """See to it that the box is emptied in time."""
        with self._guard:
            if box.is_due:
                return
            box.is_due = True
            delay = interval = self._interval()
            if box.written_at is None:
                delay = min(interval, _FIRST_DELAY_SECONDS)
            else:
                delay = max(0.0, box.written_at + interval - time.monotonic())
        timer = threading.Timer(delay, self._fall_due, (job_id, box))
        timer.daemon = True
        timer.start()

    def _fall_due(self, job_id: str, box: _Box) -> None:
        with self._guard:
            box.is_due = False
        if self.flush(job_id):
            self._after(job_id)

    def _forget(self) -> None:
        """Forget jobs that have long been silent. The caller holds the guard."""
        if len(self._boxes) >= _REMEMBERED:
            self._boxes = {
                job_id: box
                for job_id, box in self._boxes.items()
                if box.words or box.is_due or box.turn.locked()
            }
