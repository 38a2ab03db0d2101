"""Groups that cannot be made: what a job, a dry run and a result without anything say of them."""

from __future__ import annotations

import pytest

from infrastructure import blob_storage
from local.demo.fathom_tiles import Flaws
from services.raster import catalog
from tests.support import fathom_job
from tests.support.fathom_job import CONTAINER, put, refusal, stack, stack_job
from tests.support.run_job import TaskFailed

pytestmark = pytest.mark.usefixtures("app")

STACK = "fathom_n04w006_fluvial-defended_2020"


def put_twice(prefix: str, *tiles: str) -> str:
    """Tiles of which the first has two files for one return period; the second's path."""
    contents = put(prefix, *tiles)
    path = fathom_job.path_of(prefix, 10, tiles[0])
    again = f"{prefix}/again/{path}"
    blob_storage.write_bytes(CONTAINER, again, contents[path])
    return again


class TestDuplicates:
    def test_have_a_task_that_fails(self) -> None:
        path = put_twice("task", "n04w006", "n04w007")
        job = stack_job("task", failed_tiles="report")
        result = fathom_job.run(job)
        assert (result["groups"], result["made"], result["failed"]) == (2, 1, 1)
        made, failed = job.tasks["stack"]
        assert made.result is not None
        assert failed.parameters["refused"]["item_id"] == STACK
        with pytest.raises(TaskFailed, match=path):
            job.run_task("stack", 1)

    def test_a_dry_run_says_that_the_job_would_fail(self) -> None:
        path = put_twice("would", "n04w006", "n04w007")
        result = stack("would", dry_run=True)
        assert result["would_fail"]
        assert result["message"].startswith("The job would fail: ")
        assert path in result["message"]
        assert "failed_tiles: report" in result["message"]
        assert refusal(stack_job("would")).message in result["message"]
        assert (result["would_make"], result["failed"]) == (1, 1)

    def test_a_dry_run_says_that_the_job_would_leave_them_out(self) -> None:
        put_twice("leaves", "n04w006", "n04w007")
        result = stack("leaves", dry_run=True, failed_tiles="report")
        assert not result["would_fail"]
        assert "1 cannot be made and are left out" in result["message"]
        assert (result["would_make"], result["failed"]) == (1, 1)


class TestNothingMade:
    def test_leads_nowhere_without_a_collection(self) -> None:
        put("empty", "n04w006", flaws=Flaws(corrupt=[20]))
        result = stack("empty", failed_tiles="report")
        assert catalog.stored_collection("empty-stacks") is None
        assert result["links"] is None
        assert result["message"].startswith("Nothing was published; 1 failed (")

    def test_leads_to_the_collection_of_before(self) -> None:
        put("before", "n04w006")
        assert stack("before")["message"] == "Published 1 stack in before-stacks."
        result = stack("before")
        assert result["links"]["collection"] == "/api/stac/collections/before-stacks"
        assert result["message"] == (
            "Nothing was published; 1 are in before-stacks already, made of the same files."
        )
