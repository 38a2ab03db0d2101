"""Tasks over time: counted while processes live, read for charts and for the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from core.models.throughput import Outcomes, Span, Throughput, first_bin, throughput
from infrastructure import database, metrics_repository, throughput_repository
from infrastructure.database import Connection
from infrastructure.throughput_repository import Selection

# Tasks count for the minute in which their counter is looked at: so late at most.
_COUNT_EVERY = timedelta(seconds=9)

_MOST_TYPES = 8


@dataclass(frozen=True, slots=True)
class History:
    """A span's throughput, and the job types that it is made of, most failures first."""

    throughput: Throughput
    job_types: dict[str, Outcomes]


def count() -> bool:
    """Bring the counts up to date; False where another process has just done so."""
    return metrics_repository.transact(
        lambda connection: throughput_repository.count(connection, _COUNT_EVERY)
    )


def history(span: Span, job_type: str | None = None) -> History:
    """The throughput of a span up to now, of one job type or of all.

    Two queries on at most some thousand rows of app.throughput, however many tasks they tell of.
    """

    def read(connection: Connection) -> History:
        now = database.now(connection)
        selection = Selection(
            width="hour" if span is Span.WEEK else "minute",
            seconds=span.bin_seconds,
            since=first_bin(span, now),
            job_type=job_type,
        )
        return History(
            throughput(span, throughput_repository.bins(connection, selection), now),
            throughput_repository.job_types(connection, selection, _MOST_TYPES),
        )

    return metrics_repository.transact(read)
