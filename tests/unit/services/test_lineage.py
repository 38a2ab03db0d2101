"""What jobs have read and published, told from their parameters and results."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from core.job_definition import JobDefinition, JsonObject, Stage, plan_one_task
from core.models.lineage import Lineage, Thing
from core.registry import registry
from services import lineage
from services.orchestration.hello import HelloFanOut
from tests.support.settings import app_settings

JOB_ID = "ab" * 32
REPORT = f"/api/vector/reports/{JOB_ID}"
A_STACK = {"container_name": "bronze-fathom", "prefix": "2020/"}


@dataclass(frozen=True)
class Job:
    job_type: str
    parameters: JsonObject = field(default_factory=dict)
    result: JsonObject | None = None


@pytest.fixture(autouse=True)
def job_types(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The app's settings, and its job types in a registry of the test's own."""
    monkeypatch.setattr(registry, "_definitions", {})
    for name in (
        "curated_publish", "curated_update", "h3_raster_aggregation", "hello_fan_out",
        "ingest_collection", "inventory_fathom_container", "process_fathom_merge",
        "process_fathom_stack", "process_raster", "process_raster_collection", "process_vector",
    ):  # fmt: skip
        registry.register(importlib.import_module(f"jobs.{name}").JOB)
    with app_settings(DATABASE_URL="postgresql://nowhere/x"):
        yield


def of(job_type: str, parameters: JsonObject, result: JsonObject | None = None) -> Lineage:
    return lineage.of(Job(job_type, parameters, result))


def test_a_vector_file_becomes_tables_and_a_report() -> None:
    found = of(
        "process_vector",
        {"container_name": "bronze", "blob_name": "a/parks.gpkg"},
        {"tables": [{"table": "geo.parks"}, {"table": "geo.paths"}], "report": REPORT},
    )
    assert found.read == (Thing("blob", "a/parks.gpkg", "bronze"),)
    assert found.published == (
        Thing("table", "geo.parks"),
        Thing("table", "geo.paths"),
        Thing("report", JOB_ID),
    )


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/a.gpkg?sig=secret&se=2026",
        "https://example.org/a.gpkg#secret",
        "https://example.org/a.gpkg?secret#secret",
    ],
)
@pytest.mark.parametrize("job_type", ["process_vector", "process_raster", "h3_raster_aggregation"])
def test_secrets_in_addresses_are_not_told(job_type: str, address: str) -> None:
    more = {"theme": "t", "dataset_id": "d", "resolution": 5} if job_type.startswith("h3") else {}
    found = of(job_type, {"source_url": address, **more})
    assert found == Lineage(read=(Thing("url", "https://example.org/a.gpkg"),))


def test_a_raster_becomes_an_item_and_a_cog() -> None:
    found = of(
        "process_raster",
        {"container_name": "bronze", "blob_name": "dem.tif"},
        {
            "collection_id": "elevation",
            "item_id": "dem",
            "cog": {"container": "silver-rasters", "path": "elevation/dem/1/dem.tif"},
        },
    )
    assert found.read == (Thing("blob", "dem.tif", "bronze"),)
    assert found.published == (
        Thing("stac_item", "dem", "elevation"),
        Thing("blob", "elevation/dem/1/dem.tif", "silver-rasters"),
    )


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"prefix": "2020/"}, ["2020/*"]),
        ({"blob_names": ["a.tif", "b.tif", "a.tif"]}, ["a.tif", "b.tif"]),
        ({"blob_names": [f"{n}.tif" for n in range(50)]}, [f"{n}.tif" for n in range(20)]),
    ],
)
def test_many_rasters_become_a_collection(given: JsonObject, read: list[str]) -> None:
    found = of(
        "process_raster_collection",
        {"container_name": "bronze", "collection_id": "dem", **given},
        {
            "collection_id": "dem",
            "files": [
                {"path": "x.tif", "status": "refused"},
                *({"path": "", "status": "published", "item_id": f"n{n}"} for n in range(30)),
            ],
            "report": {"container": "silver-rasters", "path": "dem/files-1.ndjson"},
        },
    )
    assert found.read == tuple(Thing("blob", path, "bronze") for path in read)
    assert found.published == (
        Thing("stac_collection", "dem"),
        *(Thing("stac_item", f"n{n}", "dem") for n in range(20)),
        Thing("report", "dem/files-1.ndjson", "silver-rasters"),
    )


