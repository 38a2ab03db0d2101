"""WDPA and KBA, from a stand-in of IBAT to their published tables, release by release."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from core.models.curated import CuratedDataset
from infrastructure import curated_updates_repository, database
from infrastructure.database import Connection
from jobs.curated_update import JOB
from local.standins.archives import Form
from local.standins.ibat.server import Ibat
from local.standins.key_biodiversity_areas import KeyBiodiversityAreas, Vintage
from local.standins.protected_area_columns import Columns
from local.standins.protected_areas import ProtectedAreas
from local.standins.register import Change, Truth
from local.standins.shapes import Flaws
from tests.support.curated_datasets import forget_all, register
from tests.support.run_job import JobRun
from tests.support.settings import app_settings

AREAS = ProtectedAreas(
    polygons=250,
    points=30,
    vertices=15,
    flaws=Flaws(repairable=0.05, unrepairable=0.02),
    polygon_change=Change(added=8, edited=12, deleted=5),
    point_change=Change(added=2, edited=3, deleted=1),
)
KBAS = KeyBiodiversityAreas(polygons=120, points=12, vertices=15)
WDPA_TABLE, KBA_TABLE = "geo.curated_wdpa_protected_areas", "geo.curated_kbas"
_RUNS = itertools.count()


@pytest.fixture
def ibat() -> Iterator[Ibat]:
    with Ibat() as started:
        yield started


@pytest.fixture
def connection(
    ledger_url: str, blob_connection_string: str, tmp_path: Path, ibat: Ibat
) -> Iterator[Connection]:
    with (
        app_settings(
            DATABASE_URL=ledger_url,
            AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
            GEOFORGE_CURATED_CONTAINER=f"curated-ibat-{next(_RUNS)}",
            GEOFORGE_SOURCE_CACHE_DIR=str(tmp_path / "sources"),
            GEOFORGE_ALLOWED_HOSTS="127.0.0.1",
            **ibat.settings,
        ),
        database.connect(autocommit=True) as connection,
    ):
        forget_all(connection)
        yield connection


@pytest.fixture
def wdpa(connection: Connection) -> CuratedDataset:
    return register_one(connection, "wdpa", "curated_wdpa_protected_areas", handler="wdpa")


@pytest.fixture
def kbas(connection: Connection) -> CuratedDataset:
    # A release that leaves columns out is held for a person, unless this gate is open.
    gates = {"refused_drift": []}
    return register_one(connection, "kbas", "curated_kbas", handler="kba", gates=gates)


def register_one(connection: Connection, name: str, table: str, **fields: Any) -> CuratedDataset:
    return register(
        connection,
        dataset_id=name,
        source_url=None,
        target_table_name=table,
        credential_key="IBAT_AUTH_KEY",
        restricted=True,
        **fields,
    )


def update(connection: Connection, dataset: CuratedDataset, ibat: Ibat) -> Mapping[str, Any]:
    """Run an update to its end; its result, whose job is in the log as completed."""
    job = JobRun(JOB, next(_RUNS), dataset_id=dataset.dataset_id)
    result = job.run()
    assert result is not None
    row = curated_updates_repository.of_job(connection, job.job_id)
    assert row is not None
    assert row["status"] == "completed"
    assert ibat.leaks == []
    return result


def assert_true(result: Mapping[str, Any], truth: Truth) -> None:
    """The figures of an update are those that follow from the register."""
    assert result["action"] == "updated"
    assert result["changes"] == {
        "added": len(truth.added),
        "updated": len(truth.updated),
        "deleted": len(truth.deleted),
        "unchanged": len(truth.unchanged),
    }
    assert result["rows"] == result["loaded"] == truth.loaded
    assert result["quarantined"] == truth.unloadable
    assert result["read"] == truth.loaded + truth.unloadable


def rows(connection: Connection, table: str, key: str) -> dict[str, Any]:
    """What is published, by key."""
    found = connection.execute(f"SELECT *, GeometryType(geom) AS kind FROM {table}").fetchall()
    return {str(row[key]): row for row in found}


@pytest.mark.parametrize("form", list(Form))
def test_a_release_of_wdpa_follows_another(
    connection: Connection, wdpa: CuratedDataset, ibat: Ibat, tmp_path: Path, form: Form
) -> None:
    for number in (1, 2):
        release = AREAS.release(number)
        ibat.publish("wdpa", release.update_date, release.write(tmp_path, form))
        assert_true(
            update(connection, wdpa, ibat),
            AREAS.changes(None if number == 1 else number - 1, number),
        )
    published = rows(connection, WDPA_TABLE, "site_pid")
    assert published.keys() == AREAS.parcels(2).keys()
    assert {row["source_version"] for row in published.values()} == {"June 2023"}
    assert {row["kind"] for row in published.values()} == {"MULTIPOLYGON", "MULTIPOINT"}
    assert {row["realm"] for row in published.values()} == {"Terrestrial", "Coastal", "Marine"}
    assert {row["site_type"] for row in published.values()} == {"PA", "OECM"}
    assert None in {row["status_yr"] for row in published.values()}
    assert 0 not in {row["status_yr"] for row in published.values()}
    assert all(isinstance(row["iso3"], list) for row in published.values())


def test_the_new_columns_go_into_the_table_of_the_old_ones(
    connection: Connection, wdpa: CuratedDataset, ibat: Ibat, tmp_path: Path
) -> None:
    old, new = AREAS.release(1, Columns.UNTIL_2025), AREAS.release(2, Columns.SINCE_2025)
    ibat.publish("wdpa", old.update_date, old.write(tmp_path, Form.FILE_GEODATABASE))
    assert_true(update(connection, wdpa, ibat), AREAS.changes(None, 1))
    before = rows(connection, WDPA_TABLE, "site_pid")
    ibat.publish("wdpa", new.update_date, new.write(tmp_path, Form.FILE_GEODATABASE))
    truth = AREAS.changes(1, 2, all_new=True)
    assert_true(update(connection, wdpa, ibat), truth)
    after = rows(connection, WDPA_TABLE, "site_pid")
    # Columns that both schemas have hold the same, also where the values were codes.
    same = AREAS.changes(1, 2).unchanged
    assert same
    for key in same:
        for name in ("site_id", "name", "name_eng", "realm", "site_type", "iucn_cat", "status_yr"):
            assert (key, after[key][name]) == (key, before[key][name])
        assert after[key]["iso3"] == before[key]["iso3"]
        assert after[key]["prnt_iso3"] == before[key]["prnt_iso3"]
        assert (before[key]["govsubtype"], after[key]["sub_loc"]) == (None, None)
        assert after[key]["govsubtype"] == "Not Applicable"


def test_names_are_those_of_the_sites_in_every_script(
    connection: Connection, wdpa: CuratedDataset, ibat: Ibat, tmp_path: Path
) -> None:
    release = AREAS.release(1, Columns.UNTIL_2025)
    ibat.publish("wdpa", release.update_date, release.write(tmp_path, Form.SHAPEFILES))
    update(connection, wdpa, ibat)
    published = rows(connection, WDPA_TABLE, "site_pid").values()
    japanese = [row for row in published if "JPN" in row["iso3"]]
    assert japanese
    for row in japanese:
        assert not row["name"].isascii()
        assert row["name_eng"].isascii()
    shared = [row["iso3"] for row in published if len(row["iso3"]) > 1]
    assert all(len(code) == 3 for codes in shared for code in codes)


def test_a_release_of_kba_follows_another_in_other_columns(
    connection: Connection, kbas: CuratedDataset, ibat: Ibat, tmp_path: Path
) -> None:
    vintages = [Vintage.CAPITALS, Vintage.CAPITALS, Vintage.SINCE_2025]
    for number, vintage in enumerate(vintages, start=1):
        archive = KBAS.write(number, tmp_path, Form.SHAPEFILES, vintage)
        ibat.publish("kba", KBAS.update_date(number), archive)
        result = update(connection, kbas, ibat)
        if vintage is Vintage.CAPITALS:
            assert_true(result, KBAS.changes(None if number == 1 else number - 1, number))
    published = rows(connection, KBA_TABLE, "sit_rec_id")
    assert published.keys() == KBAS.sites(3).keys()
    # Columns that came with the newer release are filled, those that went with it are empty.
    assert {row["kba_class"] is None for row in published.values()} == {False}
    assert {row["added_date"] for row in published.values()} == {None}
    for row in published.values():
        is_point = row["kind"] == "MULTIPOINT"
        assert (row["area_km2"] is None, row["rep_area_km2"] is None) == (is_point, not is_point)


def test_styles_and_credit_come_with_the_table(
    connection: Connection, wdpa: CuratedDataset, ibat: Ibat, tmp_path: Path
) -> None:
    release = AREAS.release(1)
    ibat.publish("wdpa", release.update_date, release.write(tmp_path, Form.GEOPACKAGE))
    update(connection, wdpa, ibat)
    styles = connection.execute(
        "SELECT style_id, is_default FROM geo.feature_collection_styles"
        " WHERE collection_id = 'curated_wdpa_protected_areas' ORDER BY style_id"
    ).fetchall()
    assert [tuple(row.values()) for row in styles] == [("iucn-category", True), ("realm", False)]
