"""What of a long list stands in a job's result: the ledger keeps it, and holds little."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice

from core.job_definition import JsonObject

_MOST = 100
_MESSAGE = 300
# A result must stay far below 100 KB, and may have two lists.
_BYTES = 30_000


def listed(records: Iterable[JsonObject], most_bytes: int = _BYTES) -> Iterator[JsonObject]:
    """As many of the first records, a hundred at most, as go into so many bytes, their messages
    in short."""
    left = most_bytes
    for record in islice(records, _MOST):
        short = dict(record)
        if "message" in short:
            short["message"] = short["message"][:_MESSAGE]
        left -= len(json.dumps(short))  # As the ledger's driver writes it, in ASCII.
        if left < 0:
            return
        yield short
