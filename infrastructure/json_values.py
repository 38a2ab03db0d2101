"""Values as PostgreSQL is given them where they come out of files or from handlers."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from core import jsonb


def shown(value: Any) -> Jsonb:
    """The value as jsonb: what jsonb cannot hold, such as NaN or a NUL, is shown, not refused."""
    return Jsonb(jsonb.clean(value), dumps=jsonb.encode)
