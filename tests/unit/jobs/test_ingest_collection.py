"""The declaration of ingest_collection."""

from __future__ import annotations

from jobs.ingest_collection import JOB


def test_every_stage_rides_out_minutes_without_a_dependency() -> None:
    for stage in JOB.stages:
        delays = [
            stage.retry.delay_seconds(attempt, jitter=0.0)
            for attempt in range(1, stage.retry.max_attempts)
        ]
        assert sum(delays) > 180, stage.name
        assert max(delays) <= 120
