"""What of a long list stands in a job's result: the ledger keeps it, and holds little."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice

from core.job_definition import JsonObject

# A result must stay far below 100 KB, and may have two lists.
_LISTED = 100
_LISTED_BYTES = 30_000
_MESSAGE = 300


def listed(records: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """As many of the first records as a result may hold, their messages in short."""
    left = _LISTED_BYTES
    for record in islice(records, _LISTED):
        short = dict(record)
        if "message" in short:
            short["message"] = short["message"][:_MESSAGE]
        left -= len(json.dumps(short))  # As the ledger's driver writes it, in ASCII.
        if left < 0:
            return
        yield short
