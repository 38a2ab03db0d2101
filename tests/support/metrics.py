"""Metrics as a process finds them that has just begun: nothing throttled, collected or lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from config import get_metrics_settings
from infrastructure import job_progress
from infrastructure.job_figures import Outbox
from infrastructure.metrics_losses import Losses


@contextmanager
def fresh_metrics(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within, `infrastructure.job_progress` has no memory of what other tests did."""
    get_metrics_settings.cache_clear()
    new_process(monkeypatch)
    yield
    silence(job_progress._outbox)
    get_metrics_settings.cache_clear()


def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if another process went on from here. What the last one had not written is gone."""
    silence(job_progress._outbox)
    outbox = Outbox(
        job_progress._write, lambda: get_metrics_settings().sample_interval, job_progress.sample
    )
    monkeypatch.setattr(job_progress, "_outbox", outbox)
    monkeypatch.setattr(job_progress, "_samples", job_progress._Throttle())
    monkeypatch.setattr(job_progress, "losses", Losses())


def silence(outbox: Outbox) -> None:
    """What is still collected must not be written into another test."""
    with outbox._guard:
        outbox._boxes.clear()
