"""h3_raster_aggregation over HTTP, on a whole stack, while its host is killed in every stage."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
import rasterio
from rasterio import Affine

from tests.acceptance.conftest import Api, api_of
from tests.servers import ScratchDirectory, StackUnderTest
from tests.support.freezing import freeze
from tests.support.settings import app_settings

CONTAINER = "bronze-rasters"
RAINFALL = "rainfall.tif"
STAGES = ("inventory_cells", "compute_stats", "finalize")
RESOLUTION = 5
STATISTICS = ["mean", "sum", "count", "median"]
NODATA = -9999.0
JsonObject = dict[str, Any]


@pytest.fixture(scope="module")
def api(mortal: StackUnderTest) -> Iterator[Api]:
    yield from api_of(mortal)


@pytest.fixture(scope="module")
def rainfall(mortal: StackUnderTest) -> Iterator[np.ma.MaskedArray[Any, Any]]:
    """A raster in storage, whose values these are: 20 by 10 degrees, some of it without data."""
    chance = np.random.default_rng(7)
    values = chance.gamma(2.0, 40.0, (600, 1200)).astype(np.float32)
    values[:50, :200] = NODATA
    settings = mortal.environment["AZURE_STORAGE_CONNECTION_STRING"]
    with app_settings(AZURE_STORAGE_CONNECTION_STRING=settings), ScratchDirectory() as directory:
        from infrastructure import blob_storage

        file = Path(directory) / RAINFALL
        with rasterio.open(
            file, "w", driver="GTiff", width=1200, height=600, count=1, dtype="float32",
            crs="EPSG:4326", nodata=NODATA, tiled=True, blockxsize=256, blockysize=256,
            transform=Affine(1 / 60, 0, 20, 0, -1 / 60, 5),
        ) as dataset:  # fmt: skip
            dataset.write(values, 1)
        blob_storage.ensure_container(CONTAINER)
        blob_storage.write_bytes(CONTAINER, RAINFALL, file.read_bytes())
        yield np.ma.masked_equal(values, NODATA)


def submit(api: Api, dataset_id: str, **parameters: Any) -> str:
    """A job that aggregates the rainfall; its id."""
    return api.submit(
        "h3_raster_aggregation",
        container_name=CONTAINER, blob_name=RAINFALL, theme="climate", dataset_id=dataset_id,
        resolution=RESOLUTION, statistics=STATISTICS, weighting="exact", **parameters,
    )  # fmt: skip


def rows(api: Api, dataset_id: str) -> list[JsonObject]:
    return api.rows(
        """
        SELECT h3_index, band, stat_type, value, pixel_count, nodata_count
        FROM h3.zonal_stats WHERE theme = 'climate' AND dataset_id = %(id)s
        ORDER BY h3_index, stat_type
        """,
        id=dataset_id,
    )


@pytest.fixture(scope="module")
def undisturbed(api: Api, rainfall: np.ma.MaskedArray[Any, Any]) -> JsonObject:
    """A job that nothing happens to."""
    job = api.ended(submit(api, "undisturbed"))
    assert job["status"] == "completed", job["error"]
    return job


def at_work(connection: psycopg.Connection[Any], job_id: str, stage: str) -> bool:
    row = connection.execute(
        "SELECT count(*) FROM app.tasks WHERE job_id = %s AND stage = %s AND status = 'running'",
        (job_id, STAGES.index(stage)),
    ).fetchone()
    return bool(row and row[0])


def test_cells_add_up_to_the_raster(
    api: Api, undisturbed: JsonObject, rainfall: np.ma.MaskedArray[Any, Any]
) -> None:
    found = rows(api, "undisturbed")
    sums = sum(row["value"] for row in found if row["stat_type"] == "sum")
    counts = sum(row["value"] for row in found if row["stat_type"] == "count")
    assert sums == pytest.approx(float(rainfall.sum(dtype=np.float64)), rel=1e-9)
    assert counts == pytest.approx(rainfall.count(), rel=1e-9)
    result = undisturbed["result"]
    assert result["cells"] == result["cells_with_data"] + result["cells_without_data"]
    assert result["complete"]
    assert len(found) == result["cells_with_data"] * len(STATISTICS)


def test_the_statistics_are_served(api: Api, undisturbed: JsonObject) -> None:
    answer = api.http.get(
        "/api/h3/stats", params={"dataset": "undisturbed", "stat": "mean", "bbox": "25,-2,26,-1"}
    )
    assert answer.status_code == 200, answer.text
    means = {
        f"{row['h3_index']:x}": row["value"]
        for row in rows(api, "undisturbed")
        if row["stat_type"] == "mean"
    }
    served = {each["h3"]: each["mean"] for each in answer.json()["cells"]}
    assert served
    assert served.items() <= means.items()


def test_the_same_again_changes_nothing(api: Api, undisturbed: JsonObject) -> None:
    answer = api.http.post(
        "/api/jobs/submit/h3_raster_aggregation?rerun=true",
        json=undisturbed["parameters"],
    )
    job = api.ended(answer.json()["job_id"])
    assert job["status"] == "completed", job["error"]
    assert job["result"]["rows_written"] == 0
    assert job["result"]["rows_unchanged"] == undisturbed["result"]["rows_written"]


def test_the_host_is_killed_in_every_stage(
    mortal: StackUnderTest, api: Api, undisturbed: JsonObject
) -> None:
    """One job for each stage: while the next is killed, the last waits for its lease."""
    jobs = {}
    for stage in STAGES:
        jobs[stage] = job_id = submit(api, f"killed-{stage.replace('_', '-')}")
        with psycopg.connect(api.database_url, autocommit=True) as connection:
            freeze(mortal.pid("host"), partial(at_work, connection, job_id, stage))
        mortal.restart("host")
    expected = rows(api, "undisturbed")
    for stage, job_id in jobs.items():
        job = api.ended(job_id, 240)
        assert job["status"] == "completed", job["error"]
        assert rows(api, f"killed-{stage.replace('_', '-')}") == expected, stage
        attempts = api.rows(
            "SELECT max(attempt) AS most FROM app.tasks WHERE job_id = %(id)s AND stage = %(n)s",
            id=job_id,
            n=STAGES.index(stage),
        )
        assert attempts[0]["most"] > 1, f"nothing of {stage} was done again"
        context = api.rows(
            "SELECT value FROM app.job_context WHERE job_id = %(id)s AND name = 'h3_aggregation'",
            id=job_id,
        )[0]["value"]
        planned = job["result"]["cells"] + job["result"]["cells_beyond"]
        assert context["cells_processed"] == context["cells_total"] == planned


def test_an_area_without_a_cell_completes(api: Api, undisturbed: JsonObject) -> None:
    """No centre of a cell lies in so small a box."""
    job = api.ended(submit(api, "nothing", bbox=[25.0, -2.0, 25.00001, -1.99999]))
    assert job["status"] == "completed", job["error"]
    assert job["result"]["cells"] == 0
    assert rows(api, "nothing") == []


def test_what_is_no_raster_fails_and_is_named(api: Api, undisturbed: JsonObject) -> None:
    job_id = api.submit(
        "h3_raster_aggregation",
        container_name=CONTAINER, blob_name="missing.tif", theme="climate", dataset_id="missing",
        resolution=3,
    )  # fmt: skip
    job = api.ended(job_id)
    assert job["status"] == "failed"
    assert "missing.tif" in job["error"]["message"]
