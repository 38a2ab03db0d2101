"""What goes wrong on purpose: each fault is asked for, and used up by the requests it hits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from local.standins.hold import Hold


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request gets in place of the right answer."""

    status: int
    body: str = '{"error": "asked for by a test"}'
    headers: dict[str, str] = field(default_factory=dict)


class Faults:
    """The faults that are yet to come. Those of one kind come in the order they were asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: list[Answer] = []
        self._download_answers: list[Answer] = []
        self._truncations: list[int] = []
        self._hold: Hold | None = None
        self.bytes_per_second: float | None = None

    def answer(
        self,
        status: int,
        *,
        times: int = 1,
        retry_after: int | None = None,
        body: str | None = None,
    ) -> None:
        """Answer the next requests for an address in this way: 429, 500, or a 200 with nonsense."""
        answer = _answer(status, retry_after, body)
        with self._lock:
            self._answers += [answer] * times

    def answer_download(
        self, status: int, *, times: int = 1, retry_after: int | None = None
    ) -> None:
        """Answer the next downloads in this way."""
        answer = _answer(status, retry_after, None)
        with self._lock:
            self._download_answers += [answer] * times

    def truncate(self, after_bytes: int, *, times: int = 1) -> None:
        """Break the next downloads of more than so many bytes off after them."""
        with self._lock:
            self._truncations += [after_bytes] * times

    @contextmanager
    def held(self, after_bytes: int) -> Iterator[Hold]:
        """Let downloads wait after so many bytes of the body, within the context."""
        hold = Hold(after_bytes)
        self._hold = hold
        try:
            yield hold
        finally:
            self._hold = None
            hold.release()

    def clear(self) -> None:
        """Forget all that are yet to come."""
        with self._lock:
            self._answers.clear()
            self._download_answers.clear()
            self._truncations.clear()
        if self._hold is not None:
            self._hold.release()
            self._hold = None
        self.bytes_per_second = None

    def next_answer(self) -> Answer | None:
        """The fault of a request for an address."""
        with self._lock:
            return self._answers.pop(0) if self._answers else None

    def next_download_answer(self) -> Answer | None:
        """The fault of a download that takes the place of its answer."""
        with self._lock:
            return self._download_answers.pop(0) if self._download_answers else None

    def next_truncation(self, length: int) -> int | None:
        """After how many bytes a download of `length` bytes breaks off; None to its end."""
        with self._lock:
            if self._truncations and self._truncations[0] < length:
                return self._truncations.pop(0)
            return None

    @property
    def hold(self) -> Hold | None:
        """Where downloads wait."""
        return self._hold


def _answer(status: int, retry_after: int | None, body: str | None) -> Answer:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Answer(status, headers=headers) if body is None else Answer(status, body, headers)
