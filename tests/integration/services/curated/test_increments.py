"""Increments published: what they add, change and delete, and what is left to bring back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from core.errors import PermanentTaskError
from core.models.curated import CuratedDataset
from core.models.feature_table import Column, ColumnType, FeatureTable
from core.registry import registry
from infrastructure import curated_repository
from infrastructure import curated_versions_repository as recorded
from infrastructure.database import Connection
from jobs.curated_publish import JOB as CURATED_PUBLISH
from services.curated import approving, finalizing, holding, versions
from services.curated.parameters import CuratedPublish
from tests.support.curated_datasets import forget_all, register
from tests.support.curated_update import Staged, fails, publish_beside, site, square, staged
from tests.support.increments import (
    OPEN_GATES,
    SEEN,
    deleted,
    log_of,
    names,
    seen,
    seen_sites,
    staged_tables,
    table_rows,
    update,
)

ONE = [seen(number) for number in range(20)]


@pytest.fixture
def updated(
    ledger_url: str, blob_connection_string: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Connection, CuratedDataset]]:
    """A dataset of which version 1 is published."""
    monkeypatch.setattr("services.curated.file_store.tidy", lambda *_args, **_options: 0)
    monkeypatch.setattr(registry, "_definitions", dict(registry._definitions))
    registry._definitions.pop(CURATED_PUBLISH.name, None)
    registry.register(CURATED_PUBLISH)
    with seen_sites(ledger_url, blob_connection_string, monkeypatch) as (connection, sites):
        update(connection, sites, ONE, "v1", delivers="snapshot").finalize()
        yield connection, sites


@pytest.fixture
def ledger(updated: tuple[Connection, CuratedDataset]) -> Connection:
    return updated[0]


@pytest.fixture
def sites(updated: tuple[Connection, CuratedDataset]) -> CuratedDataset:
    return updated[1]


def current(connection: Connection) -> tuple[int, int]:
    """The published version of the table, and its recorded rows."""
    row = connection.execute("SELECT version, row_count FROM app.published_tables").fetchone()
    assert row is not None
    return row["version"], row["row_count"]


def approve(job_id: str, version_id: int) -> dict[str, Any]:
    """What the task of a curated_publish job does."""
    parameters = CuratedPublish(dataset_id="sites", version_id=version_id)
    return approving.publish_held(
        Staged(None, job_id, parameters, None, {}, 0)  # type: ignore[arg-type]
    )


def hold(connection: Connection, job: Staged) -> int:
    """Let a gate stop an update; the number of the version that is held."""
    with pytest.raises(PermanentTaskError) as failure:
        job.finalize()
    assert failure.value.error_code == "gate_failed"
    fails(connection, job, failure.value)
    return int(failure.value.details["version_id"])


def set_gates(connection: Connection, **gates: Any) -> None:
    """Set some of the dataset's gates."""
    connection.execute("UPDATE app.curated_datasets SET gates = gates || %s", (Jsonb(gates),))


def test_an_increment_adds_changes_and_deletes_and_all_of_it_is_taken_back(
    ledger: Connection, sites: CuratedDataset
) -> None:
    before = table_rows(sites)
    job = update(
        ledger,
        sites,
        [seen(3, 20, "renamed"), seen(4, 20), seen(20, 20), seen(5)],
        "v2",
        deletions=[deleted({7: 20, 8: 20}), deleted({8: 21, 9: 20, 900: 20})],
    )
    result = job.finalize()
    assert (result["action"], result["version"], result["delivers"]) == ("updated", 2, "increment")
    # Site 4 differs in nothing but when it was seen.
    assert result["changes"] == {"added": 1, "updated": 2, "deleted": 3, "unchanged": 1}
    assert (result["rows"], result["read"], result["loaded"], result["quarantined"]) == (
        18,
        4,
        4,
        0,
    )
    assert names(sites) == {
        **{f"S{number}": f"Site {number}" for number in range(21) if number not in (7, 8, 9)},
        "S3": "renamed",
    }
    assert current(ledger) == (2, 18)
    log = log_of(ledger, job)
    assert [log[f"records_{name}"] for name in ("added", "updated", "deleted", "total")] == [
        1,
        2,
        3,
        18,
    ]
    assert log["details"]["changes"]["deleted_sample"] == [
        {"key": {"site": key}} for key in ("S7", "S8", "S9")
    ]
    assert staged_tables(ledger) == 0

    back = versions.roll_back("sites", actor="an operator")
    assert table_rows(sites) == before
    assert (back["restores"], back["source_version"]) == (1, "v1")
    assert back["changes"] == {"added": 3, "updated": 2, "deleted": 1, "unchanged": 15}
    assert curated_repository.get(ledger, "sites").source_version == "v1"
    assert current(ledger) == (3, 20)


