"""inventory_fathom_container from blobs to its reports."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from core.errors import PermanentTaskError, TaskCancelled
from infrastructure import blob_storage, database
from jobs.inventory_fathom_container import JOB
from local.demo import fathom_tiles
from services import previews
from services.fathom import listing
from services.fathom.grouping import Grouping, StackGroup
from services.fathom.listing import StackList
from services.fathom.names import RETURN_PERIODS, FathomMap
from services.fathom.parameters import InventoryFathomContainer
from services.fathom.tiles import Tile
from tests.support.run_job import JobRun, TaskFailed
from tests.support.settings import app_settings

pytestmark = pytest.mark.usefixtures("app")

_RUNS = itertools.count()
RWANDA = "POLYGON((28.9 -2.3, 29.4 -2.8, 30.4 -2.3, 30.7 -1.2, 29.6 -1.4, 28.9 -2.3))"


@pytest.fixture
def app(ledger_url: str, blob_connection_string: str) -> Iterator[None]:
    """A database of these tests together: they only read."""
    with app_settings(
        DATABASE_URL=ledger_url, AZURE_STORAGE_CONNECTION_STRING=blob_connection_string
    ):
        yield


@pytest.fixture
def countries(app: None) -> Iterator[None]:
    """The table of countries, with a simple Rwanda."""
    with database.transaction() as connection:
        connection.execute(
            "CREATE TABLE geo.curated_admin0 (gid bigint, iso_a3 text, adm0_a3 text, "
            "name text, name_long text, geom geometry(Geometry, 4326))"
        )
        connection.execute(
            "INSERT INTO geo.curated_admin0 "
            "SELECT 1, 'RWA', 'RWA', 'Rwanda', 'Rwanda', ST_GeomFromText(%s, 4326)",
            (RWANDA,),
        )
    yield
    with database.transaction() as connection:
        connection.execute("DROP TABLE geo.curated_admin0")


@pytest.fixture
def container() -> str:
    """A container of the test's own."""
    name = f"fathom-inventory-{next(_RUNS)}"
    blob_storage.ensure_container(name)
    return name


def put(container: str, *paths: str) -> None:
    """Write blobs: only their names and versions matter here."""
    for path in paths:
        blob_storage.write_bytes(container, path, path.encode())


def flat(tile: str = "s03e029", years: tuple[int, ...] = RETURN_PERIODS, **of: Any) -> list[str]:
    """The names of the files of one stack."""
    made = FathomMap.model_validate(
        {"flood_type": "fluvial", "defence": "defended", "year": 2020, **of}
    )
    return [fathom_tiles.path_of(made, each, Tile.of(tile), "flat") for each in years]


def job(container: str, **parameters: Any) -> JobRun:
    return JobRun(JOB, next(_RUNS), container_name=container, **parameters)


def result_of(run: JobRun) -> dict[str, Any]:
    """Run a job to its end; its result, whose counts add up."""
    result = run.run()
    assert result is not None
    counts = dict(result["counts"])
    assert counts.pop("listed") == sum(counts.values())
    return result


def failure_of(run: JobRun) -> PermanentTaskError:
    with pytest.raises(TaskFailed) as failed:
        run.run()
    cause = failed.value.__cause__
    assert isinstance(cause, PermanentTaskError)
    return cause


def report(result: dict[str, Any], which: str) -> list[dict[str, Any]]:
    """The lines of a report."""
    where = result["reports"][which]
    lines = blob_storage.read_bytes(where["container"], where["path"])
    assert len(lines) == where["bytes"]
    return [json.loads(line) for line in lines.splitlines()]


