"""POST /api/raster/inspect on real storage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infrastructure import blob_storage
from services.raster import sources, surveying
from services.raster.parameters import ProcessRaster
from tests.support.in_process import InProcessClient, Response
from tests.support.raster_files import relief, write_raster
from tests.support.settings import app_settings
from web_interfaces.api.raster_inspect import bp

CONTAINER = "bronze-inspected"


@pytest.fixture
def client(blob_connection_string: str, tmp_path: Path) -> Iterator[InProcessClient]:
    with app_settings(
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        GEOFORGE_SOURCE_CACHE_DIR=str(tmp_path / "cache"),
    ):
        blob_storage.ensure_container(CONTAINER)
        yield InProcessClient(bp)


def put(path: Path, name: str | None = None) -> str:
    name = name or path.name
    blob_storage.write_bytes(CONTAINER, name, path.read_bytes())
    return name


def inspect(client: InProcessClient, name: str, **more: Any) -> Response:
    body = {"container_name": CONTAINER, "blob_name": name, **more}
    return client.post("/api/raster/inspect", body)


def test_an_elevation_is_told_with_evidence(client: InProcessClient, tmp_path: Path) -> None:
    name = put(write_raster(tmp_path / "srtm_dem.tif", relief(300, 300), nodata=-9999))

    response = inspect(client, name)

    assert response.status == 200
    found = response.json()
    assert found["type"] == "dem"
    assert found["confidence"] == max(each["probability"] for each in found["candidates"])
    assert sum(each["probability"] for each in found["candidates"]) == pytest.approx(1)
    assert found["evidence"]
    assert found["refusal"] is None
    assert (found["facts"]["width"], found["facts"]["crs"]) == (300, "EPSG:32633")
    [statistics] = found["statistics"]
    assert statistics["minimum"] == pytest.approx(float(relief(300, 300).min()), abs=20)
    assert found["files"] == [name]


def test_what_a_job_would_refuse_is_told_beforehand(
    client: InProcessClient, tmp_path: Path
) -> None:
    name = put(write_raster(tmp_path / "placeless.tif", crs=None))

    found = inspect(client, name).json()

    assert found["refusal"]["code"] == "crs_missing"
    assert "no_crs" in [each["code"] for each in found["warnings"]]


def test_a_raster_of_any_size_is_read_in_ranges(
    client: InProcessClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = relief(1500, 1500)
    path = write_raster(
        tmp_path / "large.tif", pixels, tiled=True, blockxsize=256, blockysize=256
    )  # fmt: skip
    name = put(path, "in/zip+file!dem #2.tif")
    whole = inspect(client, name).json()
    monkeypatch.setattr(surveying, "_PREVIEW_COPY_BYTES", 1000)
    monkeypatch.setattr(sources, "local_copy", _not_wanted)

    in_ranges = inspect(client, name).json()

    assert in_ranges == whole


def _not_wanted(*_: object, **__: object) -> None:
    raise AssertionError("the raster is not to be copied")


@pytest.mark.parametrize("in_ranges", [False, True])
def test_what_cannot_be_read_is_refused_with_the_reason(
    client: InProcessClient, monkeypatch: pytest.MonkeyPatch, in_ranges: bool
) -> None:
    if in_ranges:
        monkeypatch.setattr(surveying, "_PREVIEW_COPY_BYTES", 10)
    blob_storage.write_bytes(CONTAINER, "notes.tif", b"these are notes, and no raster")

    response = inspect(client, "notes.tif")

    assert (response.status, response.media_type) == (422, "application/problem+json")
    problem = response.json()
    assert problem["code"] == "driver_not_allowed"
    assert problem["detail"].startswith("notes.tif: The file does not begin as any of the formats")
    assert problem["errors"][0]["loc"] == ["blob_name"]


def test_a_damaged_raster_is_refused(client: InProcessClient, tmp_path: Path) -> None:
    path = write_raster(
        tmp_path / "cut.tif", np.random.default_rng(1).normal(size=(1, 400, 400)), compress="lzw"
    )
    path.write_bytes(path.read_bytes()[:-200_000])

    problem = inspect(client, put(path)).json()

    assert (problem["status"], problem["code"]) == (422, "damaged_pixels")


def test_what_is_not_there(client: InProcessClient, tmp_path: Path) -> None:
    put(write_raster(tmp_path / "there.tif"))

    response = inspect(client, "ther.tif")

    assert response.status == 404
    assert response.json()["did_you_mean"] == "there.tif"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"blob_name": "a.tif"}, "container_name"),
        ({"container_name": CONTAINER}, "blob_name"),
        ({"container_name": CONTAINER, "blob_name": "../a.tif"}, "blob_name"),
        ({"container_name": "azure-webjobs-secrets", "blob_name": "a"}, "container_name"),
        ({"container_name": CONTAINER, "blob_name": "a.tif", "url": "x"}, "url"),
    ],
)
def test_a_body_that_names_no_file(
    client: InProcessClient, body: dict[str, str], field: str
) -> None:
    response = client.post("/api/raster/inspect", body)
    assert response.status == 422
    assert [each["loc"] for each in response.json()["errors"]] == [[field]]


def test_a_dry_run_tells_the_same(client: InProcessClient, tmp_path: Path) -> None:
    name = put(write_raster(tmp_path / "srtm_dem.tif", relief(300, 300), nodata=-9999))

    parameters = ProcessRaster(container_name=CONTAINER, blob_name=name)
    found = surveying.preview(parameters)

    assert found["inspected"] is True
    assert found["source"]["files"] == [name]
    assert found["inference"]["type"] == inspect(client, name).json()["type"] == "dem"
