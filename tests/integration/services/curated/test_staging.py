"""From the fetched archives of a dataset to its staged tables: real files, storage, database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from core.errors import PermanentTaskError
from core.job_definition import JobDefinition, JsonObject, Stage, TaskContext, plan_one_task
from core.models.curated import CuratedDataset, UpdateStatus, UpdateType
from core.models.feature_table import TableName
from infrastructure import blob_storage, curated_updates_repository, database
from infrastructure.database import Row
from local.standins.archives import Form
from local.standins.key_biodiversity_areas import KeyBiodiversityAreas, Vintage
from local.standins.protected_area_columns import Columns
from local.standins.protected_areas import ProtectedAreas
from services.curated import etl, mapping, planning
from services.curated.kba_handler import KbaHandler
from services.curated.parameters import CuratedUpdate
from services.curated.wdpa_handler import WdpaHandler
from services.publishing.definitions import identifier, staged
from services.vector import inspecting, source_files
from services.vector.inspecting import read_plan
from services.vector.planning import Plan
from tests.support.curated import add_dataset, forget_datasets
from tests.support.run_job import Context, JobRun, TaskFailed
from tests.support.settings import app_settings

pytestmark = pytest.mark.usefixtures("app")

CONTAINER = "geoforge-curated"
REGISTER = ProtectedAreas(polygons=400, points=60)
VERSION = "May 2023"
RELEASES = [
    (form, columns)
    for columns in (Columns.UNTIL_2025, Columns.SINCE_2025)
    for form in (Form.FILE_GEODATABASE, Form.GEOPACKAGE, Form.SHAPEFILES)
]


@pytest.fixture
def app(database_url: str, blob_connection_string: str, tmp_path: Path) -> Iterator[None]:
    with app_settings(
        DATABASE_URL=database_url,
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        GEOFORGE_SOURCE_CACHE_DIR=str(tmp_path / "sources"),
    ):
        yield


def dataset(dataset_id: str = "wdpa", **fields: Any) -> CuratedDataset:
    with database.transaction() as connection:
        forget_datasets(connection)
        return add_dataset(connection, dataset_id, **{"handler": dataset_id, **fields})


class Update:
    """An update of a dataset whose file is there already: stages 2 and 3."""

    def __init__(self, about: CuratedDataset, archive: Path, handler: Any) -> None:
        self.dataset = about
        self.handler = handler
        self._blob = f"{about.dataset_id}/may-2023/{archive.name}"
        blob_storage.ensure_container(CONTAINER)
        blob_storage.write_bytes(CONTAINER, self._blob, archive.read_bytes())
        self.action = "update"
        definition = JobDefinition(
            name="stage_dataset",
            description="The stages of an update that a test looks at.",
            parameters=CuratedUpdate,
            stages=(
                Stage("check_source", planner=plan_one_task, handler=self._check),
                Stage("fetch_data", planner=plan_one_task, handler=self._fetch),
                Stage("etl_process", planner=etl.plan_etl, handler=etl.process_chunk),
            ),
        )
        self.job = JobRun(definition, dataset_id=about.dataset_id, request_id=archive.name)
        with database.transaction() as connection:
            curated_updates_repository.begin(
                connection, about.dataset_id, self.job.job_id, UpdateType.MANUAL
            )

    def _check(self, _context: TaskContext[CuratedUpdate]) -> JsonObject:
        remote: JsonObject = {"version": VERSION, "size": None, "licence": None, "facts": {}}
        return {
            "action": self.action,
            "remote": remote,
            "base_version": None,
            "table_is_there": False,
        }

    def _fetch(self, context: TaskContext[CuratedUpdate]) -> None:
        ref = source_files.pin(_Blob(CONTAINER, self._blob))
        planning.plan_source(context, self.dataset, self.handler, ref, source_version=VERSION)

    def run(self) -> Plan:
        for stage in self.job.definition.stages:
            self.job.run_stage(stage.name)
        return read_plan(Context(self.job))

    def counts(self, name: str) -> int:
        return sum((task.result or {})[name] for task in self.job.tasks["etl_process"])

    def status(self) -> str:
        with database.transaction() as connection:
            row = curated_updates_repository.of_job(connection, self.job.job_id)
        assert row is not None
        status: str = row["status"]
        return status


class _Blob:
    def __init__(self, container: str, path: str) -> None:
        self.container_name = container
        self.blob_name = path


def rows(plan: Plan) -> list[Row]:
    """What is staged of all layers."""
    tables = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT *, GeometryType(geom) AS type FROM {}").format(
            identifier(staged(table.staged))
        )
        for layer in plan.layers
        for table in layer.tables
    )
    with database.transaction() as connection:
        return connection.execute(tables).fetchall()


@pytest.mark.parametrize(("form", "columns"), RELEASES)
def test_every_form_of_a_release_is_staged_in_the_one_shape(
    tmp_path: Path, form: Form, columns: Columns
) -> None:
    archive = REGISTER.release(1, columns).write(tmp_path, form)
    update = Update(dataset(), archive, WdpaHandler())
    plan = update.run()
    assert len({table.shape for layer in plan.layers for table in layer.tables}) == 1
    assert len(plan.layers) == (6 if form is Form.SHAPEFILES else 2)
    found = rows(plan)
    truth = REGISTER.changes(None, 1)
    assert {row["site_pid"] for row in found} == set(truth.added)
    assert len(found) == truth.loaded
    assert (update.counts("loaded"), update.counts("quarantined")) == (
        truth.loaded,
        truth.unloadable,
    )
    assert {row["type"] for row in found} == {"MULTIPOLYGON", "MULTIPOINT"}
    assert {row["realm"] for row in found} == {"Terrestrial", "Coastal", "Marine"}
    assert {row["site_type"] for row in found} == {"PA", "OECM"}
    assert {row["source_version"] for row in found} == {VERSION}
    assert any(len(row["iso3"]) == 2 for row in found), "some lie in two countries"
    assert all(row["iso3"] and all(len(code) == 3 for code in row["iso3"]) for row in found)
    years = {row["status_yr"] for row in found}
    assert None in years
    assert 0 not in years
    assert all(isinstance(row["site_id"], int) for row in found)
    assert update.status() == UpdateStatus.PROCESSING


def test_old_and_new_columns_hold_the_same(tmp_path: Path) -> None:
    """But for what the schema since 2025 has beside."""
    handler = WdpaHandler()
    found: list[dict[str, Row]] = []
    drift: list[dict[str, str]] = []
    for columns in Columns:
        archive = REGISTER.release(1, columns).write(tmp_path / columns.value, Form.GEOPACKAGE)
        about = dataset()
        plan = Update(about, archive, handler).run()
        found.append({row["site_pid"]: row for row in rows(plan)})
        drift.append(mapping.source_columns(plan, about, handler))
    old, new = found
    only_since_2025 = {"govsubtype", "ownsubtype", "oecm_asmt", "inlnd_wtrs"}
    assert {
        column
        for key in old
        for column in old[key]
        if column != "gf_hash" and old[key][column] != new[key][column]
    } <= only_since_2025
    assert drift[0] == drift[1], "what is renamed is no drift"


@pytest.mark.parametrize("vintage", Vintage)
def test_the_case_of_letters_in_names_does_not_matter(tmp_path: Path, vintage: Vintage) -> None:
    register = KeyBiodiversityAreas(polygons=60, points=10)
    archive = register.write(1, tmp_path, Form.GEOPACKAGE, vintage)
    about = dataset("kba")
    plan = Update(about, archive, KbaHandler()).run()
    found = rows(plan)
    assert {str(row["sit_rec_id"]) for row in found} == set(register.sites(1))
    assert all(row["int_name"] and row["country"] for row in found)
    known = mapping.source_columns(plan, about, KbaHandler())
    mandatory = {"sit_rec_id", "country", "iso3", "nat_name", "int_name", "kba_status", "source"}
    assert mandatory <= known.keys()
    told = {
        column["name"].lower(): column["column"]
        for column in inspecting.inference(plan)["layers"][0]["columns"]
    }
    assert (told["sitrecid"], told["shape_area"]) == ("sit_rec_id", None)


def test_a_chunk_that_is_done_again_changes_nothing(tmp_path: Path) -> None:
    archive = REGISTER.release(1).write(tmp_path, Form.GEOPACKAGE)
    update = Update(dataset(), archive, WdpaHandler())
    plan = update.run()
    before = len(rows(plan))
    for index in range(len(update.job.tasks["etl_process"])):
        update.job.run_task("etl_process", index, again=True)
    update.job.run_task("fetch_data", 0, again=True)
    assert len(rows(plan)) == before


def test_nothing_is_staged_after_a_skip(tmp_path: Path) -> None:
    archive = REGISTER.release(1).write(tmp_path, Form.GEOPACKAGE)
    update = Update(dataset(), archive, WdpaHandler())
    update.action = "skip"
    update.job.run_stage("check_source")
    assert update.job.run_stage("etl_process") == []


def test_another_dataset_s_archive_is_refused_and_named(tmp_path: Path) -> None:
    archive = REGISTER.release(1).write(tmp_path, Form.SHAPEFILES)
    with pytest.raises(TaskFailed) as failed:
        Update(dataset("kba"), archive, KbaHandler()).run()
    cause = failed.value.__cause__
    assert isinstance(cause, PermanentTaskError)
    assert cause.error_code in ("no_layer_wanted", "key_missing")
    with database.transaction() as connection:
        left = connection.execute(
            "SELECT 1 FROM pg_tables WHERE schemaname = 'geo_staging'"
        ).fetchall()
    assert left == []


def test_a_table_that_is_not_geoforge_s_is_found_before_any_work(tmp_path: Path) -> None:
    about = dataset()
    with database.transaction() as connection:
        connection.execute(
            sql.SQL("CREATE TABLE {} (x int)").format(
                identifier(TableName(table_name=about.target_table_name))
            )
        )
    archive = REGISTER.release(1).write(tmp_path, Form.GEOPACKAGE)
    with pytest.raises(TaskFailed, match=about.target_table_name):
        Update(about, archive, WdpaHandler()).run()
