"""Pipelines with an empty ledger for each test, and job types that go with it."""

from __future__ import annotations

import pytest

from core.job_definition import JobDefinition
from core.registry import registry
from infrastructure.database import Connection
from tests.support.engine import Load
from tests.support.pipeline_runs import job_type


@pytest.fixture(autouse=True)
def pipelines(ledger: Connection, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """A connection to a ledger without pipelines."""
    monkeypatch.setattr(registry, "_definitions", dict(registry._definitions))
    ledger.execute("TRUNCATE app.pipelines, app.pipeline_runs CASCADE")
    return ledger


@pytest.fixture
def load() -> JobDefinition[Load]:
    """A job type: parameters n, label and share; it results in {table, rows}."""
    return job_type()
