"""h3.source_catalog says how what is published can be aggregated, and keeps what people set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from psycopg import errors

from core.models.metrics import MetricType
from infrastructure import database, metrics_repository, source_catalog_repository
from infrastructure.database import Connection
from services.raster import source_entries
from tests.support import raster_collection, raster_job, rasters
from tests.support.raster_job import publish, put
from tests.support.run_job import TaskFailed

pytestmark = pytest.mark.usefixtures("app")


def entry(collection_id: str) -> dict[str, Any]:
    """The entry of a collection, its place as text."""
    with database.transaction() as connection:
        row = connection.execute(
            "SELECT *, ST_AsText(spatial_extent) AS place FROM h3.source_catalog WHERE id = %s",
            (collection_id,),
        ).fetchone()
    assert row is not None
    return row


def test_a_raster_that_is_published_is_entered(tmp_path: Path) -> None:
    pixels = rasters.dem()
    blob = put("entered/dem.tif", rasters.write(tmp_path / "local.tif", pixels, nodata=-9999))
    publish(blob, collection_id="entered", raster_type="dem")
    found = entry("entered")
    assert (found["source_type"], found["collection_id"]) == ("stac_collection", "entered")
    assert (found["asset_key"], found["band_count"]) == ("data", 1)
    assert (found["crs"], found["data_type"], found["nodata_value"]) == (
        "EPSG:32633", str(pixels.dtype), -9999
    )  # fmt: skip
    assert found["native_resolution_m"] == pytest.approx(30, rel=0.01)
    assert found["value_range"] == pytest.approx([float(pixels.min()), float(pixels.max())])
    assert found["band_info"][0]["data_type"] == str(pixels.dtype)
    assert found["recommended_stats"][0] == "mean"
    assert (found["recommended_h3_res_min"], found["recommended_h3_res_max"]) == (8, 10)
    assert found["place"].startswith("POLYGON")
    assert found["theme"] is None
    assert found["is_active"]


def test_what_people_have_set_stays(tmp_path: Path) -> None:
    blob = put("kept/dem.tif", rasters.write(tmp_path / "local.tif", rasters.dem()))
    publish(blob, collection_id="kept", raster_type="dem")
    assert source_entries.enter("kept") == "unchanged"
    with database.transaction() as connection:
        _set(connection, theme="terrain", unit="ft", recommended_stats=["max"], is_active=False)
        _set(connection, recommended_h3_res_min=5, recommended_h3_res_max=6)
    before = entry("kept")
    assert source_entries.enter("kept") == "unchanged"
    assert entry("kept") == before
    again = put("kept/other.tif", rasters.write(tmp_path / "b.tif", rasters.dem(seed=5) + 900))
    publish(again, collection_id="kept", raster_type="dem")
    after = entry("kept")
    kept = ("theme", "unit", "recommended_stats", "is_active", "recommended_h3_res_min",
            "recommended_h3_res_max", "created_at")  # fmt: skip
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    # The values are those of both rasters.
    assert after["value_range"][0] == before["value_range"][0]
    assert after["value_range"][1] > before["value_range"][1]


def test_classes_of_a_collection_are_recommended_as_classes(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    for place in range(2):
        pixels = rng.choice(np.array([11, 41, 81], np.uint8), (1, 256, 256))
        raster_collection.put_raster(f"cover/{place}.tif", pixels, tmp_path, place=place)
    run = raster_collection.job(prefix="cover/", collection_id="cover", raster_type="categorical")
    raster_collection.result_of(run)
    found = entry("cover")
    assert found["recommended_stats"] == ["majority", "fractions", "count"]
    assert found["value_range"] == [11, 81]
    assert (found["band_count"], found["data_type"]) == (1, "uint8")


def test_a_collection_without_rasters_is_not_entered() -> None:
    assert source_entries.enter("nothing-there") is None


def test_what_can_never_be_entered_fails_no_job_that_has_published(tmp_path: Path) -> None:
    with database.transaction() as connection:
        connection.execute("ALTER TABLE h3.source_catalog ADD CHECK (collection_id <> 'refused')")
    blob = put("refused/dem.tif", rasters.write(tmp_path / "local.tif", rasters.dem()))
    run = raster_job.job(blob, collection_id="refused")
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO app.jobs (job_id, job_type, parameters, submission_key, total_stages)"
            " VALUES (%s, 'process_raster', '{}', %s, 4)",
            (run.job_id, run.job_id),
        )
    result = run.run()
    assert result is not None
    assert result["item"] == "created"
    with database.transaction() as connection:
        [event] = metrics_repository.page(connection, run.job_id, limit=10)
    assert (event.metric_type, event.payload["kind"]) == (MetricType.ERROR, "source_not_entered")
    assert event.payload["details"] == {"collection_id": "refused"}
    assert "CheckViolation" in event.payload["message"]


def test_what_another_attempt_may_enter_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_entry = source_catalog_repository.put

    def deadlocked(*_: Any) -> None:
        monkeypatch.setattr(source_catalog_repository, "put", put_entry)
        raise errors.DeadlockDetected

    monkeypatch.setattr(source_catalog_repository, "put", deadlocked)
    blob = put("again/dem.tif", rasters.write(tmp_path / "local.tif", rasters.dem()))
    run = raster_job.job(blob, collection_id="again")
    with pytest.raises(TaskFailed) as failed:
        run.run()
    assert isinstance(failed.value.__cause__, errors.DeadlockDetected)
    assert run.run() is not None
    assert entry("again")["collection_id"] == "again"


def _set(connection: Connection, **values: Any) -> None:
    for name, value in values.items():
        connection.execute(f"UPDATE h3.source_catalog SET {name} = %s", (value,))
