"""The demo's side of geoforge's HTTP interface: submit a job, follow it, search the STAC API."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from local.demo import report
from local.demo.report import Job

FINISHED = frozenset({"completed", "completed_with_errors", "failed", "cancelled"})
SUCCEEDED = frozenset({"completed", "completed_with_errors"})

_POLL_SECONDS = 0.5
_OUTAGE_SECONDS = 120.0
_STANDSTILL_SECONDS = 600.0


class ApiError(Exception):
    """The app refused a request, or does not answer. The message is for a person.

    `problem` is what the app answered as application/problem+json; empty where it did not.
    """

    def __init__(self, message: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.problem = problem or {}

    @property
    def code(self) -> str | None:
        """The problem's stable name."""
        return self.problem.get("code")


class Api:
    """A client of a running app."""

    def __init__(
        self, url: str, *, key: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        """Prepare a client.

        Args:
            url: where the app is served, without /api.
            key: the function key, where the app asks for one.
            transport: what carries the requests; httpx's own by default.
        """
        # Not through a proxy that the environment may name: the app is on this machine.
        self._client = httpx.Client(
            base_url=url,
            headers={"x-functions-key": key} if key else {},
            timeout=60.0,
            trust_env=False,
            transport=transport,
        )

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def submit(self, job_type: str, parameters: dict[str, Any], *, rerun: bool = False) -> Job:
        """Submit a job; {job_id, status, created, ...}: the same submission gives the same job."""
        query = {"rerun": "true"} if rerun else {}
        return self._call("POST", f"/api/jobs/submit/{job_type}", params=query, json=parameters)

    def resume(self, job_id: str) -> None:
        """Put a job that failed or was cancelled back to work."""
        self._call("POST", f"/api/jobs/{job_id}/resume")

    def job(self, job_id: str) -> Job:
        """The job as it stands."""
        return self._call("GET", f"/api/jobs/{job_id}")

    def follow(self, job_id: str) -> Iterator[Job]:
        """The job again and again until it is finished, through restarts of the app.

        Raises:
            ApiError: the app does not answer for long, or the job does not get on.
        """
        answered = moved = time.monotonic()
        seen: object = None
        while True:
            now = time.monotonic()
            try:
                job = self.job(job_id)
            except ApiError as error:
                if now - answered > _OUTAGE_SECONDS:
                    raise ApiError(f"The app has not answered for a while: {error}") from error
            else:
                answered = now
                yield job
                if job["status"] in FINISHED:
                    return
                if (standing := report.standing(job)) != seen:
                    seen, moved = standing, now
                if now - moved > _STANDSTILL_SECONDS:
                    raise ApiError(f"Nothing has moved for {_STANDSTILL_SECONDS:.0f} s.")
            time.sleep(_POLL_SECONDS)

    def dataset(self, dataset_id: str) -> dict[str, Any]:
        """A curated dataset: how it is registered, and what is published of it."""
        return self._call("GET", f"/api/curated/datasets/{dataset_id}")

    def update(self, dataset_id: str, **asked: Any) -> dict[str, Any]:
        """Begin an update of a curated dataset; {job_id, ...}."""
        return self._call("POST", f"/api/curated/datasets/{dataset_id}/update", json=asked)

    def register_dataset(self, definition: dict[str, Any]) -> None:
        """Register a curated dataset."""
        self._call("POST", "/api/curated/datasets", json=definition)

    def pipeline_examples(self) -> list[dict[str, Any]]:
        """The documents of the pipelines that come with the app."""
        examples: list[dict[str, Any]] = self._call("GET", "/api/pipelines/examples")["examples"]
        return examples

    def import_pipeline(self, document: dict[str, Any]) -> dict[str, Any]:
        """Keep a document as a new pipeline; its view."""
        return self._call("POST", "/api/pipelines/import", json=document)

    def pipeline(self, name: str) -> dict[str, Any]:
        """A pipeline: its newest version and document."""
        return self._call("GET", f"/api/pipelines/{name}")

    def run_pipeline(
        self, name: str, inputs: dict[str, Any], *, request_id: str | None = None
    ) -> dict[str, Any]:
        """Begin a run; {run_id, status, created, ...}: the same request gives the same run."""
        asked = {"inputs": inputs, "request_id": request_id}
        return self._call("POST", f"/api/pipelines/{name}/run", json=asked)

    def pipeline_run(self, run_id: str) -> dict[str, Any]:
        """A run and its steps, as they stand."""
        return self._call("GET", f"/api/pipelines/runs/{run_id}")

    def resume_run(self, run_id: str) -> None:
        """Go on with a run that failed or was cancelled."""
        self._call("POST", f"/api/pipelines/runs/{run_id}/resume")

    def approve(self, run_id: str, step_id: str, *, note: str) -> None:
        """Let a run go on behind a gate."""
        path = f"/api/pipelines/runs/{run_id}/steps/{step_id}/approve"
        self._call("POST", path, json={"note": note})

    def items(self, collection: str) -> Iterator[dict[str, Any]]:
        """All items of a collection, page by page, as a STAC client searches for them."""
        page = self._call(
            "GET", "/api/stac/search", params={"collections": collection, "limit": 100}
        )
        while True:
            yield from page["features"]
            following = [link for link in page["links"] if link["rel"] == "next"]
            if not following:
                return
            page = self._call(following[0].get("method", "GET"), following[0]["href"])

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            response = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise ApiError(f"{method} {path}: {error or type(error).__name__}") from error
        if response.is_error:
            raise ApiError(
                f"{method} {path}: {response.status_code} {response.text.strip()}",
                _problem(response),
            )
        answer: dict[str, Any] = response.json()
        return answer


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    if not response.headers.get("content-type", "").startswith("application/problem+json"):
        return {}
    problem: dict[str, Any] = response.json()
    return problem
