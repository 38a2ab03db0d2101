"""What waits in the queues of Service Bus."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """Messages of one queue. `at_least`: there are more than were looked at.

    active: to be delivered now, or delivered and not settled yet.
    scheduled: to be delivered later, as retries are.
    dead_letter: given up, and not fetched yet.
    """

    active: int
    scheduled: int
    dead_letter: int
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class QueueWork:
    """Tasks of running stages that go through one queue, by the ledger.

    in_flight: sent, running, or waiting for a retry.
    waiting: not sent yet, since their stages run only so many at once.
    """

    queue: str
    stages: int
    in_flight: int
    waiting: int
