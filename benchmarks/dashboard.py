"""What looking at jobs costs when there are very many: time and bytes of each refresh."""

from __future__ import annotations

import gzip
import statistics
import time
from dataclasses import dataclass

import httpx

from benchmarks.errors import BenchmarkError
from benchmarks.ledger_filling import BIG_JOB, fill
from benchmarks.stack import BenchStack

_WARM_UP = 5
_PAGE = "/api/interface/metrics"

REFRESHES = {
    "totals": f"{_PAGE}?part=summary",
    "charts, last hour": f"{_PAGE}?part=charts",
    "charts, 24 hours": f"{_PAGE}?part=charts&span=day",
    "charts, 7 days": f"{_PAGE}?part=charts&span=week",
    "jobs": f"{_PAGE}?part=jobs",
    "jobs that failed": f"{_PAGE}?part=jobs&status=failed",
    "jobs of a type": f"{_PAGE}?part=jobs&job_type=process_raster",
    "jobs with a text": f"{_PAGE}?part=jobs&text=source_9990",
    "jobs with a text that is nowhere": f"{_PAGE}?part=jobs&text=nowhere-at-all",
    "queues, processes, database": f"{_PAGE}?part=system",
    "list of jobs": "/api/interface/jobs",
    "list of failed jobs": "/api/interface/jobs?status=failed",
    "page of the large job": f"/api/interface/jobs/{BIG_JOB}",
    "its failed tasks": f"/api/interface/jobs/{BIG_JOB}?task_status=failed",
}
"""What browsers ask for, by name: parts of pages, as htmx does."""


@dataclass(frozen=True, slots=True)
class Refresh:
    """One refresh, asked for again and again.

    seconds: of each request, from sending it to the last byte.
    sent_bytes: of the body as it was sent to a browser that takes gzip.
    """

    title: str
    seconds: list[float]
    html_bytes: int
    gzip_bytes: int
    sent_bytes: int

    @property
    def p50(self) -> float:
        return statistics.median(self.seconds)

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.seconds, n=20, method="inclusive")[-1]


class Dashboard:
    """The pages of a stack whose ledger is filled at the first measurement."""

    def __init__(self, stack: BenchStack, jobs: int, tasks: int) -> None:
        self._stack = stack
        self._jobs = jobs
        self._tasks = tasks

    def measure(self, requests: int) -> list[Refresh]:
        """Fill the ledger, then ask for each refresh so often, one request after the other, over
        HTTP on this machine: time in the host, the wire and the client is in it."""
        fill(self._stack.database_url, self._jobs, self._tasks)
        headers = {"HX-Request": "true", "Accept-Encoding": "gzip"}
        with httpx.Client(
            base_url=self._stack.url, headers=headers, timeout=60, trust_env=False
        ) as client:
            return [_measured(client, title, path, requests) for title, path in REFRESHES.items()]


def _measured(client: httpx.Client, title: str, path: str, requests: int) -> Refresh:
    seconds: list[float] = []
    html, sent = b"", 0
    for number in range(_WARM_UP + requests):
        began = time.perf_counter()
        try:
            answer = client.get(path)
        except httpx.HTTPError as error:
            raise BenchmarkError(f"GET {path}: {error or type(error).__name__}") from error
        spent = time.perf_counter() - began
        if answer.status_code not in (200, 286):
            raise BenchmarkError(f"GET {path}: {answer.status_code} {answer.text[:200]}")
        if number >= _WARM_UP:
            seconds.append(spent)
        html, sent = answer.content, answer.num_bytes_downloaded
    return Refresh(title, seconds, len(html), len(gzip.compress(html, 4)), sent)
