"""The app on a running stack, used from outside, as its users do."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx

from benchmarks.errors import BenchmarkError
from benchmarks.stack import BenchStack

_POLL_SECONDS = 0.5
_STANDSTILL_SECONDS = 120.0
_FINISHED = frozenset({"completed", "completed_with_errors", "failed", "cancelled"})


class App:
    """A client of the app's HTTP API. What goes wrong is a `BenchmarkError`."""

    def __init__(self, stack: BenchStack) -> None:
        # Not through a proxy that the environment may name: the app is on this machine.
        self._client = httpx.Client(base_url=stack.url, timeout=60.0, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def submit(self, job_type: str, parameters: Mapping[str, Any]) -> str:
        """Submit a job as a new run; its id."""
        answer = self.call(
            "POST",
            f"/api/jobs/submit/{job_type}",
            params={"rerun": "true"},
            json=dict(parameters),
        )
        return str(answer["job_id"])

    def wait(self, job_id: str, *, standstill: float = _STANDSTILL_SECONDS) -> dict[str, Any]:
        """The job when it has ended, however; an error when nothing moves for `standstill` s."""
        moved, seen = time.monotonic(), None
        while True:
            job = self.call("GET", f"/api/jobs/{job_id}")
            if job["status"] in _FINISHED:
                return job
            if (standing := (job["status"], job["stages"])) != seen:
                moved, seen = time.monotonic(), standing
            if time.monotonic() - moved > standstill:
                raise BenchmarkError(f"Nothing has moved for {standstill:.0f} s: {job}")
            time.sleep(_POLL_SECONDS)

    def call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The JSON object that a request is answered with."""
        try:
            response = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise BenchmarkError(f"{method} {path}: {error or type(error).__name__}") from error
        if response.is_error:
            raise BenchmarkError(f"{method} {path}: {response.status_code} {response.text}")
        answer: dict[str, Any] = response.json()
        return answer


def moment(text: str) -> float:
    """A time of the API's, in Unix seconds."""
    return datetime.fromisoformat(text).timestamp()


def stage_seconds(job: Mapping[str, Any]) -> dict[str, float]:
    """How long each stage of a job that has ended took, by its name."""
    return {
        stage["name"]: moment(stage["finished_at"]) - moment(stage["started_at"])
        for stage in job["stages"]
    }
