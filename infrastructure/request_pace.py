"""The pace at which all workers together ask a service that counts requests.

Every request takes the next slot of the service, in the table app.request_pace, and waits for
it; slots lie a fixed time apart, so any number of processes and machines together keep to the
rate. Where the service asks one of them to wait, `hold_back` stops all of them. ::

    pace("acled", per_minute=60, check=context.check)
    response = ...
    if response.status == 429:
        hold_back("acled", seconds=30)

Time is the database's: the clocks of the workers need not agree. Where that clock was ahead for a
while, what was written down meanwhile lies further off than anybody can have to wait: it does not
count.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from infrastructure import database, queries

_SQL = queries.load("request_pace")
LONGEST_HOLD_SECONDS = 900.0

_STEP_SECONDS = 0.5
# A wait that somebody asked for ends by then, also where the clock is set back a little meanwhile.
_HELD_AT_MOST_SECONDS = LONGEST_HOLD_SECONDS + 300.0
# More threads do not wait for slots at once.
_MOST_WAITING = 300


def pace(
    service: str,
    per_minute: float,
    check: Callable[[], None],
    waits: Callable[[datetime, float], None] | None = None,
) -> None:
    """Wait until a request may go out. `check` is called meanwhile and may raise; a slot that is
    not used is lost. `waits` is told, before each wait, to when it lasts and how many seconds."""
    gap = 60.0 / per_minute
    values = {
        "service": service,
        "gap": gap,
        "held_at_most": _HELD_AT_MOST_SECONDS,
        "taken_at_most": _HELD_AT_MOST_SECONDS + _MOST_WAITING * gap,
    }
    while True:
        check()
        with database.transaction() as connection:
            reserved = connection.execute(_SQL["reserve"], values).fetchone()
        if reserved is None:
            raise RuntimeError("INSERT ... RETURNING has returned nothing")
        if reserved["seconds"] <= 0:
            return
        if waits is not None:
            waits(reserved["slot"], reserved["seconds"])
        wait(reserved["seconds"], check)
        with database.transaction() as connection:
            row = connection.execute(
                _SQL["is_held"], {**values, "slot": reserved["slot"]}
            ).fetchone()
        if row is None or not row["held"]:
            return


def hold_back(service: str, seconds: float) -> None:
    """Let nobody ask for so many seconds, also those who wait for slots already; for no longer than
    `LONGEST_HOLD_SECONDS`, though."""
    values = {
        "service": service,
        "seconds": min(seconds, LONGEST_HOLD_SECONDS),
        "held_at_most": _HELD_AT_MOST_SECONDS,
    }
    with database.transaction() as connection:
        connection.execute(_SQL["hold_back"], values)


def wait(seconds: float, check: Callable[[], None]) -> None:
    """Sleep so long, in small steps; `check` is called between them and may raise."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        check()
        time.sleep(min(left, _STEP_SECONDS))
