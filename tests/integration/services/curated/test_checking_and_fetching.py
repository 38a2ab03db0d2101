"""The first two stages of an update, on real servers: what is decided, kept and logged."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import Conflict, InvalidParameters, NotFound, PermanentTaskError
from core.job_definition import JobDefinition, JsonObject, Stage, plan_one_task
from core.models.curated import CuratedDataset, CuratedDefinition, UpdateStatus
from infrastructure import (
    blob_storage,
    curated_repository,
    curated_updates_repository,
    curated_versions_repository,
    database,
    source_download,
)
from infrastructure.database import Row
from infrastructure.source_addresses import SourceUnavailable
from services.curated import versions
from services.curated.checking import check_source
from services.curated.fetching import fetch_data, plan_fetch
from services.curated.parameters import CuratedUpdate
from services.curated.vector_file import VectorFile
from services.vector.inspecting import read_plan
from tests.support.curated_datasets import (
    begin,
    forget_all,
    publish_version,
    register,
    stage_version,
)
from tests.support.file_server import File, FileServer, file_server
from tests.support.run_job import Context, JobRun, TaskFailed
from tests.support.settings import app_settings
from tests.support.vector_job import collection, feature, square

PATH = "/lakes.geojson"
LAKES = json.dumps(
    collection(feature("Polygon", square(0, 0), code=1), feature("Polygon", square(5, 5), code=2))
).encode()
JOB = JobDefinition(
    name="first_stages",
    description="The first two stages of an update.",
    parameters=CuratedUpdate,
    stages=(
        Stage("check_source", planner=plan_one_task, handler=check_source),
        Stage("fetch_data", planner=plan_fetch, handler=fetch_data),
    ),
)
_RUNS = itertools.count()


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as server:
        server.files[PATH] = File(LAKES, {"etag": '"v1"'})
        yield server


@pytest.fixture
def connection(
    ledger_url: str, blob_connection_string: str, tmp_path: Path
) -> Iterator[database.Connection]:
    with (
        app_settings(
            DATABASE_URL=ledger_url,
            AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
            GEOFORGE_CURATED_CONTAINER="curated-stages",
            GEOFORGE_SOURCE_CACHE_DIR=str(tmp_path / "sources"),
            GEOFORGE_ALLOWED_HOSTS="127.0.0.1",
        ),
        database.connect(autocommit=True) as connection,
    ):
        forget_all(connection)
        yield connection


@pytest.fixture
def lakes(connection: database.Connection, server: FileServer) -> CuratedDataset:
    # The container outlives the test.
    dataset_id = f"lakes_{next(_RUNS)}"
    return register(connection, dataset_id=dataset_id, source_url=f"{server.url}{PATH}?sig=s3cret")


def update(dataset: CuratedDataset, **parameters: Any) -> JobRun:
    return JobRun(JOB, next(_RUNS), dataset_id=dataset.dataset_id, **parameters)


def redefine(
    connection: database.Connection, dataset: CuratedDataset, **fields: Any
) -> CuratedDataset:
    definition = CuratedDefinition.model_validate(
        dataset.model_dump(include=set(CuratedDefinition.model_fields)) | fields
    )
    return curated_repository.replace(connection, definition, dataset.handler)


def check(job: JobRun) -> JsonObject:
    result = job.run_stage("check_source")[0].result
    assert result is not None
    return result


def log_of(connection: database.Connection, job: JobRun) -> Row:
    row = curated_updates_repository.of_job(connection, job.job_id)
    assert row is not None
    return row


def test_what_is_new_is_fetched_and_planned(
    connection: database.Connection, lakes: CuratedDataset, server: FileServer
) -> None:
    job = update(lakes)
    decided = check(job)
    assert (decided["action"], decided["source_version"]) == ("update", "v1")
    assert decided["base_version"] is None
    row = log_of(connection, job)
    assert (row["status"], row["source_version"], row["source_bytes"]) == (
        "started", "v1", len(LAKES),
    )  # fmt: skip
    assert row["details"]["remote"]["facts"]["version_from"] == "etag"
    assert curated_repository.get(connection, lakes.dataset_id).last_checked_at is not None
    [task] = job.run_stage("fetch_data")
    assert task.result is not None
    [file] = task.result["files"]
    assert blob_storage.read_bytes(file["container"], file["blob"]) == LAKES
    assert (file["bytes"], len(file["sha256"])) == (len(LAKES), 64)
    assert task.result == {
        "files": [file],
        "bytes": len(LAKES),
        "layers": 1,
        "chunks": 1,
        "definition_digest": lakes.definition_digest,
    }
    row = log_of(connection, job)
    assert (row["status"], row["details"]["files"]) == ("downloading", [file])
    [layer] = read_plan(Context(job)).layers
    assert [table.target for table in layer.tables] == [lakes.target]
    assert "s3cret" not in f"{decided}{row}{task.result}"


def test_what_is_published_is_skipped(
    connection: database.Connection, lakes: CuratedDataset, server: FileServer
) -> None:
    version = publish_version(connection, lakes, source_version="v1")
    job = update(lakes)
    decided = check(job)
    assert decided == {
        "action": "skip",
        "reason": 'The source offers v1, which is published. force_update ("Read all of the '
        'source again") reads it all the same.',
        "source_version": "v1",
    }
    assert job.run_stage("fetch_data") == []
    assert server.ranges() == ["bytes=0-0"]
    row = log_of(connection, job)
    assert (row["status"], row["source_version"], row["base_version"]) == ("skipped", "v1", version)
    assert row["details"]["reason"] == decided["reason"]
    assert row["completed_at"] is not None
    # A worker that died after it had said so is repeated, and says the same.
    assert job.run_task("check_source", 0, again=True) == decided
    again = log_of(connection, job)
    assert (again["log_id"], again["status"]) == (row["log_id"], "skipped")
    assert again["completed_at"] is not None


@pytest.mark.parametrize("parameters", [{"force_update": True}, {"dry_run": True}])
def test_what_is_published_or_rolled_back_is_wanted_where_somebody_says_so(
    connection: database.Connection, lakes: CuratedDataset, parameters: dict[str, bool]
) -> None:
    version = publish_version(connection, lakes, source_version="v1")
    curated_repository.set_rejected(connection, lakes.dataset_id, "v1")
    decided = check(update(lakes, **parameters))
    assert (decided["action"], decided["base_version"]) == ("update", version)


def test_what_was_rolled_back_does_not_come_back_by_itself(
    connection: database.Connection, lakes: CuratedDataset, server: FileServer
) -> None:
    publish_version(connection, lakes, source_version="v0")
    curated_repository.set_rejected(connection, lakes.dataset_id, "v1")
    job = update(lakes)
    assert check(job)["reason"].startswith("The source offers v1, which was rolled back")
    assert log_of(connection, job)["status"] == "skipped"
    server.files[PATH].headers = {"etag": '"v2"'}
    assert check(update(lakes))["action"] == "update"


def test_what_is_not_published_is_wanted_whatever_was_before(
    connection: database.Connection, lakes: CuratedDataset
) -> None:
    curated_repository.updated(connection, lakes.dataset_id, "v1")
    assert check(update(lakes))["action"] == "update"


def test_what_is_published_is_read_again_where_its_definition_was_changed(
    connection: database.Connection, lakes: CuratedDataset
) -> None:
    publish_version(connection, lakes, source_version="v1")
    renamed = redefine(connection, lakes, name="Lakes and ponds", keep_versions=5)
    job = update(renamed)
    assert check(job)["action"] == "skip"
    redefined = redefine(connection, renamed, source_config={"encoding": "ISO-8859-1"})
    job = update(redefined)
    assert check(job)["action"] == "update"
    row = log_of(connection, job)
    assert row["details"]["reason"] == (
        "v1 is published as it was read before the definition was changed: it is read again."
    )
    curated_updates_repository.finish(connection, job.job_id, UpdateStatus.COMPLETED)
    publish_version(connection, redefined, source_version="v1")
    assert check(update(redefined))["action"] == "skip"
    # An operator who goes back to what was read by the earlier one has the last word.
    versions.roll_back(lakes.dataset_id, actor="an operator")
    assert check(update(redefined))["action"] == "skip"
    assert check(update(redefine(connection, redefined, source_config={})))["action"] == "update"


def test_what_the_handler_cannot_be_asked_for_is_refused_by_the_job_too(
    connection: database.Connection, lakes: CuratedDataset, server: FileServer
) -> None:
    with pytest.raises(TaskFailed) as failure:
        check(update(lakes, from_date="2024-01-01"))
    refusal = failure.value.__cause__
    assert isinstance(refusal, InvalidParameters)
    assert [error["loc"] for error in refusal.errors] == [["from_date"]]
    assert server.ranges() == []


def test_what_is_held_is_read_again_where_its_definition_was_changed(
    connection: database.Connection, lakes: CuratedDataset
) -> None:
    held = stage_version(
        connection, lakes, begin(connection, lakes.dataset_id), source_version="v1"
    )
    curated_versions_repository.hold(connection, held.version_id, {}, [])
    assert "is held" in check(update(lakes))["reason"]
    redefined = redefine(connection, lakes, source_config={"layer": "lakes"})
    assert check(update(redefined))["action"] == "update"


@pytest.mark.parametrize("earlier", ["published", "rejected", "held"])
def test_a_file_that_a_person_names_is_read_whatever_became_of_its_version(
    connection: database.Connection,
    lakes: CuratedDataset,
    server: FileServer,
    monkeypatch: pytest.MonkeyPatch,
    earlier: str,
) -> None:
    """A release can be of several files: what is known of one says nothing of another."""
    monkeypatch.setattr(VectorFile, "release_of", lambda *_: "5.1.1")
    monkeypatch.setattr(VectorFile, "release_in", lambda *_: "5.1.1")
    if earlier == "held":
        job_id = begin(connection, lakes.dataset_id)
        held = stage_version(connection, lakes, job_id, source_version="5.1.1")
        curated_versions_repository.hold(connection, held.version_id, {}, [])
    elif earlier == "rejected":
        curated_repository.set_rejected(connection, lakes.dataset_id, "5.1.1")
    else:
        publish_version(connection, lakes, source_version="5.1.1")
    skipped = check(update(lakes))
    assert (skipped["action"], skipped["source_version"]) == ("skip", "5.1.1")
    assert skipped["reason"].endswith('("Read all of the source again") reads it all the same.')

    blob_storage.ensure_container("bronze-stages")
    blob_storage.write_bytes("bronze-stages", "in/lakes.geojson", LAKES)
    asked = len(server.asked)
    job = update(lakes, container_name="bronze-stages", blob_name="in/lakes.geojson")
    decided = check(job)
    assert (decided["action"], decided["source_version"]) == ("update", "5.1.1")
    assert job.run_stage("fetch_data")[0].result is not None
    assert len(server.asked) == asked


def test_a_source_that_is_down_is_not_checked(
    connection: database.Connection, lakes: CuratedDataset, server: FileServer
) -> None:
    server.files[PATH].answers = [(503, {}, b"")]
    job = update(lakes)
    with pytest.raises(TaskFailed) as raised:
        check(job)
    assert isinstance(raised.value.__cause__, SourceUnavailable)
    assert "s3cret" not in f"{raised.value.__cause__.as_record()}"
    assert log_of(connection, job)["status"] == "started"
    assert curated_repository.get(connection, lakes.dataset_id).last_checked_at is None
    assert check(job)["action"] == "update"


def test_one_update_at_a_time(connection: database.Connection, lakes: CuratedDataset) -> None:
    first = update(lakes)
    check(first)
    with pytest.raises(TaskFailed) as raised:
        check(update(lakes))
    assert isinstance(raised.value.__cause__, Conflict)
    assert raised.value.__cause__.error_code == "update_under_way"
    assert first.job_id in raised.value.__cause__.message


def test_a_dataset_that_is_not_there(connection: database.Connection) -> None:
    with pytest.raises(TaskFailed) as raised:
        check(JobRun(JOB, dataset_id="no_such_dataset"))
    assert isinstance(raised.value.__cause__, NotFound)


def test_a_fetch_that_is_cut_off_goes_on(
    lakes: CuratedDataset, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_download, "_FIRST_PAUSE_SECONDS", 0.01)
    job = update(lakes)
    check(job)
    server.files[PATH].breaks = [100] + [0] * 5
    with pytest.raises(TaskFailed, match="broke off again and again"):
        job.run_stage("fetch_data")
    result = job.run_task("fetch_data", 0)
    assert result["bytes"] == len(LAKES)
    assert server.ranges()[-1] == "bytes=100-"


@pytest.mark.parametrize("parameters", [{}, {"force_update": True}])
def test_a_version_is_fetched_once_unless_it_is_forced(
    connection: database.Connection,
    lakes: CuratedDataset,
    server: FileServer,
    parameters: dict[str, bool],
) -> None:
    planned = update(lakes, dry_run=True)
    check(planned)
    planned.run_stage("fetch_data")
    curated_updates_repository.finish(connection, planned.job_id, UpdateStatus.COMPLETED)
    asked = len(server.asked)
    job = update(lakes, **parameters)
    check(job)
    job.run_stage("fetch_data")
    # One request to check, and one to fetch again.
    assert len(server.asked) - asked == (2 if parameters else 1)


def test_what_could_not_be_read_is_fetched_again(
    connection: database.Connection, lakes: CuratedDataset, server: FileServer
) -> None:
    server.files[PATH].content = b"<html>Down for maintenance</html>"
    job = update(lakes)
    check(job)
    with pytest.raises(TaskFailed) as raised:
        job.run_stage("fetch_data")
    assert isinstance(raised.value.__cause__, PermanentTaskError)
    assert raised.value.__cause__.error_code == "unreadable_file"
    curated_updates_repository.finish(connection, job.job_id, UpdateStatus.FAILED)
    server.files[PATH].content = LAKES
    job = update(lakes)
    check(job)
    [task] = job.run_stage("fetch_data")
    assert task.result is not None
    assert task.result["layers"] == 1
