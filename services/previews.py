"""How long a dry run may look: it is answered while somebody waits."""

from __future__ import annotations

import time
from collections.abc import Callable

from core.errors import PermanentTaskError


def deadline(what: str, seconds: float) -> Callable[[], None]:
    """A check that raises `PermanentTaskError` (preview_too_slow) once so many seconds from now
    are over; `what` says what could not be done, such as "bronze/a.tif cannot be looked into"."""
    end = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > end:
            raise PermanentTaskError(
                f"{what} within {seconds:g} seconds: a job can.", code="preview_too_slow"
            )

    return check
