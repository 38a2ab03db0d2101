"""The pace at which all workers together ask a service that counts requests.

Every request takes the next slot of the service, in the table app.request_pace, and waits for
it; slots lie a fixed time apart, so any number of processes and machines together keep to the
rate. Where the service asks one of them to wait, `hold_back` stops all of them. ::

    pace("acled", per_minute=60, check=context.check)
    response = ...
    if response.status == 429:
        hold_back("acled", seconds=30)

Time is the database's: the clocks of the workers need not agree.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from infrastructure import database, queries

_SQL = queries.load("request_pace")
_STEP_SECONDS = 0.5


def pace(service: str, per_minute: float, check: Callable[[], None]) -> None:
    """Wait until a request may go out. `check` is called meanwhile and may raise; a slot that is
    not used is lost."""
    values = {"service": service, "gap": 60.0 / per_minute}
    while True:
        check()
        with database.transaction() as connection:
            reserved = connection.execute(_SQL["reserve"], values).fetchone()
        if reserved is None:
            raise RuntimeError("INSERT ... RETURNING has returned nothing")
        if reserved["seconds"] <= 0:
            return
        wait(reserved["seconds"], check)
        with database.transaction() as connection:
            row = connection.execute(
                _SQL["is_held"], {"service": service, "slot": reserved["slot"]}
            ).fetchone()
        if row is None or not row["held"]:
            return


def hold_back(service: str, seconds: float) -> None:
    """Let nobody ask for so many seconds, also those who wait for slots already."""
    with database.transaction() as connection:
        connection.execute(_SQL["hold_back"], {"service": service, "seconds": seconds})


def wait(seconds: float, check: Callable[[], None]) -> None:
    """Sleep so long, in small steps; `check` is called between them and may raise."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        check()
        time.sleep(min(left, _STEP_SECONDS))
