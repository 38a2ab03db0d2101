"""How jobs go, and what they run on."""

from __future__ import annotations

from typing import Final

from core.models.metrics import MetricType
from core.models.queue import QueueCounts
from core.models.server import ServerFigures
from core.models.throughput import Outcomes, Point, Span
from core.models.worker import Worker
from web_interfaces.api.schemas.parts import (
    ANYTHING,
    COUNT,
    JOB_ID,
    NUMBER,
    SECONDS,
    TEXT,
    TIME,
    an_object,
    list_of,
    map_of,
    of_type,
    one_of,
    or_null,
    page_of,
    with_more,
)

ROWS: Final = with_more(
    page_of(
        "metrics",
        an_object(id=COUNT, timestamp=TIME, metric_type=one_of(MetricType), payload=ANYTHING),
    ),
    job_id=JOB_ID,
    context=ANYTHING,
)

_NOT_WRITTEN: Final = an_object(events=COUNT, snapshots=COUNT, figures=COUNT)
SUMMARY: Final = an_object(
    running=COUNT,
    queued=COUNT,
    completed=COUNT,
    completed_with_errors=COUNT,
    failed=COUNT,
    cancelled=COUNT,
    tasks_per_minute=NUMBER,
    not_written=_NOT_WRITTEN,
    not_written_here=_NOT_WRITTEN,
)

_OUTCOMES: Final = of_type(Outcomes)
THROUGHPUT: Final = an_object(
    span=one_of(Span),
    bin_seconds=COUNT,
    points=list_of(of_type(Point)),
    total=_OUTCOMES,
    job_types=map_of(_OUTCOMES),
)

QUEUES: Final = an_object(
    queues=list_of(
        an_object(
            queue=TEXT,
            name=TEXT,
            messages=or_null(of_type(QueueCounts)),
            age_seconds=or_null(SECONDS),
            problem=or_null(TEXT),
            tasks_in_flight=COUNT,
            tasks_waiting=COUNT,
            dead_letters_24h=COUNT,
        )
    )
)

DEAD_LETTERS: Final = page_of(
    "dead_letters",
    an_object(
        id=COUNT,
        received_at=TIME,
        queue=TEXT,
        message_id=or_null(TEXT),
        reason=or_null(TEXT),
        description=or_null(TEXT),
        job_id=or_null(TEXT),
        job_type=or_null(TEXT),
        body=or_null(TEXT),
    ),
)

WORKERS: Final = an_object(workers=list_of(of_type(Worker)))

DATABASE: Final = an_object(
    figures=or_null(of_type(ServerFigures)),
    age_seconds=or_null(SECONDS),
    problem=or_null(TEXT),
)
