"""`make demo`, from files in a directory to a collection that can be searched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local.demo.sample_collection import COLLECTION_ID, FLAWS
from tests.servers import ScratchDirectory, StackUnderTest


@pytest.fixture(scope="module")
def own_stack() -> Iterator[StackUnderTest]:
    """A stack that has no data but what the demo generates."""
    with ScratchDirectory() as directory:
        stack = StackUnderTest(directory, GEOFORGE_DATA=str(directory / "none"))
        yield stack
        stack.close()


@pytest.fixture(scope="module")
def demos(own_stack: StackUnderTest) -> tuple[str, str]:
    """What the demo prints when it is run first, and when it is run again."""
    return own_stack.run("demo"), own_stack.run("demo")


def test_the_first_demo_publishes_and_the_second_changes_nothing(
    own_stack: StackUnderTest, demos: tuple[str, str]
) -> None:
    first, second = demos
    assert f"Collection {COLLECTION_ID}: a generated one" in first
    assert "13 items, 26 assets" in first
    for flaw in FLAWS.keys() - {"sample-plain-tiff"}:
        assert flaw not in first.partition("Published")[2]
    for address in ("/api/interface/metrics", "/api/interface/jobs/", "/api/stac"):
        assert f"{own_stack.url}{address}" in first
    assert own_stack.is_healthy()

    assert "0 files uploaded" in second
    assert "Nothing changed" in second
    assert "13 items, 26 assets" in second


def test_the_countries_of_natural_earth_are_on_a_map(
    own_stack: StackUnderTest, demos: tuple[str, str]
) -> None:
    first, second = demos
    if "they are left out" in first:
        pytest.skip(f"no package registry: {first.partition('they are left out')[2]}")
    at = f"{own_stack.url}/api/curated/datasets/admin0"
    dataset = httpx.get(at).json()
    assert (dataset["state"], dataset["source_version"], dataset["rows"]) == (
        "current",
        "5.1.1",
        250,
    )
    assert "250 added" in first
    assert "Nothing changed: 5.1.1 is published." in second
    for shown in (first, second):
        assert "borders as Germany sees them, with 250 countries" in shown
    [page] = [line.split()[1] for line in first.splitlines() if "Countries" in line]
    assert page == f"{own_stack.url}/api/interface/curated/admin0"
    assert "data-map" in httpx.get(page).text
    found = httpx.get(dataset["links"]["features"], params={"name": "France"}).json()
    assert [feature["properties"]["iso_a3"] for feature in found["features"]] == ["FRA"]


def test_the_example_pipelines_run_and_the_demo_approves(
    own_stack: StackUnderTest, demos: tuple[str, str]
) -> None:
    first, second = demos
    assert "curated_with_approval waits for approval" in first
    assert "rehearse completed, approve completed, update completed" in first
    # Nothing has changed since, so that nobody is asked.
    assert "waits for approval" not in second
    assert "rehearse completed, approve skipped, update skipped" in second
    assert "vector_to_map: done before." in second
    runs = httpx.get(f"{own_stack.url}/api/pipelines/runs").json()["runs"]
    expected = {"curated_with_approval", "vector_to_map"}
    if "raster_to_h3_by_country is left out" not in first:
        expected.add("raster_to_h3_by_country")
    assert {run["name"] for run in runs} == expected
    assert {run["status"] for run in runs} == {"completed"}
    [page] = [line.split()[1] for line in first.splitlines() if line.startswith("  vector_to_map ")]
    assert httpx.get(page).status_code == 200
    tables = httpx.get(f"{own_stack.url}/api/features/collections").json()["collections"]
    loaded = {"demo_parks", "demo_stations", "demo_trails", "curated_demo_sites"}
    assert loaded <= {table["id"] for table in tables}


def test_without_a_package_registry_the_demo_goes_on(
    own_stack: StackUnderTest, demos: tuple[str, str]
) -> None:
    archive = own_stack.directory / "demo" / "natural-earth"
    if archive.exists():
        shutil.rmtree(archive)
    shown = own_stack.output("demo", PIP_NO_INDEX="1")
    assert "they are left out" in shown
    assert "No matching distribution found" in shown
    assert "The stack goes on running" in shown


def test_the_demo_brings_the_key_that_the_host_asks_for(own_stack: StackUnderTest) -> None:
    shown = own_stack.output("demo", GEOFORGE_ENFORCE_KEYS="1")
    # Another shell, which does not have the setting, learns the key all the same.
    published = dict(line.split("=", 1) for line in own_stack.run("env").splitlines())
    key = published["GEOFORGE_FUNCTION_KEY"]
    [dashboard] = [line.split()[1] for line in shown.splitlines() if "Dashboard" in line]
    [job] = [line.split()[2] for line in shown.splitlines() if "This job" in line]
    for page in (dashboard, job):
        assert httpx.get(page).status_code == 200
        assert httpx.get(page.partition("?")[0]).status_code == 401
    jobs = f"{own_stack.url}/api/jobs"
    assert httpx.get(jobs, headers={"x-functions-key": key}).status_code == 200
    assert httpx.get(jobs).status_code == 401


def test_a_job_that_fails_is_shown_with_its_error(
    own_stack: StackUnderTest, tmp_path: Path
) -> None:
    root = tmp_path / "5_stac" / "usda_cdl" / "examples"
    root.mkdir(parents=True)
    (root / "collection.json").write_text('{"id": "not-stac"}')
    shown = own_stack.output("demo", GEOFORGE_DATA=str(tmp_path))
    assert "The job failed" in shown
    assert "collection" in shown.partition("The job failed")[2]
