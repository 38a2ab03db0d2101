"""What goes wrong on purpose: each fault is asked for, and used up by the requests it hits."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from local.standins.hold import Hold

Route = Literal["token", "events", "deleted"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request gets in place of the right answer."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spoiled:
    """What is done to a right answer.

    Attributes:
        json_bytes: the body ends after so many bytes, and the answer with it, as if complete.
        sent_bytes: the connection breaks after so many bytes of the body.
        missing: so many rows at the end of the page are left out; they come on no other page.
        repeated: the page begins so many rows too early, and ends so many too early.
        without_total: the total is left out, although it was asked for.
    """

    json_bytes: int | None = None
    sent_bytes: int | None = None
    missing: int = 0
    repeated: int = 0
    without_total: bool = False


Fault = Answer | Spoiled

_MAINTENANCE = b"<!DOCTYPE html><html><body><h1>Site under maintenance</h1></body></html>"


class Faults:
    """The faults that are yet to come; those of a route come in the order they were asked for.

    `after` lets so many requests of the route pass unharmed before the fault.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._coming: dict[Route, list[Fault | None]] = {"token": [], "events": [], "deleted": []}
        self._hold: Hold | None = None

    def answer(
        self,
        status: int,
        *,
        times: int = 1,
        after: int = 0,
        route: Route = "events",
        retry_after: int | str | None = None,
        body: str = '{"message": "asked for by a test"}',
    ) -> None:
        """Answer the next requests in this way: 429, 500, 503, or a 200 with nonsense."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self._ask(route, after, times, Answer(status, body.encode(), headers=headers))

    def html(self, *, times: int = 1, after: int = 0, route: Route = "events") -> None:
        """Answer the next requests with 200 and a page for people."""
        self._ask(route, after, times, Answer(200, _MAINTENANCE, "text/html; charset=UTF-8"))

    def refuse(
        self, message: str, *, times: int = 1, after: int = 0, route: Route = "events"
    ) -> None:
        """Answer the next requests with 200 and an envelope that says that it failed."""
        said = {"status": 500, "success": False, "messages": [message], "data": []}
        self._ask(route, after, times, Answer(200, json.dumps(said).encode()))

    def spoil(
        self, spoiled: Spoiled, *, times: int = 1, after: int = 0, route: Route = "events"
    ) -> None:
        """Do this to the next answers."""
        self._ask(route, after, times, spoiled)

    @contextmanager
    def held(self) -> Iterator[Hold]:
        """Let requests for events wait before they are answered, within the context."""
        hold = Hold()
        self._hold = hold
        try:
            yield hold
        finally:
            self._hold = None
            hold.release()

    def clear(self) -> None:
        """Forget all that are yet to come."""
        with self._lock:
            for coming in self._coming.values():
                coming.clear()
        if self._hold is not None:
            self._hold.release()
            self._hold = None

    def next(self, route: Route) -> Fault | None:
        """The fault of a request."""
        with self._lock:
            coming = self._coming[route]
            return coming.pop(0) if coming else None

    @property
    def hold(self) -> Hold | None:
        """Where requests for events wait."""
        return self._hold

    def _ask(self, route: Route, after: int, times: int, fault: Fault) -> None:
        with self._lock:
            self._coming[route] += [None] * after + [fault] * times
