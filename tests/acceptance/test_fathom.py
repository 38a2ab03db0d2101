"""FATHOM's maps stacked and merged over HTTP, on a whole stack, while its host is killed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import psycopg
import pytest
import rasterio

from local.demo import fathom_tiles
from local.demo.fathom_tiles import Flaws
from services.fathom.names import RETURN_PERIODS
from services.fathom.tiles import Tile
from tests.acceptance.conftest import Api, api_of
from tests.servers import StackUnderTest
from tests.support.freezing import freeze
from tests.support.settings import app_settings

CONTAINER = "bronze-fathom"
TILES = [Tile.of(name) for name in ("n04w006", "n04w007", "n05w006")]
MAPS = list(fathom_tiles.scenarios(("fluvial-defended", "coastal-undefended"), (2020,)))
PIXELS = 72
JsonObject = dict[str, Any]


@pytest.fixture(scope="module")
def api(mortal: StackUnderTest) -> Iterator[Api]:
    yield from api_of(mortal)


@pytest.fixture(scope="module")
def delivery(mortal: StackUnderTest) -> Iterator[int]:
    """Three tiles of two maps in storage, none of which has floods of 1 in 5 years; how many
    files these are."""
    settings = mortal.environment["AZURE_STORAGE_CONNECTION_STRING"]
    with app_settings(AZURE_STORAGE_CONNECTION_STRING=settings):
        from infrastructure import blob_storage

        blob_storage.ensure_container(CONTAINER)
        files = list(fathom_tiles.files(MAPS, TILES, pixels=PIXELS, flaws=Flaws(omitted=(5,))))
        for path, content in files:
            blob_storage.write_bytes(CONTAINER, path, content)
        yield len(files)


def at_work(connection: psycopg.Connection[Any], job_id: str, stage: int) -> bool:
    row = connection.execute(
        "SELECT count(*) FROM app.tasks WHERE job_id = %s AND stage = %s AND status = 'running'",
        (job_id, stage),
    ).fetchone()
    return bool(row and row[0])


def killed(mortal: StackUnderTest, api: Api, job_id: str, stage: int) -> JsonObject:
    """The job, whose host is killed while a task of the stage is at work, when it has ended."""
    with psycopg.connect(api.database_url, autocommit=True) as connection:
        freeze(mortal.pid("host"), partial(at_work, connection, job_id, stage))
    mortal.restart("host")
    job = api.ended(job_id, 240)
    assert job["status"] == "completed", job["error"]
    return job


def context_of(api: Api, job_id: str) -> JsonObject:
    found: JsonObject = api.rows(
        "SELECT value FROM app.job_context WHERE job_id = %(id)s AND name = 'fathom_etl'",
        id=job_id,
    )[0]["value"]
    return found


def items(api: Api, collection: str) -> dict[str, JsonObject]:
    answer = api.http.get(f"/api/stac/collections/{collection}/items", params={"limit": 100})
    return {item["id"]: item for item in answer.raise_for_status().json()["features"]}


def pixels(item: JsonObject) -> tuple[np.ndarray[Any, Any], tuple[str, ...], rasterio.Affine]:
    """Bands, their names and the transform of an item's COG."""
    from infrastructure import blob_storage

    container, path = item["assets"]["data"]["href"].split("/", 4)[-1].split("/", 1)
    content = io.BytesIO(blob_storage.read_bytes(container, path))
    with rasterio.open(content) as cog:
        return cog.read(), cog.descriptions, cog.transform


@pytest.fixture(scope="module")
def stacked(mortal: StackUnderTest, api: Api, delivery: int) -> JsonObject:
    """The job that has made stacks, while its host was killed."""
    job_id = api.submit("process_fathom_stack", container_name=CONTAINER)
    return killed(mortal, api, job_id, stage=1)


@pytest.fixture(scope="module")
def merged(mortal: StackUnderTest, api: Api, stacked: JsonObject) -> JsonObject:
    """The job that has merged the stacks, while its host was killed."""
    return killed(mortal, api, api.submit("process_fathom_merge", grid_size=2), stage=1)


def test_a_missing_return_period_is_an_empty_band(
    api: Api, stacked: JsonObject, delivery: int
) -> None:
    found = items(api, "fathom-stacks")
    assert len(found) == len(TILES) * len(MAPS)
    for item in found.values():
        properties = item["properties"]
        tile = next(each for each in TILES if each.name == properties["fathom:tile"])
        of = next(each for each in MAPS if each.flood_type == properties["fathom:flood_type"])
        bands, names, _ = pixels(item)
        assert names == tuple(f"1in{years}" for years in RETURN_PERIODS)
        expected = fathom_tiles.depths(of, tile, pixels=PIXELS)
        assert (bands[0] == fathom_tiles.NODATA).all()
        assert (bands[1:] == expected[1:]).all()
        assert properties["fathom:missing_return_periods"] == [5]


