"""Identifiers: of jobs, and of runs of tasks in messages."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

_JOB_ID = re.compile(r"[0-9a-f]{64}")
_MOST_INDEXES = 1_000_000


def canonical_json(value: Any) -> str:
    """JSON with one spelling for one value: sorted keys, no spaces, UTF-8."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def submission_key(job_type: str, parameters: Mapping[str, Any]) -> str:
    """What makes two submissions the same: sha256 hex of type and canonical parameters."""
    text = f"{job_type}\n{canonical_json(parameters)}"
    return hashlib.sha256(text.encode()).hexdigest()


def job_id(job_type: str, parameters: Mapping[str, Any], run: int) -> str:
    """sha256 hex of the job type, its canonical parameters and the run (0 for the first)."""
    text = f"{job_type}\n{canonical_json(parameters)}\n{run}"
    return hashlib.sha256(text.encode()).hexdigest()


def is_job_id(text: str) -> bool:
    return _JOB_ID.fullmatch(text) is not None


def format_runs(indexes: Iterable[int]) -> str:
    """Ascending task indexes as runs: [0, 1, 2, 7] -> '0-2,7'. A message stays small."""
    runs: list[list[int]] = []
    for index in indexes:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)


def parse_runs(text: str) -> list[int]:
    """The inverse of `format_runs`. Raises ValueError for anything else.

    Also for more than a million indexes in all: a forged message must not fill the memory.
    """
    indexes: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        start, end = int(first), int(last if dash else first)
        if start < 0 or end < start:
            raise ValueError(f"not a run of task indexes: {part!r}")
        if end - start >= _MOST_INDEXES - len(indexes):
            raise ValueError(f"more than {_MOST_INDEXES:,} task indexes")
        indexes.extend(range(start, end + 1))
    return indexes
