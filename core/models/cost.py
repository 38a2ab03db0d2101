"""What a job has taken of machine and storage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """See docs/metrics.md for what is counted, and what is not.

    `core_seconds` are seconds of CPU, `busy_seconds` those that workers were at it on the clock,
    `messages` were sent for tasks. The bytes are those of blobs and of answers of sources.
    """

    core_seconds: float = 0.0
    busy_seconds: float = 0.0
    messages: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
