"""A version in many parts, from its source to one staged table: storage, sandbox, database."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from core.errors import PermanentTaskError, TransientTaskError
from core.job_definition import JsonObject
from core.models.curated import CuratedDataset, CuratedDefinition
from infrastructure import curated_repository, curated_updates_repository, database
from infrastructure.database import Row
from jobs.curated_update import JOB
from services.curated import handlers
from services.publishing.definitions import identifier, staged
from services.vector import inspecting, reports, source_files
from services.vector.inspecting import read_plan
from services.vector.planning import Plan
from tests.support.curated_datasets import forget_all, register
from tests.support.run_job import Context, JobRun, TaskFailed
from tests.support.settings import app_settings
from tests.support.sightings import HEADER, Sightings, line

_RUNS = itertools.count()


@pytest.fixture
def connection(
    ledger_url: str, blob_connection_string: str, tmp_path: Path
) -> Iterator[database.Connection]:
    with (
        app_settings(
            DATABASE_URL=ledger_url,
            AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
            GEOFORGE_CURATED_CONTAINER="curated-parts",
            GEOFORGE_SOURCE_CACHE_DIR=str(tmp_path / "sources"),
        ),
        database.connect(autocommit=True) as connection,
    ):
        forget_all(connection)
        yield connection


@pytest.fixture
def birds(connection: database.Connection) -> CuratedDataset:
    # The container outlives the test.
    return register(
        connection,
        dataset_id=f"birds_{next(_RUNS)}",
        handler="sightings",
        target_table_name="curated_birds",
        update_strategy="upsert",
    )


class Update:
    """An update of the dataset by a handler of the test's own."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, dataset: CuratedDataset, handler: Sightings
    ) -> None:
        monkeypatch.setattr(handlers, "get", lambda name: handler)
        self.handler = handler
        self.job = JobRun(JOB, dataset_id=dataset.dataset_id, request_id=str(next(_RUNS)))

    def stage(self) -> Plan:
        """Run all stages before the last one; the plan of all parts."""
        self.job.run(until="finalize")
        return self.plan

    @property
    def plan(self) -> Plan:
        return read_plan(Context(self.job))

    @property
    def rows(self) -> list[Row]:
        [layer] = self.plan.layers
        with database.transaction() as connection:
            return connection.execute(
                sql.SQL("SELECT *, ST_AsText(geom) AS point FROM {} ORDER BY gid").format(
                    identifier(staged(layer.tables[0].staged))
                )
            ).fetchall()

    @property
    def by_key(self) -> dict[str, Row]:
        return {row["sighting"]: row for row in self.rows}

    def counts(self) -> tuple[int, int, int]:
        results = [task.result or {} for task in self.job.tasks["etl_process"]]
        read, loaded, quarantined = (
            sum(result[name] for result in results) for name in ("read", "loaded", "quarantined")
        )
        return read, loaded, quarantined

    def report(self) -> JsonObject:
        return inspecting.inference(self.plan)


@pytest.fixture
def update(monkeypatch: pytest.MonkeyPatch, birds: CuratedDataset) -> Any:
    def begin(*parts: Any, **options: Any) -> Update:
        return Update(monkeypatch, birds, Sightings(parts, **options))

    return begin


def test_all_parts_become_one_staged_table(connection: database.Connection, update: Any) -> None:
    first = "".join(line(f"a{n}", number=str(n)) for n in range(300))
    second = line("b1", "Ibis", latitude="-4.25", longitude="36") + line("b2", latitude="95")
    job = update(first, second, {"a1": 20})
    plan = job.stage()
    fetched = [task.result for task in job.job.tasks["fetch_data"]]
    assert [(part["kind"], part["records"]) for part in fetched] == [
        ("records", 300), ("records", 2), ("deletions", None),
    ]  # fmt: skip
    assert all(len(file["sha256"]) == 64 for part in fetched for file in part["files"])
    rows = job.rows
    assert [row["gid"] for row in rows] == list(range(1, 302))
    ibis = job.by_key["b1"]
    assert (ibis["species"], ibis["latitude"], ibis["longitude"]) == ("Ibis", -4.25, 36.0)
    assert ibis["point"] == "POINT(36 -4.25)"
    assert str(ibis["seen_on"]) == "2026-02-03"
    assert job.counts() == (302, 301, 1)
    [layer] = job.report()["layers"]
    assert (layer["features"], layer["chunks"], layer["name"]) == (
        302,
        2,
        plan.layers[0].layer.name,
    )
    row = curated_updates_repository.of_job(connection, job.job.job_id)
    assert row is not None
    assert row["details"]["remote"]["parts"] == 3
    assert (row["details"]["parts"], row["details"]["records"]) == (3, 302)
    assert row["source_bytes"] == sum(part["bytes"] for part in fetched)
    report = reports.report_view(job.job.job_id)
    assert report["counts"]["read"] == 302
    assert len(report["source"]["files"]) == 3