def test_the_same_increment_again_changes_nothing(
    ledger: Connection, sites: CuratedDataset
) -> None:
    rows, files = [seen(3, 20, "renamed"), seen(20, 20)], [deleted({7: 20})]
    update(ledger, sites, rows, "v2", deletions=files).finalize()
    before = table_rows(sites)
    job = update(ledger, sites, rows, "v3", deletions=files)
    result = job.finalize()
    assert (result["action"], result["version"]) == ("unchanged", 2)
    assert result["changes"] == {"added": 0, "updated": 0, "deleted": 0, "unchanged": 2}
    assert result["rows"] == 20
    assert table_rows(sites) == before
    assert current(ledger) == (2, 20)
    # The mark moves all the same, and the log says what came of it.
    assert curated_repository.get(ledger, "sites").source_version == "v3"
    log = log_of(ledger, job)
    assert (log["status"], log["published_version"], log["records_total"]) == (
        "completed",
        None,
        20,
    )
    assert [log[f"records_{name}"] for name in ("added", "updated", "deleted", "unchanged")] == [
        0,
        0,
        0,
        2,
    ]
    report = ledger.execute(
        "SELECT finished_at IS NOT NULL AS finished FROM app.vector_reports WHERE job_id = %s",
        (job.job_id,),
    ).fetchone()
    assert report == {"finished": True}
    assert job.finalize() == result
    assert staged_tables(ledger) == 0


def test_increments_of_nothing_push_no_version_out_of_what_is_kept(
    ledger: Connection, sites: CuratedDataset
) -> None:
    before = table_rows(sites)
    update(ledger, sites, [seen(20, 20)], "v2").finalize()
    for number in range(3, 3 + sites.keep_versions + 1):
        assert update(ledger, sites, version=f"v{number}").finalize()["action"] == "unchanged"
    back = versions.roll_back("sites", actor="an operator")
    assert (back["restores"], back["source_version"]) == (1, "v1")
    assert table_rows(sites) == before


def test_an_increment_that_brings_a_column_is_published(
    ledger: Connection, sites: CuratedDataset
) -> None:
    wider = FeatureTable(
        columns=(*SEEN.columns, Column(name="note", type=ColumnType.TEXT)), geometry=SEEN.geometry
    )
    row = seen(3)
    job = staged(ledger, sites, [(*row[:-1], "v2", row[-1])], "v2", shape=wider)
    job_result = job.finalize()
    assert (job_result["action"], job_result["version"]) == ("updated", 2)


def test_all_of_an_increment_may_be_deletions(ledger: Connection, sites: CuratedDataset) -> None:
    result = update(ledger, sites, version="v2", deletions=[deleted({0: 20, 19: 20})]).finalize()
    assert result["changes"] == {"added": 0, "updated": 0, "deleted": 2, "unchanged": 0}
    assert result["rows"] == 18
    assert names(sites).keys() == {f"S{number}" for number in range(1, 19)}


