"""Versions of a dataset: brought back while it is read, approved, discarded."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from core.errors import Conflict, NotFound, PermanentTaskError, Unavailable
from core.models.curated import CuratedDataset, CuratedDefinition, UpdateStatus
from core.registry import registry
from infrastructure import curated_repository, database
from infrastructure import curated_updates_repository as updates_log
from infrastructure.database import Connection, Row
from jobs.curated_publish import JOB as CURATED_PUBLISH
from services.curated import approving, checking, holding, publication, reviewing, versions
from services.curated import registry as registration
from services.curated.parameters import CuratedPublish
from services.publishing.locking import take_turn
from services.vector import tables
from tests.support.curated_datasets import forget_all, register
from tests.support.curated_update import (
    SiteRow,
    Staged,
    contents,
    fails,
    publish_beside,
    site,
    staged,
    use_handler,
)
from tests.support.reading import Reader

ONE = [site(number) for number in range(20)]
TWO = [*ONE[2:15], *(site(number, "renamed") for number in range(15, 20)), site(20), site(21)]


@pytest.fixture
def sites(ledger: Connection, monkeypatch: pytest.MonkeyPatch) -> CuratedDataset:
    """A dataset of sites, of which nothing is published; its files are somewhere else."""
    forget_all(ledger)
    use_handler(monkeypatch)
    monkeypatch.setattr(holding.file_store, "tidy", lambda *_args, **_options: 0)
    monkeypatch.setattr(holding.file_store, "dataset_ids", list)
    monkeypatch.setattr(registry, "_definitions", dict(registry._definitions))
    registry._definitions.pop(CURATED_PUBLISH.name, None)
    registry.register(CURATED_PUBLISH)
    return register(
        ledger,
        dataset_id="sites",
        name="Sites",
        target_table_name="curated_sites",
        gates={"row_count_change_pct": 30.0, "extent_change_pct": None},
    )


def hold(connection: Connection, dataset: CuratedDataset, rows: list[SiteRow], version: str) -> int:
    """An update that a gate stops; the number of the version that is held."""
    job = staged(connection, dataset, rows, version)
    with pytest.raises(PermanentTaskError) as failure:
        job.finalize()
    assert failure.value.error_code == "gate_failed"
    fails(connection, job, failure.value)
    return int(failure.value.details["version_id"])


def approve(job_id: str, version_id: int) -> dict[str, Any]:
    """What the task of a curated_publish job does."""
    parameters = CuratedPublish(dataset_id="sites", version_id=version_id)
    return approving.publish_held(
        Staged(None, job_id, parameters, None, {}, 0)  # type: ignore[arg-type]
    )


def log(connection: Connection) -> list[Row]:
    """The log, newest first."""
    return updates_log.page(connection, "sites", limit=100)


def keys_and_names(dataset: CuratedDataset) -> frozenset[tuple[str, str]]:
    return frozenset((key, row[1]) for key, row in contents(dataset).items())


def rows_of(rows: list[SiteRow]) -> frozenset[tuple[str, str]]:
    return frozenset((row[0], row[1]) for row in rows)


@pytest.mark.parametrize("strategy", ["full_replace", "upsert"])
def test_a_reader_sees_one_version_after_the_other_and_nothing_else(
    ledger: Connection, sites: CuratedDataset, strategy: str
) -> None:
    ledger.execute("UPDATE app.curated_datasets SET update_strategy = %s", (strategy,))
    staged(ledger, sites, ONE).finalize()
    reader = Reader(lambda: keys_and_names(sites))
    with reader.at_work():
        reader.look()
        staged(ledger, sites, TWO, "v2").finalize()
        reader.look()
        back = versions.roll_back("sites", actor="an operator")
    assert reader.seen == [rows_of(ONE), rows_of(TWO), rows_of(ONE)]
    assert back["version"] == 3
    assert (back["restores"], back["source_version"], back["rejected_version"]) == (1, "v1", "v2")
    assert back["changes"] == {"added": 2, "updated": 5, "deleted": 2, "unchanged": 13}
    assert {row[4] for row in contents(sites).values()} == {"v1"}
    dataset = curated_repository.get(ledger, "sites")
    assert (dataset.source_version, dataset.rejected_version) == ("v1", "v2")
    newest = log(ledger)[0]
    assert newest["log_id"] == back["log_id"]
    assert (newest["action"], newest["status"], newest["actor"]) == (
        "rollback",
        "completed",
        "an operator",
    )
    assert (newest["base_version"], newest["published_version"]) == (2, 3)
    assert (newest["records_added"], newest["records_updated"], newest["records_deleted"]) == (
        2,
        5,
        2,
    )


def test_what_was_rolled_back_stays_rejected_until_it_is_current_again(
    ledger: Connection, sites: CuratedDataset
) -> None:
    for number in (1, 2, 3):
        staged(ledger, sites, [*ONE, site(20 + number)], f"v{number}").finalize()
    assert versions.roll_back("sites", actor="x")["rejected_version"] == "v3"
    # Further back: the source still offers v3.
    found = versions.roll_back("sites", actor="x")
    assert (found["source_version"], found["rejected_version"]) == ("v1", "v3")
    found = versions.roll_back("sites", 3, actor="x")
    assert (found["source_version"], found["rejected_version"]) == ("v3", None)
    staged(ledger, sites, ONE, "v4").finalize()
    assert curated_repository.get(ledger, "sites").rejected_version is None


def test_what_was_rolled_back_stays_rejected_when_the_dataset_is_registered_again(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, ONE).finalize()
    staged(ledger, sites, TWO, "v2").finalize()
    versions.roll_back("sites", actor="x")
    definition = sites.model_dump(mode="json", include=set(CuratedDefinition.model_fields))
    registration.delete("sites")
    registration.create({**definition, "handler": "vector_file"})
    dataset = curated_repository.get(ledger, "sites")
    assert (dataset.source_version, dataset.rejected_version) == ("v1", "v2")
    assert checking.check_source(staged(ledger, dataset, TWO, "v2"))["action"] == "skip"


def test_an_update_that_a_rollback_overtakes_is_superseded(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, ONE).finalize()
    staged(ledger, sites, TWO, "v2").finalize()
    late = staged(ledger, sites, [*TWO, site(30)], "v3")
    versions.roll_back("sites", actor="x")
    with pytest.raises(PermanentTaskError) as failure:
        late.finalize()
    assert failure.value.error_code == "superseded"
    assert keys_and_names(sites) == rows_of(ONE)


def test_there_is_nothing_to_roll_back_to(ledger: Connection, sites: CuratedDataset) -> None:
    with pytest.raises(NotFound) as missing:
        versions.roll_back("sites", actor="x")
    assert missing.value.error_code == "unknown_table"
    with pytest.raises(NotFound) as missing:
        versions.roll_back("lakes", actor="x")
    assert missing.value.error_code == "dataset_not_found"
    staged(ledger, sites, ONE).finalize()
    with pytest.raises(Conflict) as refused:
        versions.roll_back("sites", actor="x")
    assert refused.value.error_code == "version_not_kept"
    with pytest.raises(NotFound) as missing:
        versions.roll_back("sites", 9, actor="x")
    assert missing.value.error_code == "unknown_version"
    assert [row["action"] for row in log(ledger)] == ["update"]


def test_its_table_is_rolled_back_by_the_dataset_only(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, ONE).finalize()
    staged(ledger, sites, TWO, "v2").finalize()
    with pytest.raises(Conflict, match="api/curated/datasets/sites/rollback") as refused:
        tables.roll_back("curated_sites", None)
    assert refused.value.error_code == "table_is_curated"
    assert keys_and_names(sites) == rows_of(TWO)


def test_a_rollback_waits_for_nobody_for_long(ledger: Connection, sites: CuratedDataset) -> None:
    staged(ledger, sites, ONE).finalize()
    staged(ledger, sites, TWO, "v2").finalize()
    with database.connect() as reader:
        reader.execute("SELECT count(*) FROM geo.curated_sites")
        with pytest.raises(Unavailable, match="in use") as busy:
            versions.roll_back("sites", actor="x", patience=0.3)
    assert busy.value.error_code == "table_busy"
    assert curated_repository.get(ledger, "sites").source_version == "v2"
    assert keys_and_names(sites) == rows_of(TWO)


def test_a_rollback_waits_for_a_publication_no_longer(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, ONE).finalize()
    staged(ledger, sites, TWO, "v2").finalize()
    with database.transaction() as publishing:
        take_turn(publishing, sites.target, lambda: None)
        with pytest.raises(Unavailable, match="Another job") as busy:
            versions.roll_back("sites", actor="x", patience=0.3)
    assert busy.value.error_code == "table_busy"


def test_a_table_that_someone_dropped_is_fetched_again(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, ONE).finalize()
    staged(ledger, sites, TWO, "v2").finalize()
    assert checking.check_source(staged(ledger, sites, TWO, "v2"))["action"] == "skip"
    ledger.execute("DROP TABLE geo.curated_sites")
    with pytest.raises(NotFound) as missing:
        versions.roll_back("sites", actor="x")
    assert missing.value.error_code == "unknown_table"
    job = staged(ledger, sites, TWO, "v2")
    assert checking.check_source(job)["action"] == "update"
    assert job.finalize()["version"] == 3
    assert keys_and_names(sites) == rows_of(TWO)


def test_a_version_that_is_held_is_published_by_a_person(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, ONE).finalize()
    version_id = hold(ledger, sites, ONE[:5], "v2")
    job = versions.submit_held("sites", actor="an operator")
    assert job.created
    with pytest.raises(Conflict) as busy:
        versions.submit_held("sites")
    assert busy.value.error_code == "update_under_way"
    with pytest.raises(Conflict) as busy:
        versions.discard("sites", version_id)
    assert busy.value.error_code == "update_under_way"
    result = approve(job.job_id, version_id)
    assert (result["action"], result["version"], result["rows"]) == ("updated", 2, 5)
    assert result["changes"] == {"added": 0, "updated": 0, "deleted": 15, "unchanged": 5}
    assert keys_and_names(sites) == rows_of(ONE[:5])
    assert approve(job.job_id, version_id) == result
    newest = log(ledger)[0]
    assert (newest["action"], newest["status"], newest["published_version"]) == (
        "publish",
        "completed",
        2,
    )
    assert newest["records_deleted"] == 15
    assert curated_repository.get(ledger, "sites").source_version == "v2"
    with pytest.raises(Conflict) as gone:
        versions.submit_held("sites")
    assert gone.value.error_code == "version_not_held"


def test_what_another_job_has_published_is_not_held(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, ONE).finalize()
    update = staged(ledger, sites, ONE[:5], "v2")
    with pytest.raises(PermanentTaskError) as failure:
        update.finalize()
    fails(ledger, update, failure.value)
    # An operator lifts the limits and resumes the update.
    gates = {"row_count_change_pct": None, "extent_change_pct": None}
    ledger.execute("UPDATE app.curated_datasets SET gates = %s", (Jsonb(gates),))
    updates_log.reopen(ledger, "sites", update.job_id, [UpdateStatus.FAILED])
    assert update.finalize()["version"] == 2
    with pytest.raises(PermanentTaskError) as refusal:
        approve("a" * 64, failure.value.details["version_id"])
    assert refusal.value.error_code == "version_not_held"
    assert log(ledger)[0]["published_version"] is None


@pytest.mark.parametrize("strategy", ["full_replace", "upsert"])
def test_what_was_edited_since_it_was_held_is_counted(
    ledger: Connection, sites: CuratedDataset, strategy: str
) -> None:
    ledger.execute("UPDATE app.curated_datasets SET update_strategy = %s", (strategy,))
    staged(ledger, sites, ONE).finalize()
    version_id = hold(ledger, sites, ONE[:5], "v2")
    ledger.execute("UPDATE geo.curated_sites SET name = 'by hand' WHERE site = 'S1'")
    job = versions.submit_held("sites")
    result = approve(job.job_id, version_id)
    assert result["changes"] == {"added": 0, "updated": 1, "deleted": 15, "unchanged": 4}
    assert [gate["gate"] for gate in result["gates"] if not gate["passed"]] == [
        "row_count_change_pct"
    ]
    assert keys_and_names(sites) == rows_of(ONE[:5])


def test_a_version_that_was_held_against_another_one_is_superseded(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged(ledger, sites, ONE).finalize()
    version_id = hold(ledger, sites, ONE[:5], "v2")
    job = versions.submit_held("sites")
    publish_beside(ledger, sites, TWO)
    # Comparing takes a while, and would be for nothing.
    monkeypatch.setattr(reviewing, "review", lambda *_: pytest.fail("it was compared"))
    with pytest.raises(PermanentTaskError) as failure:
        approve(job.job_id, version_id)
    assert failure.value.error_code == "superseded"
    updates_log.finish(ledger, job.job_id, UpdateStatus.FAILED)
    assert keys_and_names(sites) == rows_of(TWO)
    with pytest.raises(Conflict) as refused:
        versions.submit_held("sites")
    assert refused.value.error_code == "superseded"
    (held,) = versions.versions_page("sites")["held"]
    assert (held["version_id"], held["superseded"]) == (version_id, True)
    assert checking.check_source(staged(ledger, sites, ONE, "v2"))["action"] == "update"
    versions.discard("sites", version_id)
    assert curated_repository.get(ledger, "sites").rejected_version is None


def test_a_version_that_is_discarded_is_not_fetched_again_by_itself(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, ONE).finalize()
    version_id = hold(ledger, sites, ONE[:5], "v2")
    with pytest.raises(Conflict) as unknown:
        versions.discard("sites", version_id + 1)
    assert unknown.value.error_code == "version_not_held"
    assert versions.discard("sites", version_id)["state"] == "discarded"
    assert curated_repository.get(ledger, "sites").rejected_version == "v2"
    left = ledger.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'geo_staging'").fetchall()
    assert left == []
    # A rollback does not make it wanted again either.
    staged(ledger, sites, TWO, "v1.1").finalize()
    curated_repository.set_rejected(ledger, "sites", "v2")
    assert versions.roll_back("sites", actor="x")["rejected_version"] == "v2"


def test_a_version_is_not_discarded_while_the_table_is_being_published(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged(ledger, sites, ONE).finalize()
    version_id = hold(ledger, sites, ONE[:5], "v2")
    refusals = []
    write_down = publication._write_down

    def with_one_who_discards(*args: Any) -> None:
        # What waits is locked by now, and the dataset not yet.
        with pytest.raises(Unavailable) as busy:
            versions.discard("sites", version_id, patience=0.1)
        refusals.append(busy.value.error_code)
        write_down(*args)

    monkeypatch.setattr(publication, "_write_down", with_one_who_discards)
    assert staged(ledger, sites, TWO, "v3").finalize()["version"] == 2
    assert refusals == ["table_busy"]
    with pytest.raises(Conflict) as gone:
        versions.discard("sites", version_id)
    assert gone.value.error_code == "version_not_held"


def test_a_version_that_is_held_is_not_fetched_again_by_itself(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, ONE).finalize()
    hold(ledger, sites, ONE[:5], "v2")
    job = staged(ledger, sites, ONE, "v2")
    found = checking.check_source(job)
    assert found["action"] == "skip"
    assert "held" in found["reason"]
    assert log(ledger)[0]["status"] == "skipped"


def test_the_versions_tell_where_their_rows_came_from(
    ledger: Connection, sites: CuratedDataset
) -> None:
    assert versions.versions_page("sites") == {
        "dataset_id": "sites",
        "current": None,
        "held": [],
        "versions": [],
        "next": None,
    }
    staged(ledger, sites, ONE).finalize()
    staged(ledger, sites, TWO, "v2").finalize()
    versions.roll_back("sites", actor="an operator")
    hold(ledger, sites, ONE[:5], "v3")
    page = versions.versions_page("sites", limit=2)
    assert page["current"] == 3
    assert [
        (each["version"], each["source_version"], each["current"], each["restorable"])
        for each in page["versions"]
    ] == [(3, "v1", True, False), (2, "v2", False, True)]
    assert (page["versions"][0]["restores"], page["versions"][0]["actor"]) == (1, "an operator")
    assert page["versions"][1]["changes"]["added"] == 2
    assert page["versions"][1]["files"][0]["blob"] == "sites.gpkg"
    rest = versions.versions_page("sites", limit=2, cursor=page["next"])
    assert [each["version"] for each in rest["versions"]] == [1]
    assert rest["next"] is None
    (held,) = page["held"]
    assert (held["source_version"], held["rows"], held["superseded"]) == ("v3", 5, False)
    assert [gate["gate"] for gate in held["gates"] if not gate["passed"]] == [
        "row_count_change_pct"
    ]


def test_versions_that_nobody_will_publish_are_swept(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, ONE).finalize()
    hold(ledger, sites, ONE[:5], "v2")
    holding.sweep()
    assert len(versions.versions_page("sites")["held"]) == 1
    ledger.execute("DELETE FROM app.curated_datasets")
    holding.sweep()
    left = ledger.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'geo_staging'").fetchall()
    assert left == []
