"""The stand-in: its events, its account, what goes wrong with it, and what it was asked."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from local.standins.acled.access import Access, Account
from local.standins.acled.clock import Clock
from local.standins.acled.events import Events
from local.standins.acled.faults import Faults
from local.standins.acled.handlers import AcledHandler, Request
from local.standins.acled.query import MAX_ROWS, Query
from local.standins.acled.rate import Rate
from local.standins.http_server import HOST, StandinServer

Control = Callable[[str, str, dict[str, Any]], tuple[int, dict[str, Any]]]


class Acled:
    """ACLED's API on a port of its own, from `with` to its end.

    Args:
        events: how many there are to begin with.
        seed: makes them up; the same seed, number and day make the same events.
        at: its clock stands still at this moment; default: it runs with the machine's.
        account: who may read.
        expires_in: seconds that an access token is good for.
        port: 0 takes a free one.

    Attributes:
        events: what there is, and what becomes of it.
        clock: its Date header, timestamps and tokens go by it.
        access: the account and its tokens.
        faults: what goes wrong.
        rate: how many requests it answers.
        page_rows: the most that a page has, whatever limit is asked for.
        counts: whether it says totals where it is asked to.
        latency_seconds: how long it takes before each answer.
        before_page: called with the query before each page of events is answered, so that rows
            can change while they are paged.
    """

    def __init__(
        self,
        events: int = 1000,
        *,
        seed: int = 1,
        at: datetime | None = None,
        account: Account | None = None,
        expires_in: int = 86_400,
        port: int = 0,
    ) -> None:
        self.clock = Clock(at)
        self.events = Events(events, seed, self.clock)
        self.access = Access(account or Account(), self.clock, expires_in)
        self.faults = Faults()
        self.rate = Rate()
        self.page_rows = MAX_ROWS
        self.counts = True
        self.latency_seconds = 0.0
        self.before_page: Callable[[Query], None] | None = None
        self.control: Control | None = None
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._server = StandinServer(port, type("Handler", (AcledHandler,), {"acled": self}))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.faults.clear()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Its origin."""
        return f"http://{HOST}:{self._server.server_port}"

    @property
    def settings(self) -> dict[str, str]:
        """The settings with which geoforge uses it."""
        account = self.access.account
        return {
            "ACLED_URL": self.url,
            "ACLED_USERNAME": account.username,
            "ACLED_PASSWORD": account.password,
        }

    @property
    def key_settings(self) -> dict[str, str]:
        """The settings with which geoforge uses it by the older scheme."""
        account = self.access.account
        return {
            "ACLED_URL": self.url,
            "ACLED_AUTH": "key",
            "ACLED_EMAIL": account.username,
            "ACLED_API_KEY": account.key,
        }

    @property
    def requests(self) -> list[Request]:
        """All that were answered, in order."""
        with self._lock:
            return list(self._requests)

    def counted(self) -> Counter[str]:
        """How many requests there were of each route: token, events, deleted."""
        return Counter(request.route for request in self.requests)

    def forget_requests(self) -> None:
        """Begin the list of requests anew."""
        with self._lock:
            self._requests.clear()

    def note(self, request: Request) -> None:
        """Put a request on the list: what its handler does."""
        with self._lock:
            self._requests.append(request)