class TestInventory:
    def test_tells_stacks_gaps_and_what_cannot_be_understood(self, container: str) -> None:
        put(container, *flat())
        put(container, *(f"sub/{name}" for name in flat("s02e029", (5, 10, 20, 200, 500, 1000))))
        put(container, *flat(flood_type="pluvial", year=2050, ssp="ssp2_4.5"))
        put(container, *flat("s02e030"), f"old/{flat('s02e030')[0]}")
        put(container, "README.md", "1in7-FLUVIAL-DEFENDED-2020_s03e029.tif", "dem.tif")
        result = result_of(job(container))

        assert result["counts"] == {
            "listed": 34, "grouped": 22, "duplicates": 9, "unparsed": 2, "other": 1,
            "deselected": 0,
        }  # fmt: skip
        assert (result["stacks"], result["maps"], result["tiles"]) == (3, 2, 2)
        assert result["by_flood_type"] == {"fluvial": 2, "pluvial": 1}
        assert result["by_ssp"] == {"none": 2, "ssp2_4.5": 1}
        assert result["by_map"] == {"fluvial-defended_2020": 2, "pluvial-defended_2050_ssp2-4.5": 1}
        assert result["incomplete"] == 1
        assert result["missing_return_periods"] == {"1in50": 1, "1in100": 1}
        assert result["unparsed_by_reason"] == {"unknown_return_period": 1, "no_tile": 1}
        assert result["problems"] == 3
        assert [each["code"] for each in result["first_problems"]] == [
            "duplicate_return_period", "unknown_return_period", "no_tile",
        ]  # fmt: skip
        assert result["message"] == (
            f"{container}/ holds 3 stacks of 2 maps on 2 tiles; 1 without some return periods, "
            "9 files of stacks refused for duplicates, 2 files with names that say too little, "
            "1 file that is no TIFF."
        )

        stacks = {each["item_id"]: each for each in report(result, "stacks")}
        assert list(stacks) == [
            "fathom_s02e029_fluvial-defended_2020",
            "fathom_s03e029_fluvial-defended_2020",
            "fathom_s03e029_pluvial-defended_2050_ssp2-4.5",
        ]
        partial = stacks["fathom_s02e029_fluvial-defended_2020"]
        assert partial["missing"] == ["1in50", "1in100"]
        assert partial["files"]["1in20"]["path"] == f"sub/{flat('s02e029')[2]}"
        properties = blob_storage.properties(container, f"sub/{flat('s02e029')[2]}")
        assert properties is not None
        assert partial["files"]["1in20"]["etag"] == properties.etag.strip('"')
        problems = report(result, "problems")
        assert problems[0]["item_id"] == "fathom_s02e030_fluvial-defended_2020"
        assert problems[0]["paths"] == [flat("s02e030")[0], f"old/{flat('s02e030')[0]}"]
        assert [each["paths"] for each in problems[1:]] == [
            ["1in7-FLUVIAL-DEFENDED-2020_s03e029.tif"],
            ["dem.tif"],
        ]

    def test_only_what_is_under_the_prefix(self, container: str) -> None:
        put(container, *(f"a/{name}" for name in flat()), *(f"b/{name}" for name in flat()))
        result = result_of(job(container, prefix="a/"))
        assert result["counts"]["listed"] == 8
        assert result["stacks"] == 1

    def test_an_empty_container_is_told_of(self, container: str) -> None:
        result = result_of(job(container))
        assert result["stacks"] == result["problems"] == 0
        assert report(result, "stacks") == report(result, "problems") == []

    def test_a_missing_container_is_an_error(self) -> None:
        assert failure_of(job("fathom-nowhere")).error_code == "container_not_found"

    def test_more_than_one_job_can_take_is_refused(
        self, container: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listing, "_MAX_BLOBS", 8)
        put(container, *flat())
        assert result_of(job(container))["stacks"] == 1
        put(container, "README.md")
        assert failure_of(job(container)).error_code == "too_many_files"

    def test_the_result_holds_the_first_of_many_problems(self, container: str) -> None:
        put(container, *(f"{'long ' * 30}{number:03}.tif" for number in range(130)))
        result = result_of(job(container))
        assert result["problems"] == 130 == len(report(result, "problems"))
        assert 0 < len(result["first_problems"]) <= 100

    def test_it_can_be_cancelled(self, container: str) -> None:
        put(container, *flat())
        run = job(container)

        def cancelled() -> None:
            raise TaskCancelled("The job was cancelled.")

        run.on_check = cancelled
        with pytest.raises(TaskFailed) as failed:
            run.run()
        assert isinstance(failed.value.__cause__, TaskCancelled)