def test_each_part_is_read_as_its_own_file_is_written(update: Any) -> None:
    """Inferred alone, the numbers of one part are texts, and its dates have no one order."""
    plain = line("a1", number="7")
    odd = line("b1", number="many", seen_on="") + line("b2", number="8", seen_on="2026-12-31")
    quoted = line("c1", '"Tern, ""Arctic"""', number="9")
    job = update(plain, odd, quoted)
    job.stage()
    found = job.by_key
    assert {key: found[key]["number"] for key in found} == {"a1": 7, "b1": None, "b2": 8, "c1": 9}
    assert found["c1"]["species"] == 'Tern, "Arctic"'
    assert (found["b1"]["seen_on"], str(found["b2"]["seen_on"])) == (None, "2026-12-31")
    types = {column["name"]: column["inferred"] for column in job.report()["layers"][0]["columns"]}
    assert types["number"] == "text"


@pytest.mark.parametrize(
    ("parts", "chunks", "loaded"),
    [
        (("", line("a1"), ""), 1, 1),
        (("", ""), 0, 0),
        (({"a1": 20},), 0, 0),
        (({}, ""), 0, 0),
    ],
    ids=["some empty", "all empty", "deletions only", "nothing at all"],
)
def test_parts_may_be_empty(update: Any, parts: Any, chunks: int, loaded: int) -> None:
    job = update(*parts)
    plan = job.stage()
    assert len(job.job.tasks["etl_process"]) == chunks
    assert len(job.rows) == loaded
    [layer] = plan.layers
    assert layer.key_columns == ["sighting"]
    shape = layer.tables[0].shape
    assert [column.name for column in shape.columns] == [
        "sighting", "seen_on", "species", "number", "changed", "latitude", "longitude",
    ]  # fmt: skip
    assert shape.geometry is not None
    assert shape.geometry.sql == "geometry(Point,4326)"


def test_a_worker_that_reads_a_chunk_needs_the_file_of_its_part_only(
    update: Any, tmp_path: Path
) -> None:
    job = update(*(line(f"s{n}") for n in range(3)))
    job.job.run_stage("check_source")
    job.job.run_stage("fetch_data")
    with pytest.MonkeyPatch.context() as patched:
        copied: list[list[str]] = []
        real = source_files.local_copy

        def local_copy(ref: Any, **options: Any) -> Any:
            copied.append(ref.names)
            return real(ref, **options)

        patched.setattr(source_files, "local_copy", local_copy)
        job.job.run_stage("etl_process")
    assert [len(names) for names in copied] == [1, 1, 1]
    assert len({names[0] for names in copied}) == 3


def test_a_part_that_fails_is_fetched_again_and_no_other(update: Any) -> None:
    def refuse(number: int) -> None:
        if number == 1:
            raise TransientTaskError("The source is down.", code="source_unavailable")

    job = update(line("a1"), line("b1"), line("c1"), on_fetch=refuse)
    with pytest.raises(TaskFailed):
        job.stage()
    assert job.handler.fetched == [0]
    job.handler.on_fetch = lambda _number: None
    job.stage()
    assert job.handler.fetched == [0, 1, 2]
    assert set(job.by_key) == {"a1", "b1", "c1"}


