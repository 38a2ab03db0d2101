"""What the demo does with the example pipelines: makes their files, begins, approves, follows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import rasterio

from local.demo import pipelines
from local.demo.api import Api, ApiError
from services.pipelines import examples


class App:
    """An app in which each look at a run finds it one state further."""

    def __init__(self, *, has_run: str | None = None, end: str = "completed") -> None:
        self.has_run = has_run
        self.end = end
        self.asked: list[str] = []
        self.looks: dict[str, int] = {}

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/")
        self.asked.append(f"{request.method} {path}")
        body = json.loads(request.content or b"null")
        if path == "pipelines/examples":
            return httpx.Response(200, json={"examples": examples.documents()})
        if path == "pipelines/import" and self.has_run is None:
            return httpx.Response(201, json={"name": body["name"], "version": 1})
        if path in ("pipelines/import", "curated/datasets"):
            known = "pipeline_exists" if path == "pipelines/import" else "dataset_exists"
            return _problem(409, known)
        if path.endswith("/run"):
            return self._begun(path.split("/")[1], body)
        if path.startswith("pipelines/runs/") and request.method == "GET":
            return httpx.Response(200, json=self._run(path.split("/")[2]))
        return httpx.Response(200, json={"version": 1})

    def _begun(self, name: str, body: Mapping[str, Any]) -> httpx.Response:
        status = self.has_run if self.has_run and body["request_id"] else "queued"
        run = {"run_id": name, "name": name, "status": status}
        return httpx.Response(202, json={**run, "created": status == "queued"})

    def _run(self, name: str) -> dict[str, Any]:
        look = self.looks[name] = self.looks.get(name, 0) + 1
        is_open = look == 1 and name == pipelines.CURATED
        step = {
            "id": "approve",
            "status": "awaiting_approval" if is_open else "completed",
            "items_total": 1,
            "jobs_completed": 0,
            "message": "Should it?",
        }
        status = "running" if look < 2 else self.end
        error = {"code": "step_failed"} if status == "failed" else None
        return {
            "run_id": name, "name": name, "status": status, "steps": [step], "error": error
        }  # fmt: skip


def _problem(status: int, code: str) -> httpx.Response:
    return httpx.Response(
        status, json={"code": code}, headers={"Content-Type": "application/problem+json"}
    )


def run_examples(app: App, **options: Any) -> tuple[list[str], str]:
    """The names of the runs, and what was said."""
    said: list[str] = []
    with Api("http://app", transport=httpx.MockTransport(app.answer)) as api:
        runs = pipelines.run_examples(api, said.append, **{"with_countries": True, **options})
    return [run["name"] for run in runs], "\n".join(said)


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelines, "_POLL_SECONDS", 0.0)


def test_the_examples_are_imported_run_and_approved() -> None:
    app = App()
    names, said = run_examples(app)
    assert names == [pipelines.VECTOR, pipelines.RASTER, pipelines.CURATED]
    at = f"POST pipelines/runs/{pipelines.CURATED}/steps/approve/approve"
    assert [asked for asked in app.asked if asked.endswith("/approve")] == [at]
    assert "curated_with_approval waits for approval: Should it?" in said
    assert "The demo approves it" in said


def test_what_was_run_before_is_not_run_again_and_what_failed_is_resumed() -> None:
    _, said = run_examples(App(has_run="completed"))
    assert said.count("done before") == 2
    app = App(has_run="failed")
    _, said = run_examples(app)
    assert said.count("resuming") == 2
    assert f"POST pipelines/runs/{pipelines.VECTOR}/resume" in app.asked


def test_without_countries_the_raster_is_left_out() -> None:
    names, said = run_examples(App(), with_countries=False)
    assert pipelines.RASTER not in names
    assert f"{pipelines.RASTER} is left out" in said


def test_a_run_that_fails_is_told_with_its_error() -> None:
    with pytest.raises(ApiError, match=r"vector_to_map failed: (?s:.*)step_failed"):
        run_examples(App(end="failed"))


def test_the_files_are_the_same_wherever_they_are_made(tmp_path: Path) -> None:
    def digests(folder: Path) -> list[str]:
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in pipelines.deliver(folder)]

    first = digests(tmp_path / "a")
    assert digests(tmp_path / "b") == digests(tmp_path / "a") == first
    with rasterio.open(tmp_path / "a" / "demo_elevation.tif") as raster:
        heights = raster.read(1)
        assert (raster.crs.to_epsg(), heights.shape) == (4326, (450, 450))
        assert 0 < heights.min() < heights.max() < 4000
    for name in ("demo_parks.geojson", "demo_sites.geojson"):
        assert len(json.loads((tmp_path / "a" / name).read_text("utf-8"))["features"]) == 24
