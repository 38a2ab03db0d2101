"""What an exception out of a handler or a planner means for its task."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import psycopg
from azure.core.exceptions import AzureError, HttpResponseError

from core import jsonb
from core.errors import (
    GeoforgeError,
    TaskCancelled,
    TransientTaskError,
    Unavailable,
)
from infrastructure.database import is_outage

_MESSAGE_LIMIT = 2000

# Names of credentials, alone or at the end of a longer name: client_secret, X-Amz-Signature.
_NAME = (
    r"[\w-]*(?:password|passwd|pwd|secret|token|signature|credential"
    r"|(?:access|account|api|auth|private|subscription)[_-]?key)"
)

# What credentials look like in the texts of exceptions.
_SECRETS = (
    # URLs. The last @ before the path ends a password: it may hold others.
    (re.compile(r"(://[^/\s:@]*):[^/\s]+@"), r"\1:***@"),
    # Queries and connection strings. Short names are ones only where no space is around them.
    (
        re.compile(
            rf"(?is)((?<![\w-])(?:{_NAME}\s*=\s*|(?:sig|key)=)|[?&]code=)"
            r"(?:(['\"])(?:(?!\2)(?:\\.|.))*(?:\2|\Z)|[^&;\s'\"]+)"
        ),
        r"\1***",
    ),
    # JSON and the like, also as a text in another, and cut off anywhere.
    (
        re.compile(
            rf"(?is)(\\*['\"]{_NAME}\\*['\"]\s*:\s*)"
            r"(?:(\\*['\"])(?:(?!\2)(?:\\.|.))*(?:\2|\Z)|[^\s,}\]'\"\\]+)"
        ),
        r"\1***",
    ),
    (re.compile(r"(?i)(bearer\s+|authorization['\"]?\s*:\s*\w+\s+)[a-z0-9._~+/=-]+"), r"\1***"),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A classified failure. `record` goes into the ledger."""

    record: dict[str, Any]
    transient: bool = False
    cancelled: bool = False


def classify(error: BaseException) -> Fault:
    """What an exception means: try again, give up, or stop.

    Our own errors say so by their class. Outages, deadlocks, time-outs and the 5xx and 429
    answers of Azure pass, so they are transient; anything unforeseen is a bug or bad input,
    and trying again would change nothing.
    """
    if isinstance(error, GeoforgeError):
        return Fault(
            jsonb.clean(error.as_record(), redact),
            transient=isinstance(error, (TransientTaskError, Unavailable)),
            cancelled=isinstance(error, TaskCancelled),
        )
    message = f"{type(error).__name__}: {redact(str(error))}"
    if _passes(error):
        return Fault({"code": "transient", "message": message}, transient=True)
    return Fault({"code": "internal_error", "message": message})


def _passes(error: BaseException) -> bool:
    if is_outage(error):
        return True
    if isinstance(
        error,
        (
            psycopg.errors.DeadlockDetected,
            psycopg.errors.SerializationFailure,
            psycopg.errors.LockNotAvailable,
            psycopg.errors.QueryCanceled,
            ConnectionError,
            TimeoutError,
            MemoryError,
        ),
    ):
        return True
    if isinstance(error, HttpResponseError):
        return (
            error.status_code is None
            or error.status_code in (408, 429)
            or (error.status_code >= 500)
        )
    return isinstance(error, AzureError)


def redact(text: str) -> str:
    """The text without credentials, fit for jsonb, at a length that fits a row and a page."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    text = jsonb.clean_text(text)
    return text if len(text) <= _MESSAGE_LIMIT else text[: _MESSAGE_LIMIT - 1] + "…"
