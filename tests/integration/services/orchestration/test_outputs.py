"""A job's result, held against what its type declares."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field

from core.job_definition import JobOutputs
from tests.integration.services.orchestration.conftest import Engine
from tests.support.engine import define


class Table(JobOutputs):
    table: str = Field(description="The table")
    rows: int | None = Field(description="Its rows")


class Outputs(JobOutputs):
    tables: list[Table] = Field(description="The tables")


def test_a_result_as_declared_is_nothing_to_tell_of(engine: Engine) -> None:
    result = {"tables": [{"table": "geo.a", "rows": 1}, {"table": "geo.b", "rows": None}]}
    job = engine.submit(define(outputs=Outputs, finalize=lambda _: result))
    assert job.run() == "completed"
    assert job.row.result == result
    assert job.events("result_not_as_declared") == []


@pytest.mark.parametrize(
    ("result", "field"),
    [
        ({"tables": [{"table": "geo.a"}]}, "tables.0.rows: Field required"),
        ({"tables": [], "more": 1}, "more: Extra inputs are not permitted"),
        ({"tables": [{"table": "geo.a", "rows": "secret"}]}, "tables.0.rows: Input should be a"),
        (None, ": Input should be an object"),
    ],
)
def test_one_that_is_not_is_told_and_the_job_completes(
    engine: Engine, result: Any, field: str
) -> None:
    job = engine.submit(define(outputs=Outputs, finalize=lambda _: result))
    assert job.run() == "completed"
    assert job.row.result == result
    [event] = job.events("result_not_as_declared")
    assert field in event["message"]
    assert any(each.startswith(field) for each in event["details"]["fields"])
    assert "secret" not in str(event)