def test_a_collection_that_is_ingested_may_get_another_id() -> None:
    parameters = {"source_container": "bronze", "target_container": "silver"}
    assert of("ingest_collection", parameters, {"collection_id": "cdl"}) == Lineage(
        read=(Thing("blob", "collection.json", "bronze"),),
        published=(Thing("stac_collection", "cdl"),),
    )


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"collection_id": "dem"}, [Thing("stac_collection", "dem")]),
        ({"collection_id": "dem", "item_id": "n0"}, [Thing("stac_item", "n0", "dem")]),
        (
            {"container_name": "bronze", "blob_name": "a.tif", "iso3": "RWA"},
            [Thing("blob", "a.tif", "bronze"), Thing("table", "geo.curated_admin0")],
        ),
    ],
)
def test_rasters_become_statistics_by_cells(given: JsonObject, read: list[Thing]) -> None:
    parameters = {"theme": "elevation", "dataset_id": "srtm", "resolution": 6, **given}
    assert of("h3_raster_aggregation", parameters, {"dataset_id": "srtm"}) == Lineage(
        read=tuple(read), published=(Thing("h3_dataset", "srtm"),)
    )


def test_flood_maps_are_listed_stacked_and_merged() -> None:
    tiles = (Thing("blob", "2020/*", "bronze-fathom"),)
    place = {"container": "silver-fathom", "path": "reports/r.ndjson"}
    report = Thing("report", "reports/r.ndjson", "silver-fathom")
    listed = of(
        "inventory_fathom_container", A_STACK, {"reports": {"stacks": place, "problems": place}}
    )
    assert listed == Lineage(tiles, (report,))
    made = {
        "collection_id": "fathom-stacks", "made": 1, "first": [{"item_id": "n04"}], "report": place,
    }  # fmt: skip
    published = (
        Thing("stac_collection", "fathom-stacks"),
        Thing("stac_item", "n04", "fathom-stacks"),
        report,
    )
    assert of("process_fathom_stack", A_STACK, made) == Lineage(tiles, published)
    assert of("process_fathom_merge", {}, made) == Lineage(
        (Thing("stac_collection", "fathom-stacks"),), published
    )


@pytest.mark.parametrize("made", [{"made": 0, "first": ["n04"], "report": None}, {"first": []}])
def test_a_dry_run_on_flood_maps_publishes_nothing(made: JsonObject) -> None:
    assert of("process_fathom_stack", A_STACK, made).published == ()


def test_a_curated_update_publishes_its_dataset() -> None:
    result = {
        "action": "updated",
        "dataset_id": "wdpa",
        "table": "geo.curated_wdpa",
        "source_url": "https://example.org/wdpa.zip",
        "report": REPORT,
    }
    published = (
        Thing("curated_dataset", "wdpa"),
        Thing("table", "geo.curated_wdpa"),
        Thing("report", JOB_ID),
    )
    found = of("curated_update", {"dataset_id": "wdpa"}, result)
    assert found == Lineage((Thing("url", "https://example.org/wdpa.zip"),), published)
    uploaded = {"dataset_id": "wdpa", "container_name": "bronze", "blob_name": "wdpa.zip"}
    assert of("curated_update", uploaded, result).read == (Thing("blob", "wdpa.zip", "bronze"),)
    held = {"dataset_id": "wdpa", "version_id": 3}
    assert of("curated_publish", held, result).published == published


@pytest.mark.parametrize("action", ["skipped", "planned"])
def test_an_update_that_publishes_nothing_says_so(action: str) -> None:
    result = {"action": action, "dataset_id": "wdpa", "table": None, "report": None}
    assert of("curated_update", {"dataset_id": "wdpa"}, result) == Lineage()


@pytest.mark.parametrize(
    ("job_type", "parameters"),
    [
        ("gone_from_the_app", {}),
        ("process_vector", {"of_another_version": True}),
        ("process_vector", {"source_url": "https://me:secret@example.org/a.gpkg"}),
        ("hello_fan_out", {"n": 1}),
    ],
)
def test_of_some_jobs_nothing_is_known(job_type: str, parameters: JsonObject) -> None:
    assert of(job_type, parameters, {"tasks": 1}) == Lineage()


def test_the_fault_of_a_job_type_is_not_hidden() -> None:
    def broken(*_: Any) -> Lineage:
        raise KeyError("collection_id")

    registry.register(
        JobDefinition(
            name="broken",
            description="Cannot tell.",
            parameters=HelloFanOut,
            stages=(Stage("only", planner=plan_one_task, handler=lambda _: None),),
            lineage=broken,
        )
    )
    with pytest.raises(KeyError):
        of("broken", {"n": 1})
