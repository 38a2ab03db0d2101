"""The last stage of an update: rows put together, compared, judged, and published with the log."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from core.errors import PermanentTaskError, TransientTaskError
from core.models.curated import CuratedDataset
from core.models.feature_table import Column, ColumnType, FeatureTable
from infrastructure import curated_repository
from infrastructure import curated_updates_repository as updates_log
from infrastructure.database import Connection
from services.curated import assembling, finalizing, holding, publication
from services.curated import versions as versions_of_datasets
from tests.support.curated_datasets import forget_all, register
from tests.support.curated_update import (
    SITES,
    Staged,
    contents,
    fails,
    publish_beside,
    site,
    square,
    staged,
    use_handler,
)

SEVERAL = [site(number) for number in range(20)]


@pytest.fixture
def sites(ledger: Connection, monkeypatch: pytest.MonkeyPatch) -> CuratedDataset:
    """A dataset of sites, of which nothing is published; its files are somewhere else."""
    forget_all(ledger)
    use_handler(monkeypatch)
    monkeypatch.setattr(holding.file_store, "tidy", lambda *_args, **_options: 0)
    monkeypatch.setattr(holding.file_store, "dataset_ids", list)
    return register(
        ledger,
        dataset_id="sites",
        name="Sites",
        description="All sites",
        target_table_name="curated_sites",
        attribution="The site office",
        restricted=True,
        update_strategy="full_replace",
    )


def log_of(connection: Connection, job: Staged) -> dict[str, Any]:
    row = updates_log.of_job(connection, job.job_id)
    assert row is not None
    return row


def versions(connection: Connection) -> list[tuple[Any, ...]]:
    """(state, version, whether it has a staged table) of all versions of datasets."""
    rows = connection.execute(
        "SELECT state, version, staged IS NOT NULL AS is_staged FROM app.curated_versions"
        " ORDER BY version_id"
    ).fetchall()
    return [tuple(row.values()) for row in rows]


def tables_in(connection: Connection, schema: str) -> list[str]:
    rows = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", (schema,)
    ).fetchall()
    return [row["tablename"] for row in rows]


def test_a_first_version_is_published_with_all_that_belongs_to_it(
    ledger: Connection, sites: CuratedDataset
) -> None:
    job = staged(ledger, sites, SEVERAL, "May 2026", read=21)
    result = job.finalize()
    assert result["action"] == "updated"
    assert result["version"] == 1
    assert result["changes"] == {"added": 20, "updated": 0, "deleted": 0, "unchanged": 0}
    assert (result["rows"], result["read"], result["loaded"], result["quarantined"]) == (
        20,
        21,
        20,
        1,
    )
    assert all(gate["passed"] for gate in result["gates"])
    assert result["log_id"] == job.log_id
    assert len(contents(sites)) == 20

    dataset = curated_repository.get(ledger, "sites")
    assert dataset.source_version == "May 2026"
    assert dataset.last_updated_at is not None
    table = ledger.execute("SELECT * FROM app.published_tables").fetchone()
    assert table is not None
    assert (table["title"], table["attribution"], table["restricted"]) == (
        "Sites",
        "The site office",
        True,
    )
    assert table["source"] == "Sites, May 2026"
    assert table["key_columns"] == ["site"]
    log = log_of(ledger, job)
    assert (log["status"], log["published_version"], log["base_version"]) == ("completed", 1, None)
    assert (log["records_added"], log["records_total"], log["records_quarantined"]) == (20, 20, 1)
    assert log["completed_at"] is not None
    report = ledger.execute("SELECT counts, tables, finished_at FROM app.vector_reports").fetchone()
    assert report is not None
    assert report["tables"][0]["table"] == "geo.curated_sites"
    assert report["finished_at"] is not None
    assert ledger.execute("SELECT style_id FROM geo.feature_collection_styles").fetchall() == [
        {"style_id": "sites"}
    ]
    methods = ledger.execute(
        "SELECT indexdef FROM pg_indexes WHERE tablename = 'curated_sites' ORDER BY 1"
    ).fetchall()
    defined = " ".join(row["indexdef"] for row in methods)
    assert "gin (iso3)" in defined
    assert "btree (name)" in defined
    assert defined.count("gist") == 1
    assert tables_in(ledger, "geo_staging") == []
    assert versions(ledger) == [("published", 1, False)]


@pytest.mark.parametrize("strategy", ["full_replace", "upsert"])
def test_its_own_indexes_go_with_a_version_and_those_of_people_stay(
    ledger: Connection, sites: CuratedDataset, strategy: str
) -> None:
    let_pass(ledger, refused_drift=[])
    ledger.execute("UPDATE app.curated_datasets SET update_strategy = %s", (strategy,))
    staged(ledger, sites, SEVERAL).finalize()
    own = {"curated_sites_iso3_gf_idx", "curated_sites_name_gf_idx"}
    assert own < index_names(ledger)
    ledger.execute("CREATE INDEX by_area ON geo.curated_sites (area)")

    without_names = FeatureTable(
        columns=tuple(each for each in SITES.columns if each.name != "name"),
        geometry=SITES.geometry,
    )
    rows = [(key, area, iso3, geom) for key, _, area, iso3, geom in SEVERAL]
    staged(ledger, sites, rows, "v2", shape=without_names).finalize()
    found = index_names(ledger)
    assert {"by_area", "curated_sites_iso3_gf_idx"} < found
    # An upsert leaves the column where it is.
    assert ("curated_sites_name_gf_idx" in found) is (strategy == "upsert")
    versions_of_datasets.roll_back("sites", actor="x")
    assert {"by_area", *own} < index_names(ledger)


def test_an_upsert_that_brings_a_column_indexes_as_before(
    ledger: Connection, sites: CuratedDataset
) -> None:
    ledger.execute("UPDATE app.curated_datasets SET update_strategy = 'upsert'")
    staged(ledger, sites, SEVERAL).finalize()
    before = index_names(ledger)
    wider = FeatureTable(
        columns=(*SITES.columns, Column(name="note", type=ColumnType.TEXT)),
        geometry=SITES.geometry,
    )
    rows = [(*row[:-1], "v2", row[-1]) for row in SEVERAL]
    staged(ledger, sites, rows, "v2", shape=wider).finalize()
    assert index_names(ledger) == before


def test_the_next_version_is_counted_row_by_row(ledger: Connection, sites: CuratedDataset) -> None:
    staged(ledger, sites, SEVERAL).finalize()
    before = contents(sites)
    changed = [
        *SEVERAL[:10],
        site(10, "renamed"),
        site(11, geom=square(-58.0, -40.0, 1.0000001)),
        site(12, iso3=["KEN", "TZA"]),
        site(13, area=None),
        *SEVERAL[15:],
        site(20),
    ]
    job = staged(ledger, sites, changed, "v2")
    result = job.finalize()
    after = contents(sites)
    both = before.keys() & after.keys()
    # All but the version of the source: that it is another one is no change.
    differing = {key for key in both if _values(before[key]) != _values(after[key])}
    assert result["changes"] == {
        "added": len(after.keys() - before.keys()),
        "updated": len(differing),
        "deleted": len(before.keys() - after.keys()),
        "unchanged": len(both - differing),
    }
    assert result["changes"] == {"added": 1, "updated": 4, "deleted": 1, "unchanged": 15}
    log = log_of(ledger, job)
    assert [log[f"records_{name}"] for name in ("added", "updated", "deleted", "unchanged")] == [
        1,
        4,
        1,
        15,
    ]
    found = log["details"]["changes"]
    assert found["by"] == "key"
    assert found["added_sample"] == [{"key": {"site": "S20"}}]
    assert found["deleted_sample"] == [{"key": {"site": "S14"}}]
    assert {row["key"]["site"]: row["columns"] for row in found["updated_sample"]} == {
        "S10": ["name"],
        "S11": ["geom"],
        "S12": ["iso3"],
        "S13": ["area"],
    }


def test_layers_become_one_table_and_a_key_is_in_it_once(
    ledger: Connection, sites: CuratedDataset
) -> None:
    let_pass(ledger, invalid_pct=None)
    polygons = [site(number) for number in range(30)]
    points = [
        site(30, geom="POINT (1 1)"),
        site(3, "of the points", geom="POINT (2 2)"),
        site(31, geom="POINT (3 3)"),
    ]
    lines = [site(30, "again"), site(32)]
    result = staged(ledger, sites, layers=[points, polygons, lines]).finalize()
    found = contents(sites)
    assert len(found) == 33
    assert found["S3"][1] == "of the points"
    assert found["S30"][1] == "Site 30"
    assert (result["read"], result["loaded"], result["quarantined"]) == (35, 33, 2)
    aside = ledger.execute(
        "SELECT layer, source_row, reason, detail FROM app.vector_quarantine ORDER BY 1, 2"
    ).fetchall()
    assert [tuple(row.values()) for row in aside] == [
        (1, 4, "bad_value", "A record of layer 'layer 0' has the key (site)"),
        (2, 1, "bad_value", "A record of layer 'layer 0' has the key (site)"),
    ]
    gids = ledger.execute("SELECT gid FROM geo.curated_sites ORDER BY gid").fetchall()
    assert len({row["gid"] for row in gids}) == 33


def test_records_that_postgis_objects_to_are_mended_or_set_aside(
    ledger: Connection, sites: CuratedDataset
) -> None:
    let_pass(ledger, invalid_pct=None)
    bow_tie = "POLYGON ((0 0, 2 2, 2 0, 0 2, 0 0))"
    rows = [site(1), site(2, geom=bow_tie), site(1, "again"), (None, "no key", 1.0, [], square(5))]
    result = staged(ledger, sites, rows).finalize()
    assert (result["read"], result["loaded"], result["quarantined"]) == (4, 2, 2)
    valid = ledger.execute("SELECT bool_and(ST_IsValid(geom)) AS ok FROM geo.curated_sites")
    assert valid.fetchone() == {"ok": True}


def test_an_upsert_changes_only_the_rows_that_differ(
    ledger: Connection, sites: CuratedDataset
) -> None:
    ledger.execute("UPDATE app.curated_datasets SET update_strategy = 'upsert'")
    staged(ledger, sites, SEVERAL).finalize()
    oid = ledger.execute("SELECT 'geo.curated_sites'::regclass::oid AS oid").fetchone()
    rows = [*SEVERAL[:9], site(9, "renamed"), *SEVERAL[11:], site(20)]
    result = staged(ledger, sites, rows, "v2").finalize()
    assert result["changes"] == {"added": 1, "updated": 1, "deleted": 1, "unchanged": 18}
    found = contents(sites)
    assert found.keys() == {row[0] for row in rows}
    # A row that is as it was keeps the version that it came in.
    assert {row[4] for key, row in found.items() if key not in ("S9", "S20")} == {"v1"}
    assert (found["S9"][4], found["S20"][4]) == ("v2", "v2")
    assert ledger.execute("SELECT 'geo.curated_sites'::regclass::oid AS oid").fetchone() == oid


def test_an_increment_removes_nothing(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_handler(monkeypatch, delivers="increment")
    ledger.execute("UPDATE app.curated_datasets SET update_strategy = 'upsert'")
    staged(ledger, sites, SEVERAL).finalize()
    result = staged(ledger, sites, [site(3, "renamed"), site(20)], "v2").finalize()
    assert result["changes"] == {"added": 1, "updated": 1, "deleted": 0, "unchanged": 0}
    assert result["rows"] == 21
    assert len(contents(sites)) == 21


def test_an_upsert_wants_a_key(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_handler(monkeypatch, key_columns=())
    ledger.execute("UPDATE app.curated_datasets SET update_strategy = 'upsert'")
    job = staged(ledger, sites, SEVERAL, key_columns=())
    with pytest.raises(PermanentTaskError, match="key_columns"):
        job.finalize()


def test_a_table_without_a_key_gets_one_with_its_first_upsert(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_handler(monkeypatch, key_columns=())
    staged(ledger, sites, SEVERAL, key_columns=()).finalize()
    use_handler(monkeypatch)
    ledger.execute("UPDATE app.curated_datasets SET update_strategy = 'upsert'")
    rows = [*SEVERAL[:9], site(9, "renamed"), *SEVERAL[11:], site(20)]
    result = staged(ledger, sites, rows, "v2").finalize()
    assert result["changes"] == {"added": 1, "updated": 1, "deleted": 1, "unchanged": 18}
    assert contents(sites).keys() == {row[0] for row in rows}


def test_a_table_whose_rows_share_a_key_is_not_upserted(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_handler(monkeypatch, key_columns=())
    rows = [*SEVERAL, site(3, "again")]
    staged(ledger, sites, rows, key_columns=()).finalize()
    use_handler(monkeypatch)
    ledger.execute("UPDATE app.curated_datasets SET update_strategy = 'upsert'")
    with pytest.raises(PermanentTaskError, match="full_replace") as failure:
        staged(ledger, sites, SEVERAL, "v2", dry_run=True).finalize()
    assert failure.value.error_code == "keys_not_unique"


def test_without_keys_rows_are_compared_by_content(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_handler(monkeypatch, key_columns=())
    staged(ledger, sites, [*SEVERAL, site(5, area=1.5)], key_columns=()).finalize()
    rows = [*SEVERAL[:19], site(19, "renamed")]
    result = staged(ledger, sites, rows, "v2", key_columns=()).finalize()
    assert result["changes"] == {"added": 1, "updated": 0, "deleted": 2, "unchanged": 19}


def test_a_dry_run_says_what_would_change_and_leaves_nothing(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, SEVERAL).finalize()
    before = contents(sites)
    job = staged(ledger, sites, SEVERAL[:5], "v2", dry_run=True)
    result = job.finalize()
    assert result["action"] == "planned"
    assert result["version"] is None
    assert result["changes"] == {"added": 0, "updated": 0, "deleted": 15, "unchanged": 5}
    assert [gate["gate"] for gate in result["gates"] if not gate["passed"]] == [
        "row_count_change_pct",
        "extent_change_pct",
    ]
    assert contents(sites) == before
    assert tables_in(ledger, "geo_staging") == []
    log = log_of(ledger, job)
    assert (log["status"], log["dry_run"], log["published_version"]) == ("completed", True, None)
    assert log["details"]["changes"]["deleted"] == 15
    assert curated_repository.get(ledger, "sites").source_version == "v1"
    assert job.finalize() == result


def test_a_dry_run_whose_rows_others_discarded_says_so(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = staged(ledger, sites, SEVERAL, dry_run=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finalizing, "_reviewed", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            job.finalize()
    fails(ledger, job, PermanentTaskError("It was cancelled.", code="cancelled"))
    staged(ledger, sites, SEVERAL).finalize()
    with pytest.raises(PermanentTaskError) as failure:
        job.finalize()
    assert failure.value.error_code == "superseded"


def test_a_gate_holds_a_version_and_nothing_else_changes(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, SEVERAL).finalize()
    before = contents(sites)
    job = staged(ledger, sites, SEVERAL[:10], "v2")
    with pytest.raises(PermanentTaskError, match="row_count_change_pct") as failure:
        job.finalize()
    assert failure.value.error_code == "gate_failed"
    assert [gate["gate"] for gate in failure.value.details["gates"]] == [
        "row_count_change_pct",
        "extent_change_pct",
    ]
    assert contents(sites) == before
    assert versions(ledger) == [("published", 1, False), ("held", None, True)]
    found = log_of(ledger, job)["details"]
    assert [gate for gate in found["gates"] if not gate["passed"]] == failure.value.details["gates"]
    assert found["changes"]["deleted"] == 10
    holding.sweep()
    assert len(tables_in(ledger, "geo_staging")) == 1

    # An operator widens the gates and resumes the job.
    let_pass(ledger, row_count_change_pct=60, extent_change_pct=None)
    assert job.finalize()["version"] == 2
    assert len(contents(sites)) == 10


def test_the_next_version_that_passes_discards_the_one_that_is_held(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, SEVERAL).finalize()
    held = staged(ledger, sites, [], "v2")
    with pytest.raises(PermanentTaskError) as failure:
        held.finalize()
    fails(ledger, held, failure.value)
    staged(ledger, sites, [*SEVERAL, site(20)], "v3").finalize()
    assert versions(ledger) == [
        ("published", 1, False),
        ("discarded", None, False),
        ("published", 2, False),
    ]
    assert tables_in(ledger, "geo_staging") == []
    with pytest.raises(PermanentTaskError, match="discarded") as failure:
        held.finalize()
    assert failure.value.error_code == "superseded"


def test_columns_that_are_gone_or_have_another_type_hold_a_version(
    ledger: Connection, sites: CuratedDataset
) -> None:
    types = {"SITE": ColumnType.TEXT, "AREA": ColumnType.REAL, "NAME": ColumnType.TEXT}
    staged(ledger, sites, SEVERAL, source_columns=types).finalize()
    types = {"SITE": ColumnType.INTEGER, "AREA": ColumnType.REAL, "EXTRA": ColumnType.TEXT}
    job = staged(ledger, sites, SEVERAL, "v2", source_columns=types)
    with pytest.raises(PermanentTaskError) as failure:
        job.finalize()
    (verdict,) = failure.value.details["gates"]
    assert verdict["gate"] == "schema_drift"
    assert verdict["found"] == {
        "missing": {"NAME": "text"},
        "new": {"EXTRA": "text"},
        "retyped": {"SITE": "text -> bigint"},
    }


def test_what_was_prepared_for_another_version_is_not_published(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, SEVERAL).finalize()
    late = staged(ledger, sites, [*SEVERAL, site(20)], "v2")
    publish_beside(ledger, sites, SEVERAL[:3])
    with pytest.raises(PermanentTaskError, match="came between") as failure:
        late.finalize()
    assert failure.value.error_code == "superseded"
    assert tables_in(ledger, "geo_staging") == []
    assert versions(ledger)[-1] == ("discarded", None, False)
    assert published_version(ledger) == 2


def test_what_is_published_between_review_and_publication_stays(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged(ledger, sites, SEVERAL).finalize()
    late = staged(ledger, sites, [*SEVERAL, site(20)], "v2")
    review = finalizing._reviewed

    def overtaken(*args: Any) -> Any:
        found = review(*args)
        publish_beside(ledger, sites, SEVERAL[:3])
        return found

    monkeypatch.setattr(finalizing, "_reviewed", overtaken)
    with pytest.raises(PermanentTaskError) as failure:
        late.finalize()
    assert failure.value.error_code == "superseded"
    assert published_version(ledger) == 2


@pytest.mark.parametrize("crash", ["assembled", "reviewed", "published"])
def test_an_attempt_after_a_crash_goes_on_behind_what_was_committed(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch, crash: str
) -> None:
    staged(ledger, sites, SEVERAL).finalize()
    job = staged(
        ledger, sites, source_version="v2", layers=[SEVERAL[:12], [site(20), *SEVERAL[12:]]]
    )

    class Killed(BaseException):
        pass

    def die(*_args: Any, **_options: Any) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        if crash == "assembled":
            patch.setattr(finalizing, "_reviewed", die)
        elif crash == "reviewed":
            # With everything written, and not committed.
            patch.setattr(publication.seeding, "seed", die)
        else:
            patch.setattr(holding, "tidy", die)
        with pytest.raises(Killed):
            job.finalize()
    assert len(contents(sites)) == (21 if crash == "published" else 20)
    result = job.finalize()
    assert result["version"] == 2
    assert result["changes"] == {"added": 1, "updated": 0, "deleted": 0, "unchanged": 20}
    assert len(contents(sites)) == 21
    assert job.finalize() == result
    assert log_of(ledger, job)["published_version"] == 2
    holding.sweep()
    assert tables_in(ledger, "geo_staging") == []


def test_a_crash_while_rows_are_put_together_changes_nothing(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_pass(ledger, invalid_pct=None)
    job = staged(ledger, sites, layers=[SEVERAL[:12], SEVERAL[10:]])
    before = tables_in(ledger, "geo_staging")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assembling, "_record", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            job.finalize()
    assert tables_in(ledger, "geo_staging") == before
    assert versions(ledger) == []
    result = job.finalize()
    assert (result["rows"], result["quarantined"]) == (20, 2)


def test_rows_that_are_edited_between_review_and_publication_are_counted_anew(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.execute("UPDATE app.curated_datasets SET update_strategy = 'upsert'")
    staged(ledger, sites, SEVERAL).finalize()
    job = staged(ledger, sites, [*SEVERAL, site(20)], "v2")
    review = finalizing._reviewed

    def edited(*args: Any) -> Any:
        found = review(*args)
        ledger.execute("UPDATE geo.curated_sites SET name = 'by hand' WHERE site = 'S1'")
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finalizing, "_reviewed", edited)
        with pytest.raises(TransientTaskError, match="edited"):
            job.finalize()
    assert len(contents(sites)) == 20
    result = job.finalize()
    assert result["changes"] == {"added": 1, "updated": 1, "deleted": 0, "unchanged": 19}


def test_an_update_whose_log_has_ended_publishes_nothing(
    ledger: Connection, sites: CuratedDataset
) -> None:
    job = staged(ledger, sites, SEVERAL)
    fails(ledger, job, PermanentTaskError("It was cancelled.", code="cancelled"))
    with pytest.raises(PermanentTaskError) as failure:
        job.finalize()
    assert failure.value.error_code == "update_ended"
    assert tables_in(ledger, "geo") == ["feature_collection_styles"]


def _values(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*row[:4], row[5])


def let_pass(connection: Connection, **gates: Any) -> None:
    """Set the dataset's gates."""
    connection.execute("UPDATE app.curated_datasets SET gates = %s", (Jsonb(gates),))


def index_names(connection: Connection) -> set[str]:
    """The names of the published table's indexes."""
    rows = connection.execute(
        "SELECT indexname FROM pg_indexes WHERE schemaname = 'geo' AND tablename = 'curated_sites'"
    ).fetchall()
    return {row["indexname"] for row in rows}


def published_version(connection: Connection) -> int:
    row = connection.execute("SELECT version FROM app.published_tables").fetchone()
    assert row is not None
    return int(row["version"])