def test_a_snapshot_of_a_source_of_increments_removes_what_does_not_come_in(
    ledger: Connection, sites: CuratedDataset
) -> None:
    rows = [*ONE[:10], seen(10, 20, "renamed"), seen(30, 20)]
    result = update(
        ledger, sites, rows, "v2", delivers="snapshot", deletions=[deleted({2: 30})]
    ).finalize()
    assert result["delivers"] == "snapshot"
    assert result["changes"] == {"added": 1, "updated": 1, "deleted": 10, "unchanged": 9}
    assert names(sites).keys() == {"S0", "S1", *(f"S{number}" for number in range(3, 11)), "S30"}


def test_a_first_version_may_be_an_increment(ledger: Connection, sites: CuratedDataset) -> None:
    forget_all(ledger)
    fresh = register(
        ledger,
        dataset_id="sites",
        name="Sites",
        target_table_name="curated_sites",
        update_strategy="upsert",
        gates=OPEN_GATES,
    )
    job = update(ledger, fresh, ONE[:3], "1..2", deletions=[deleted({1: 20, 900: 20})])
    result = job.finalize()
    assert (result["action"], result["version"]) == ("updated", 1)
    assert result["changes"] == {"added": 2, "updated": 0, "deleted": 0, "unchanged": 0}
    assert names(fresh).keys() == {"S0", "S2"}
    assert staged_tables(ledger) == 0


def test_an_increment_widens_the_extent_and_a_deletion_narrows_it(
    ledger: Connection, sites: CuratedDataset
) -> None:
    def bbox() -> list[float]:
        row = ledger.execute("SELECT bbox FROM app.published_tables").fetchone()
        assert row is not None
        return [float(side) for side in row["bbox"]]

    west, south, east, north = bbox()
    far = [seen(50, 20, geom=square(100, 60))]
    assert update(ledger, sites, far, "v2").finalize()["rows"] == 21
    assert bbox() == [west, south, 101.0, 61.0]
    update(ledger, sites, version="v3", deletions=[deleted({50: 30, 0: 30})]).finalize()
    assert bbox() == [west + 2, south, east, north]


def test_a_held_increment_keeps_its_deletions_until_it_is_approved(
    ledger: Connection, sites: CuratedDataset
) -> None:
    set_gates(ledger, row_count_change_pct=5)
    job = update(ledger, sites, [seen(20, 20)], "v2", deletions=[deleted({1: 20, 2: 20, 3: 20})])
    version_id = hold(ledger, job)
    assert staged_tables(ledger) == 2
    holding.sweep()
    assert staged_tables(ledger) == 2
    (held,) = versions.versions_page("sites")["held"]
    assert (held["delivers"], held["changes"]["deleted"]) == ("increment", 3)
    assert held["changes"]["deleted_sample"] == [
        {"key": {"site": key}} for key in ("S1", "S2", "S3")
    ]

    begun = versions.submit_held("sites", version_id, actor="an operator")
    result = approve(begun.job_id, version_id)
    assert result["changes"] == {"added": 1, "updated": 0, "deleted": 3, "unchanged": 0}
    assert names(sites).keys() == {f"S{number}" for number in (0, *range(4, 21))}
    assert curated_repository.get(ledger, "sites").source_version == "v2"
    assert staged_tables(ledger) == 0
    assert approve(begun.job_id, version_id) == result


def test_a_held_increment_that_is_discarded_leaves_no_table(
    ledger: Connection, sites: CuratedDataset
) -> None:
    set_gates(ledger, row_count_change_pct=5)
    job = update(ledger, sites, version="v2", deletions=[deleted({1: 20, 2: 20})])
    versions.discard("sites", hold(ledger, job))
    assert staged_tables(ledger) == 0
    assert len(names(sites)) == 20


def test_a_held_increment_is_superseded_by_what_was_published_since(
    ledger: Connection, sites: CuratedDataset
) -> None:
    set_gates(ledger, row_count_change_pct=5)
    held = hold(ledger, update(ledger, sites, version="v2", deletions=[deleted({1: 20, 2: 20})]))
    begun = versions.submit_held("sites", held, actor="an operator")
    publish_beside(ledger, sites, [site(number) for number in range(20)])
    with pytest.raises(PermanentTaskError) as failure:
        approve(begun.job_id, held)
    assert failure.value.error_code == "superseded"