def test_what_is_done_again_after_a_crash_changes_nothing(update: Any) -> None:
    """Workers die behind their work and before its completion: fetch, planning, chunks."""
    job = update(line("a1") + line("a2", latitude="95"), line("b1"), {"x": 1})
    plan = job.stage()
    before = job.rows
    blobs = [task.result for task in job.job.tasks["fetch_data"]]
    for number in range(3):
        job.job.run_task("fetch_data", number, again=True)
    assert [task.result for task in job.job.tasks["fetch_data"]] == blobs, "no file was made anew"
    planned = [task.parameters for task in job.job.tasks.pop("etl_process")]
    job.job.run_stage("etl_process")
    assert [task.parameters for task in job.job.tasks["etl_process"]] == planned
    for number in range(len(planned)):
        job.job.run_task("etl_process", number, again=True)
    assert (job.rows, job.plan) == (before, plan)
    assert job.counts() == (3, 2, 1)


def test_a_part_that_cannot_be_read_is_fetched_again_by_the_next_attempt(update: Any) -> None:
    job = update(HEADER + line("a1"), "\n\n", header="")
    with pytest.raises(TaskFailed) as raised:
        job.stage()
    assert isinstance(raised.value.__cause__, PermanentTaskError)
    assert raised.value.__cause__.error_code == "unreadable_file"
    job.handler.parts = [HEADER + line("a1"), HEADER + line("b1")]
    job.stage()
    assert set(job.by_key) == {"a1", "b1"}


def test_a_definition_that_changes_between_two_parts_ends_the_update(
    connection: database.Connection, birds: CuratedDataset, update: Any
) -> None:
    def redefine(number: int) -> None:
        if number == 1:
            definition = CuratedDefinition.model_validate(
                birds.model_dump(include=set(CuratedDefinition.model_fields))
                | {"source_config": {"encoding": "utf-8"}}
            )
            curated_repository.replace(connection, definition, birds.handler)

    job = update(line("a1"), line("b1"), on_fetch=redefine)
    with pytest.raises(PermanentTaskError, match="while its source was being read") as raised:
        job.stage()
    assert raised.value.error_code == "superseded"


def test_a_part_without_the_key_is_refused(update: Any) -> None:
    job = update(line("a1"), header="name,seen_on,species,number,changed,latitude,longitude\n")
    with pytest.raises(PermanentTaskError, match="no attribute 'sighting'") as raised:
        job.stage()
    assert raised.value.error_code == "key_missing"


def test_an_update_in_parts_is_published_and_the_next_one_changes_it(
    connection: database.Connection, birds: CuratedDataset, update: Any
) -> None:
    def published() -> dict[str, Any]:
        rows = connection.execute(
            f"SELECT sighting, species, number FROM {birds.target}"
        ).fetchall()
        return {row["sighting"]: (row["species"], row["number"]) for row in rows}

    everything = update(line("a1") + line("a2"), line("b1", "Ibis"), delivers="snapshot")
    done = everything.job.run()
    assert (done["action"], done["changes"]["added"], done["read"]) == ("updated", 3, 3)
    assert published() == {"a1": ("Tern", 1), "a2": ("Tern", 1), "b1": ("Ibis", 1)}
    since = update(
        line("a1", "Tern", number="5", changed="20"), line("c1", changed="20"), {"b1": 20},
        version="v2",
    )  # fmt: skip
    done = since.job.run()
    changes = done["changes"]
    assert (changes["added"], changes["updated"], changes["deleted"]) == (1, 1, 1)
    assert published() == {"a1": ("Tern", 5), "a2": ("Tern", 1), "c1": ("Tern", 1)}
    assert curated_repository.get(connection, birds.dataset_id).source_version == "v2"
    nothing = update("", {"a9": 30}, version="v3")
    assert nothing.job.run()["read"] == 0
    assert len(published()) == 3


def test_what_every_task_reads_stays_small(update: Any) -> None:
    job = update(*(line(f"s{n}") for n in range(12)))
    job.stage()
    workspace = Context(job.job).workspace
    assert len(workspace.read_bytes("plans/11.json")) < 20_000
    assert len(workspace.read_bytes("plan.json")) < 20_000
    assert len(job.rows) == 12
    assert [layer["chunks"] for layer in job.report()["layers"]] == [12]
