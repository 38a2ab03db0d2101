"""A day as the HTTP interfaces take it."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator

_WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _read(value: Any) -> date:
    # Pydantic takes "0" for a day as well: that of the Unix timestamp.
    if type(value) is date:
        return value
    if not isinstance(value, str) or not _WRITTEN.fullmatch(value):
        raise ValueError("must be a day as YYYY-MM-DD")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a day of the calendar") from None


Day = Annotated[date, BeforeValidator(_read)]
