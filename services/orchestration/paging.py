"""What the lists share: filters, and cursors that are opaque so that their make can change."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from core.errors import InvalidParameters
from core.identifiers import is_job_id
from core.models.feature_table import TableName

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

# The largest integer and bigint of PostgreSQL, which refuses to compare with more.
_INT4 = 2**31 - 1
_INT8 = 2**63 - 1
_DATASET_ID = re.compile(r"[a-z][a-z0-9_]*")


def bad_query(name: str, message: str) -> InvalidParameters:
    """The error for one query parameter at fault."""
    return InvalidParameters(
        f"The query parameter {name!r} {message}.", [{"loc": ["query", name], "msg": message}]
    )


def one_of(kind: type[E], name: str, text: str | None) -> E | None:
    """The query parameter as a member of the enumeration; None where it was not given."""
    if text is None:
        return None
    try:
        return kind(text)
    except ValueError:
        raise bad_query(name, f"must be one of {', '.join(kind)}") from None


def cursor_after(*key: str | int) -> str:
    """The cursor of the page that begins after the row with this key."""
    return base64.urlsafe_b64encode("|".join(map(str, key)).encode()).decode().rstrip("=")


def job_key(cursor: str) -> tuple[datetime, str]:
    """(created_at, job_id) out of a cursor of jobs, or `InvalidParameters`."""
    return _read(cursor, _job_key)


def task_key(cursor: str) -> tuple[int, int]:
    """(stage, task_index) out of a cursor of tasks, or `InvalidParameters`."""
    return _read(cursor, lambda stage, index: (_number(stage, _INT4), _number(index, _INT4)))


def cause_key(cursor: str) -> tuple[int, int, str]:
    """(count, stage, fingerprint) out of a cursor of causes, or `InvalidParameters`."""
    return _read(
        cursor,
        lambda count, stage, cause: (_number(count, _INT4), _number(stage, _INT4), _name(cause)),
    )


def row_key(cursor: str) -> int:
    """The id of a row out of a cursor, or `InvalidParameters`."""
    return _read(cursor, lambda text: _number(text, _INT8))


def table_key(cursor: str) -> TableName:
    """The table out of a cursor of tables, or `InvalidParameters`."""
    return _read(cursor, lambda schema, table: TableName(schema_name=schema, table_name=table))


def dataset_key(cursor: str) -> str:
    """The dataset's id out of a cursor of datasets, or `InvalidParameters`."""
    return _read(cursor, _dataset_id)


def name_key(cursor: str) -> str:
    """The name out of a cursor of things that are listed by it, or `InvalidParameters`."""
    return _read(cursor, _name)


def _read(cursor: str, parse: Callable[..., T]) -> T:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return parse(*base64.b64decode(padded, altchars=b"-_", validate=True).decode().split("|"))
    except (ValueError, TypeError, OverflowError, binascii.Error):
        raise bad_query("cursor", "is not one that a page of this list gave") from None


def _job_key(time: str, job_id: str) -> tuple[datetime, str]:
    created_at = datetime.fromisoformat(time)
    if created_at.tzinfo is None or not is_job_id(job_id):
        raise ValueError(job_id)
    return created_at.astimezone(UTC), job_id


def _dataset_id(text: str) -> str:
    if not _DATASET_ID.fullmatch(text):
        raise ValueError(text)
    return text


def _name(text: str) -> str:
    if not text.isprintable():
        raise ValueError(text)
    return text


def _number(text: str, most: int) -> int:
    number = int(text)
    if not 0 <= number <= most:
        raise ValueError(text)
    return number