def test_a_merged_raster_holds_its_tiles(api: Api, merged: JsonObject) -> None:
    """The tiles of one cell of the grid; where it has none, there is no data."""
    found = items(api, "fathom")
    cells = {item["properties"]["fathom:grid_cell"] for item in found.values()}
    assert len(found) == len(cells) * len(MAPS)
    tiles = 0
    for item in found.values():
        of = next(
            each for each in MAPS if each.flood_type == item["properties"]["fathom:flood_type"]
        )
        bands, _, transform = pixels(item)
        for tile in TILES:
            west, _, _, north = tile.bounds
            column, row = ~transform @ (west - fathom_tiles.OFFSET, north + fathom_tiles.OFFSET)
            top, left = round(row), round(column)
            part = bands[:, top : top + PIXELS, left : left + PIXELS]
            if min(top, left) < 0 or part.shape[1:] != (PIXELS, PIXELS):
                continue
            tiles += 1
            assert (part[1:] == fathom_tiles.depths(of, tile, pixels=PIXELS)[1:]).all()
    assert tiles == len(TILES) * len(MAPS)


def test_depths_are_aggregated_without_what_is_no_depth(api: Api, merged: JsonObject) -> None:
    """Rivers are marked by a value of their own, which the file does not declare."""
    job = api.ended(
        api.submit(
            "h3_raster_aggregation",
            collection_id="fathom-stacks", item_id=f"fathom_n04w006_{MAPS[0].key}", band="1in100",
            resolution=5, statistics=["sum", "count"], theme="floods", dataset_id="floods",
        )
    )  # fmt: skip
    assert job["status"] == "completed", job["error"]
    depths = fathom_tiles.depths(MAPS[0], TILES[0], pixels=PIXELS)[RETURN_PERIODS.index(100)]
    assert (depths == fathom_tiles.WATER).any()
    totals = api.rows(
        "SELECT stat_type, sum(value) FROM h3.zonal_stats WHERE dataset_id = 'floods' GROUP BY 1"
    )
    found = {row["stat_type"]: row["sum"] for row in totals}
    assert found["sum"] == pytest.approx(int(depths[depths >= 0].sum()), rel=1e-9)
    assert found["count"] == pytest.approx(int((depths >= 0).sum()), rel=1e-9)


def test_figures_are_those_of_the_work_however_often_it_was_tried(
    api: Api, stacked: JsonObject, merged: JsonObject
) -> None:
    for job in (stacked, merged):
        figures = context_of(api, job["job_id"])
        assert figures["tiles_merged"] == figures["tiles_total"] > 0
        attempts = api.rows(
            "SELECT max(attempt) AS most FROM app.tasks WHERE job_id = %(id)s AND stage = 1",
            id=job["job_id"],
        )
        assert attempts[0]["most"] > 1, "nothing was done again"


def test_what_is_there_is_not_made_again(api: Api, stacked: JsonObject, merged: JsonObject) -> None:
    for job in (stacked, merged):
        answer = api.http.post(
            f"/api/jobs/submit/{job['job_type']}?rerun=true", json=job["parameters"]
        )
        again = api.ended(answer.json()["job_id"])
        assert again["status"] == "completed", again["error"]
        assert again["stages"][1]["tasks_total"] == 0


def test_what_cannot_be_made_ends_with_errors_and_is_not_counted(
    mortal: StackUnderTest, api: Api, merged: JsonObject
) -> None:
    """A stack with two files for one return period, one with a file that is cut off, and one
    that is made."""
    settings = mortal.environment["AZURE_STORAGE_CONNECTION_STRING"]
    with app_settings(AZURE_STORAGE_CONNECTION_STRING=settings):
        from infrastructure import blob_storage

        blob_storage.ensure_container("bronze-flawed")
        for flaws, tiles in ((Flaws(), TILES[:2]), (Flaws(corrupt=(20,)), TILES[2:])):
            for path, content in fathom_tiles.files(MAPS[:1], tiles, pixels=PIXELS, flaws=flaws):
                blob_storage.write_bytes("bronze-flawed", path, content)
                if TILES[0].name in path and "1in50-" in path:
                    blob_storage.write_bytes("bronze-flawed", f"again/{path}", content)
    job_id = api.submit(
        "process_fathom_stack",
        container_name="bronze-flawed", collection_id="flawed", failed_tiles="report",
    )  # fmt: skip
    job = api.ended(job_id)
    assert job["status"] == "completed_with_errors", job["error"]
    result = job["result"]
    assert (result["groups"], result["made"], result["failed"]) == (3, 1, 2)
    assert result["failed_by_reason"]["duplicate_return_period"] == 1
    periods = len(RETURN_PERIODS)
    figures = context_of(api, job_id)
    assert (figures["tiles_merged"], figures["tiles_total"]) == (periods, 2 * periods)
    assert figures["regions_completed"] == 1
