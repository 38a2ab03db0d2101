"""The benchmark's own look at a stack: what it counts is what happened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.engine import Engine
from benchmarks.errors import BenchmarkError
from benchmarks.stack import PARTS, BenchStack
from local.stack.ports import SETTINGS
from local.stack.settings import StackSettings
from tests.servers import StackUnderTest


@pytest.fixture
def engine(stack: StackUnderTest) -> Iterator[Engine]:
    ports = {setting: stack.port(setting) for setting in SETTINGS.values()}
    settings = StackSettings.load({**ports, "GEOFORGE_STATE_DIR": str(stack.directory)})
    with Engine(BenchStack(settings)) as engine:
        yield engine


def test_jobs_of_any_size_leave_the_same_history(engine: Engine) -> None:
    small, large = engine.run(10), engine.run(500)
    assert small.history_events == large.history_events
    assert large.tasks == 500
    assert 0 < large.seconds < 60
    assert large.ledger_bytes_per_task > 0
    assert set(large.peak_bytes) == set(PARTS)
    assert all(peak > 10_000_000 for peak in large.peak_bytes.values())


def test_a_job_that_is_refused_is_no_measurement(engine: Engine) -> None:
    with pytest.raises(BenchmarkError, match="422"):
        engine.run(-1)
