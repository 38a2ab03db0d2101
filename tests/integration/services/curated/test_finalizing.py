"""The last stage of an update: rows put together, compared, judged, and published with the log."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import PermanentTaskError
from core.models.curated import CuratedDataset
from core.models.feature_table import Column, ColumnType, FeatureTable
from infrastructure import curated_repository
from infrastructure.database import Connection
from services.curated import versions as versions_of_datasets
from tests.support.curated_sites import (
    SEVERAL,
    let_pass,
    log_of,
    registered_sites,
    tables_in,
    versions,
)
from tests.support.curated_update import SITES, contents, site, square, staged, use_handler


@pytest.fixture
def sites(ledger: Connection, monkeypatch: pytest.MonkeyPatch) -> CuratedDataset:
    return registered_sites(ledger, monkeypatch)


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


def _values(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*row[:4], row[5])


def index_names(connection: Connection) -> set[str]:
    """The names of the published table's indexes."""
    rows = connection.execute(
        "SELECT indexname FROM pg_indexes WHERE schemaname = 'geo' AND tablename = 'curated_sites'"
    ).fetchall()
    return {row["indexname"] for row in rows}