def test_an_increment_of_a_table_that_someone_dropped_is_no_first_version(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_gates(ledger, row_count_change_pct=5)
    held = hold(ledger, update(ledger, sites, version="v2", deletions=[deleted({1: 20, 2: 20})]))
    waiting = versions.submit_held("sites", held, actor="an operator")
    ledger.execute("DROP TABLE geo.curated_sites")
    with pytest.raises(PermanentTaskError, match="dropped") as failure:
        approve(waiting.job_id, held)
    assert failure.value.error_code == "superseded"


@pytest.mark.parametrize("step", ["assembled", "reviewed"])
def test_a_table_that_is_dropped_during_an_update_is_not_made_of_what_has_changed(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    job = update(ledger, sites, [seen(20, 20)], "v2")
    done = getattr(finalizing, f"_{step}")

    def and_drop(*args: Any) -> Any:
        found = done(*args)
        ledger.execute("DROP TABLE geo.curated_sites")
        return found

    monkeypatch.setattr(finalizing, f"_{step}", and_drop)
    with pytest.raises(PermanentTaskError, match="reads all of the source") as failure:
        job.finalize()
    assert failure.value.error_code == "superseded"


def test_days_of_a_table_that_was_dropped_before_are_a_first_version(
    ledger: Connection, sites: CuratedDataset
) -> None:
    ledger.execute("DROP TABLE geo.curated_sites")
    result = update(ledger, sites, [seen(20, 20)], "2026-01-01..2026-01-31").finalize()
    assert (result["action"], result["version"], result["rows"]) == ("updated", 2, 1)


def test_a_held_increment_that_changes_nothing_is_approved_as_that(
    ledger: Connection, sites: CuratedDataset
) -> None:
    set_gates(ledger, invalid_pct=5)
    held = hold(ledger, update(ledger, sites, [seen(3)], "v2", read=7))
    begun = versions.submit_held("sites", held, actor="an operator")
    result = approve(begun.job_id, held)
    assert (result["action"], result["version"]) == ("unchanged", 1)
    assert approve(begun.job_id, held) == result
    assert current(ledger) == (1, 20)
    assert curated_repository.get(ledger, "sites").source_version == "v2"
    assert staged_tables(ledger) == 0


def test_a_fault_of_a_small_increment_holds_none_of_it(
    ledger: Connection, sites: CuratedDataset
) -> None:
    set_gates(ledger, invalid_pct=5)
    job = update(ledger, sites, [seen(20, 20), seen(21, 20)], "v2", read=3)
    result = job.finalize()
    assert (result["action"], result["rows"], result["quarantined"]) == ("updated", 22, 1)
    (verdict,) = (gate for gate in result["gates"] if gate["gate"] == "invalid_pct")
    assert verdict["message"].startswith("1 of 3 records, 1% of the 100 that a small increment")


def test_an_increment_of_nothing_but_faults_is_held(
    ledger: Connection, sites: CuratedDataset
) -> None:
    set_gates(ledger, invalid_pct=5)
    hold(ledger, update(ledger, sites, [], "v2", read=3))
    assert curated_repository.get(ledger, "sites").source_version == "v1"


def test_a_snapshot_is_judged_by_all_of_its_few_records(
    ledger: Connection, sites: CuratedDataset
) -> None:
    set_gates(ledger, invalid_pct=5)
    hold(ledger, update(ledger, sites, ONE[:18], "v2", delivers="snapshot", read=20))


def test_a_dry_run_counts_deletions_and_leaves_nothing(
    ledger: Connection, sites: CuratedDataset
) -> None:
    before = table_rows(sites)
    job = update(ledger, sites, [seen(20)], "v2", deletions=[deleted({1: 20})], dry_run=True)
    result = job.finalize()
    assert result["action"] == "planned"
    assert result["changes"] == {"added": 1, "updated": 0, "deleted": 1, "unchanged": 0}
    assert log_of(ledger, job)["details"]["changes"]["deleted_sample"] == [{"key": {"site": "S1"}}]
    assert table_rows(sites) == before
    assert staged_tables(ledger) == 0
    assert curated_repository.get(ledger, "sites").source_version == "v1"


@pytest.mark.parametrize("crash", ["_reviewed", "_published"])
def test_deletions_survive_a_crash_between_the_steps(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch, crash: str
) -> None:
    job = update(ledger, sites, [seen(20)], "v2", deletions=[deleted({1: 20})])
    with monkeypatch.context() as patch:
        patch.setattr(finalizing, crash, lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            job.finalize()
    version = recorded.of_job(ledger, job.job_id)
    assert version is not None
    assert (version.delivers, version.deletions is None) == ("increment", False)
    assert job.finalize()["changes"] == {"added": 1, "updated": 0, "deleted": 1, "unchanged": 0}
    assert staged_tables(ledger) == 0


_STATES = st.dictionaries(st.integers(0, 6), st.integers(1, 4), max_size=5)


@settings(
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(st.tuples(_STATES, _STATES), min_size=1, max_size=4))
def test_any_history_of_increments_ends_as_the_last_word_on_every_key(
    ledger: Connection, sites: CuratedDataset, history: list[tuple[dict[int, int], dict[int, int]]]
) -> None:
    """Each increment gives sites a time at which they were seen, and others at which they went;
    of both for one site the later one counts, and a tie is a deletion."""
    base = [seen(number, 0) for number in range(4)]
    update(ledger, sites, base, "base", delivers="snapshot").finalize()
    wanted = dict.fromkeys(range(4), 0)
    kept = [(dict(wanted), table_rows(sites))]
    for number, (records, removals) in enumerate(history):
        rows = [seen(key, at) for key, at in records.items()]
        job = update(ledger, sites, rows, f"i{number}", deletions=[deleted(removals)])
        result = job.finalize()
        assert result["read"] == result["loaded"] + result["quarantined"]
        later = {key: at for key, at in records.items() if at > removals.get(key, 0)}
        gone = [key for key in removals if key not in later]
        wanted = {key: at for key, at in wanted.items() if key not in gone} | later
        rows_now = table_rows(sites)
        assert {row[1]: row[5] for row in rows_now} == {f"S{key}": at for key, at in wanted.items()}
        if result["action"] == "updated":
            kept.append((dict(wanted), rows_now))
    if len(kept) > 1:
        versions.roll_back("sites", actor="an operator")
        assert table_rows(sites) == kept[-2][1]


def with_iso3_as_text() -> FeatureTable:
    columns = [
        column.model_copy(update={"type": ColumnType.TEXT}) if column.name == "iso3" else column
        for column in SEEN.columns
    ]
    return SEEN.model_copy(update={"columns": tuple(columns)})


def test_columns_of_another_type_come_with_a_whole_version_and_with_no_increment(
    ledger: Connection, sites: CuratedDataset
) -> None:
    before = table_rows(sites)
    set_gates(ledger, refused_drift=[])
    retyped: dict[str, Any] = {"shape": with_iso3_as_text()}
    ours = [seen(number, 20, iso3="KEN") for number in range(21)]
    job = staged(ledger, sites, ours[20:], "v2", **retyped)
    with pytest.raises(PermanentTaskError, match="force_update") as failure:
        job.finalize()
    assert (failure.value.error_code, failure.value.details["column"]) == ("columns_differ", "iso3")
    fails(ledger, job, failure.value)
    assert table_rows(sites) == before

    staged(ledger, sites, ours, "v3", delivers="snapshot", **retyped).finalize()
    assert {row[4] for row in table_rows(sites)} == {"KEN"}
    assert current(ledger) == (2, 21)
    indexed = ledger.execute(
        "SELECT count(*) AS n FROM pg_indexes WHERE tablename = 'curated_sites'"
        " AND indexdef LIKE '%(iso3)'"
    ).fetchone()
    assert indexed == {"n": 1}
    versions.roll_back("sites", actor="an operator")
    assert table_rows(sites) == before