class TestSelection:
    @pytest.mark.usefixtures("countries")
    def test_a_country_takes_the_tiles_that_it_touches(self, container: str) -> None:
        names = ("s02e028", "s02e029", "s03e028", "s03e029", "s03e030", "s04e029")
        for tile in names:
            put(container, *flat(tile, years=(5,)))
        result = result_of(job(container, iso3="RWA", years=[2020]))
        assert result["counts"]["deselected"] == 2
        taken = {each["tile"] for each in report(result, "stacks")}
        assert taken == {"s02e029", "s03e028", "s03e029", "s03e030"}
        assert failure_of(job(container, iso3="RWB")).error_code == "country_not_found"

    def test_without_countries_it_says_how_to_get_them(self, container: str) -> None:
        error = failure_of(job(container, iso3="RWA"))
        assert error.error_code == "curated_admin0_missing"


class TestStacksOfLaterStages:
    def test_are_read_over_pages(self, container: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listing, "_PAGE", 2)
        tiles = [f"s03e{longitude:03}" for longitude in range(20, 25)]
        for tile in tiles:
            put(container, *flat(tile, years=(5,)))
        run = job(container)
        run.run(until="report")
        found = StackList.model_validate(run.tasks["inventory"][0].result)
        workspace = blob_storage.BlobWorkspace(run.job_id)
        assert found.stacks == 5
        assert [each.tile for each in listing.read_stacks(workspace, found)] == tiles

    def test_none_at_all_is_refused_with_what_is_there(self, container: str) -> None:
        put(container, *flat(), "README.md", "dem.tif")
        run = job(container, flood_types=["coastal"])
        run.run(until="report")
        found = StackList.model_validate(run.tasks["inventory"][0].result)
        with pytest.raises(PermanentTaskError) as refused:
            listing.refuse_nothing(run.parameters, found)
        assert refused.value.error_code == "no_stacks"
        assert "1 file with names that say too little" in refused.value.message
        assert "8 files of other maps or tiles than those asked for" in refused.value.message


class TestPreview:
    def test_counts_and_writes_nothing(self, container: str) -> None:
        put(container, *flat(), *flat("s02e030", (5,)), "dem.tif")
        found = listing.preview(InventoryFathomContainer(container_name=container))
        assert (found["stacks"], found["maps"], found["tiles"]) == (2, 1, 2)
        assert found["counts"]["unparsed"] == 1
        assert found["bytes"] == sum(
            properties.size
            for properties in blob_storage.container_client(container).list_blobs()
            if properties.name != "dem.tif"
        )

    def test_gives_up_while_it_counts_stacks(
        self, container: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(container, *flat())
        stacks = Grouping.stacks

        def late(grouping: Grouping) -> Iterator[StackGroup]:
            monkeypatch.setattr(previews, "time", SimpleNamespace(monotonic=lambda: math.inf))
            yield from stacks(grouping)

        monkeypatch.setattr(Grouping, "stacks", late)
        with pytest.raises(PermanentTaskError) as refused:
            listing.preview(InventoryFathomContainer(container_name=container))
        assert refused.value.error_code == "preview_too_slow"

    def test_gives_up_where_it_takes_too_long(
        self, container: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(container, *flat())
        monkeypatch.setattr(listing, "_PREVIEW_SECONDS", -1.0)
        with pytest.raises(PermanentTaskError) as refused:
            listing.preview(InventoryFathomContainer(container_name=container))
        assert refused.value.error_code == "preview_too_slow"
