"""`make demo`, from files in a directory to a collection that can be searched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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


def test_the_first_demo_publishes_and_the_second_changes_nothing(
    own_stack: StackUnderTest,
) -> None:
    first = own_stack.run("demo")
    assert f"Collection {COLLECTION_ID}: a generated one" in first
    assert "13 items, 26 assets" in first
    for flaw in FLAWS.keys() - {"sample-plain-tiff"}:
        assert flaw not in first.partition("Published")[2]
    for address in ("/api/interface/metrics", "/api/interface/jobs/", "/api/stac"):
        assert f"{own_stack.url}{address}" in first
    assert own_stack.is_healthy()

    second = own_stack.run("demo")
    assert "0 files uploaded" in second
    assert "Nothing changed" in second
    assert "13 items, 26 assets" in second


def test_a_job_that_fails_is_shown_with_its_error(
    own_stack: StackUnderTest, tmp_path: Path
) -> None:
    root = tmp_path / "5_stac" / "usda_cdl" / "examples"
    root.mkdir(parents=True)
    (root / "collection.json").write_text('{"id": "not-stac"}')
    shown = own_stack.output("demo", GEOFORGE_DATA=str(tmp_path))
    assert "The job failed" in shown
    assert "collection" in shown.partition("The job failed")[2]
