"""One of each thing that the API's operations are about, made on a running stack."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.raster_files import terrain
from tests.acceptance.conftest import Api
from tests.servers import StackUnderTest
from tests.support import h3_layers, published
from tests.support.engine import eventually
from tests.support.pipelines_api import PIPELINES, RUNS, greetings
from tests.support.settings import app_settings
from tests.support.vector_job import collection, feature, square

_CONTAINER = "bronze-subjects"
_PLACES, _HEIGHTS = "places.geojson", "heights.tif"
_QUERIES = {
    "/api/h3/stats": {"dataset": "heights_h3"},
    "/api/pipelines/{name}/diff": {"from": "1", "to": "2"},
}
_BOWTIE = [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]


class Subjects:
    """Ids of things that exist: parameters of the API's paths that lead somewhere."""

    def __init__(self, stack: StackUnderTest, api: Api) -> None:
        """Make them; the jobs among them have ended when this returns."""
        self._api = api
        _store(stack)
        self._vector = self._submitted("process_vector", _PLACES, table_name="places")
        self._raster = self._submitted(
            "process_raster", _HEIGHTS, collection_id="heights", item_id="heights_1"
        )
        self._hello = api.submit("hello_fan_out", n=6, failure_rate=0.5)
        self._put_pipeline()
        self._run = self._post(f"{PIPELINES}/greetings/run", {"inputs": {"counts": [1]}})["run_id"]
        self._post("/api/curated/datasets", _dataset("areas"))
        _put_h3_dataset(stack, "heights_h3")
        for job_id in (self._vector, self._raster):
            job = api.ended(job_id)
            assert job["status"] == "completed", job["error"]
        assert api.ended(self._hello)["status"] == "completed_with_errors"
        # A second version, for what is asked about the one before.
        again = self._submitted("process_vector", _PLACES, table_name="places", max_area_change=1)
        assert api.ended(again)["status"] == "completed"
        eventually("the gate opens", lambda: self._run_view()["awaiting_approval"], 120)

    def path_parameters(self, path: str) -> dict[str, str]:
        """The parameters of this path, each naming something that exists."""
        known = {**self._everywhere(), **self._of(path)}
        return {name: text for name, text in known.items() if f"{{{name}}}" in path}

    def query(self, path: str) -> dict[str, str]:
        """What an answer cannot be had without."""
        return _QUERIES.get(path, {})

    def _everywhere(self) -> dict[str, str]:
        return {
            "job_id": self._hello, "stage": "0", "task_index": "1", "job_type": "hello_fan_out",
            "kind": "table", "name": "greetings", "run_id": self._run, "step_id": "look",
            "table": "places", "item": "heights_1", "item_id": "heights_1", "feature_id": "1",
            "z": "0", "x": "0", "y": "0", "style_id": "default", "dataset_id": "areas",
            "longitude": "15.01", "latitude": "40.6",
        }  # fmt: skip

    def _of(self, path: str) -> dict[str, str]:
        if path.startswith("/api/vector/reports"):
            return {"job_id": self._vector}
        if path.startswith("/api/h3"):
            return {"dataset_id": "heights_h3"}
        if path.endswith("/jobs"):
            return {"step_id": "greet"}
        is_raster = path.startswith(("/api/raster", "/api/stac"))
        name = "heights" if is_raster else "places"
        return {"collection": name, "collection_id": name}

    def _submitted(self, job_type: str, blob: str, **parameters: Any) -> str:
        return self._api.submit(job_type, container_name=_CONTAINER, blob_name=blob, **parameters)

    def _post(self, path: str, body: Any) -> Any:
        answer = self._api.http.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def _put_pipeline(self) -> None:
        self._post(PIPELINES, greetings())
        changed = greetings(title="More greetings")
        assert self._api.http.put(f"{PIPELINES}/greetings", json=changed).is_success

    def _run_view(self) -> Any:
        return self._api.http.get(f"{RUNS}/{self._run}").raise_for_status().json()


def _store(stack: StackUnderTest) -> None:
    """Put the files that are processed in the stack's storage."""
    storage = stack.environment["AZURE_STORAGE_CONNECTION_STRING"]
    places = collection(
        *(feature("Polygon", square(x, 50.0), name=f"Place {x}") for x in range(5)),
        feature("Polygon", _BOWTIE, name="Bow"),
        feature("Polygon", [[[0, 0], [1, 1]]], name="Too short"),
    )
    with app_settings(AZURE_STORAGE_CONNECTION_STRING=storage), TemporaryDirectory() as folder:
        from infrastructure import blob_storage

        file = Path(folder) / _HEIGHTS
        terrain(file, 256)
        blob_storage.ensure_container(_CONTAINER)
        blob_storage.write_bytes(_CONTAINER, _PLACES, json.dumps(places).encode())
        blob_storage.write_bytes(_CONTAINER, _HEIGHTS, file.read_bytes())


def _dataset(name: str) -> dict[str, Any]:
    return {
        "dataset_id": name,
        "name": name,
        "handler": "wdpa",
        "target_table_name": f"curated_{name}",
    }


def _put_h3_dataset(stack: StackUnderTest, name: str) -> None:
    found = h3_layers.cells_of((9.0, 49.0, 9.2, 49.2), 6)
    with published.connect(stack.database_url) as connection:
        h3_layers.put(connection, name, found, {"mean": (found % 100).astype(float)})
