"""Values as PostgreSQL is given them where they come out of files or from handlers."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from core import jsonb


def stored(value: Any) -> Jsonb | None:
    """The value as jsonb; NULL for None. Raises ValueError for what jsonb cannot hold."""
    return None if value is None else Jsonb(value, dumps=jsonb.encode)


def shown(value: Any) -> Jsonb:
    """The value as jsonb: what jsonb cannot hold, such as NaN or a NUL, is shown, not refused."""
    return Jsonb(jsonb.clean(value), dumps=jsonb.encode)
