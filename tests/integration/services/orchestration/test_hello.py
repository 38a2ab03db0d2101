"""hello_fan_out: its result is what the ledger holds."""

from __future__ import annotations

from typing import Any

import pytest

import jobs
from core.registry import registry
from tests.integration.services.orchestration.conftest import Engine


@pytest.mark.parametrize(
    ("parameters", "status", "result"),
    [
        ({"n": 0}, "completed", {"tasks": 0, "completed": 0, "failed": 0}),
        ({"n": 7}, "completed", {"tasks": 7, "completed": 7, "failed": 0}),
        (
            {"n": 40, "failure_rate": 0.1},
            "completed_with_errors",
            {"tasks": 40, "completed": 36, "failed": 4},
        ),
    ],
)
def test_the_result_counts_what_came_of_the_tasks(
    engine: Engine, parameters: dict[str, Any], status: str, result: dict[str, int]
) -> None:
    jobs.discover()
    job = engine.submit(registry.get("hello_fan_out"), **parameters)
    assert job.run() == status
    assert job.row.result == result
