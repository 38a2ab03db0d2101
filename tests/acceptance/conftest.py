"""A client of the stack, as a user has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from tests.servers import ScratchDirectory, StackUnderTest
from tests.support.engine import eventually

ENDED = ("completed", "completed_with_errors", "failed", "cancelled")


@dataclass(frozen=True)
class Api:
    """The jobs' endpoints of a stack, and what its ledger holds behind them."""

    http: httpx.Client
    database_url: str

    def submit(self, job_type: str, **parameters: Any) -> str:
        """Submit a new job; its id."""
        answer = self.http.post(f"/api/jobs/submit/{job_type}", json=parameters)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    def job(self, job_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/api/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def ended(self, job_id: str, seconds: float = 180.0) -> dict[str, Any]:
        """The job, when it has ended, with a result that is as its job type declares it."""
        eventually("the job ends", lambda: self.job(job_id)["status"] in ENDED, seconds)
        misfits = self.rows(
            "SELECT payload FROM app.job_metrics WHERE job_id = %(job_id)s"
            " AND payload ->> 'kind' = 'result_not_as_declared'",
            job_id=job_id,
        )
        assert not misfits, misfits
        return self.job(job_id)

    def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows of the stack's database."""
        with psycopg.connect(self.database_url, row_factory=dict_row) as connection:
            return connection.execute(query, parameters).fetchall()


def api_of(stack: StackUnderTest) -> Iterator[Api]:
    with httpx.Client(base_url=stack.url, timeout=60) as http:
        yield Api(http, stack.database_url)


@contextmanager
def mortal_stack(**settings: str) -> Iterator[StackUnderTest]:
    """A stack of somebody's own, to be killed at, which looks for what was lost every five
    seconds."""
    with ScratchDirectory() as directory:
        stack = StackUnderTest(
            directory,
            GEOFORGE_RECONCILE_SCHEDULE="*/5 * * * * *",
            GEOFORGE_RESEND_AFTER_SECONDS="5",
            GEOFORGE_SOURCE_CACHE_DIR=str(directory / "sources"),
            **settings,
        )
        yield stack
        stack.close()


@pytest.fixture(scope="module")
def mortal() -> Iterator[StackUnderTest]:
    """A stack of a module's own, whose timers come every five seconds."""
    with mortal_stack() as stack:
        yield stack


@pytest.fixture(scope="session")
def api(stack: StackUnderTest) -> Iterator[Api]:
    """The API of the session's stack."""
    yield from api_of(stack)
