"""The STAC Collections of datasets: with what is published, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from psycopg.types.json import Jsonb
from pystac.validation import validate_dict
from stac_pydantic import Collection

from core.models.curated import CuratedDataset
from core.registry import registry as job_types
from infrastructure import database, locks
from infrastructure.database import Connection
from jobs.curated_publish import JOB as CURATED_PUBLISH
from services.curated import cataloguing, file_store, registry, versions
from services.ingest.documents import check_collection
from services.stac import catalog
from services.stac.links import Addresses
from services.stac.search_parameters import CollectionParameters, SearchParameters
from tests.support.curated_datasets import forget_all, register
from tests.support.curated_update import Staged, site, staged, use_handler

AT = Addresses("https://geoforge.test")
ONE = [site(number) for number in range(5)]
TWO = [*ONE, site(5), site(6)]


@pytest.fixture
def sites(ledger: Connection, monkeypatch: pytest.MonkeyPatch) -> CuratedDataset:
    """A dataset of which nothing is published."""
    forget_all(ledger)
    ledger.execute("DELETE FROM pgstac.collections")
    use_handler(monkeypatch)
    monkeypatch.setattr(file_store, "tidy", lambda *_args, **_options: 0)
    monkeypatch.setattr(job_types, "_definitions", dict(job_types._definitions))
    job_types._definitions.pop(CURATED_PUBLISH.name, None)
    job_types.register(CURATED_PUBLISH)
    return register(
        ledger,
        dataset_id="sites",
        name="Sites",
        description="Where things are.",
        source_url="https://data.example.org/sites.gpkg?user=7",
        attribution="The surveyors",
        target_table_name="curated_sites",
        gates={"row_count_change_pct": None, "extent_change_pct": None},
    )


def collections() -> dict[str, dict[str, Any]]:
    """The catalog, as it is served."""
    page = catalog.collections(CollectionParameters(), AT, {})
    return {each["id"]: each for each in page["collections"]}


def collection() -> dict[str, Any]:
    return collections()["curated_sites"]


@contextmanager
def an_ingest_at_work() -> Iterator[None]:
    """Another connection writes items: it has the turn to write to pgSTAC, and the lock on its
    collections that a new partition takes."""
    with database.connect() as other:
        locks.lock(other, locks.Space.PGSTAC_LOAD)
        other.execute("LOCK TABLE pgstac.collections IN SHARE ROW EXCLUSIVE MODE")
        yield
        other.rollback()


def test_what_is_published_is_in_the_catalog(ledger: Connection, sites: CuratedDataset) -> None:
    assert collections() == {}
    job = staged(ledger, sites, ONE)
    job.finalize()
    found = collection()
    check_collection(found)
    Collection.model_validate(found)
    assert validate_dict(found)  # against the schemas that pystac has with it
    assert (found["title"], found["description"]) == ("Sites", "Where things are.")
    assert found["license"] == "other"
    assert found["geoforge:licence"] == "Public domain"
    assert found["providers"][0] == {
        "name": "The surveyors",
        "roles": ["producer", "licensor"],
        "url": "https://data.example.org/",
    }
    assert found["summaries"] == {"rows": [5], "version": [1], "source_version": ["v1"]}
    published = ledger.execute("SELECT bbox FROM app.published_tables").fetchone()
    assert published is not None
    assert found["extent"]["spatial"]["bbox"] == [list(published["bbox"])]
    [[start, end]] = found["extent"]["temporal"]["interval"]
    assert (start, end) == (found["updated"], None)
    assert {name: asset["href"] for name, asset in found["assets"].items()} == {
        "features": f"{AT.base}/api/features/collections/curated_sites/items",
        "tiles": f"{AT.base}/api/tiles/curated_sites/tilejson.json",
        "style": f"{AT.base}/api/styles/curated_sites",
        "report": f"{AT.base}/api/vector/reports/{job.job_id}",
    }
    via = [each["href"] for each in found["links"] if each["rel"] == "via"]
    assert via == ["https://data.example.org/sites.gpkg"]


@pytest.mark.parametrize(
    ("licence", "identifier", "link"),
    [
        ("CC-BY-4.0", "CC-BY-4.0", "https://spdx.org/licenses/CC-BY-4.0.html"),
        ("No redistribution (https://e.org/terms).", "other", "https://e.org/terms"),
        ("Public domain", "other", None),
        (None, "other", None),
    ],
)
def test_its_licence_is_named_and_linked(
    ledger: Connection,
    sites: CuratedDataset,
    licence: str | None,
    identifier: str,
    link: str | None,
) -> None:
    staged(ledger, sites, ONE).finalize()
    ledger.execute("UPDATE app.curated_versions SET licence = %s", (licence,))
    cataloguing.refresh()
    found = collection()
    Collection.model_validate(found)
    assert (found["license"], found["geoforge:licence"]) == (identifier, licence)
    links = [each["href"] for each in found["links"] if each["rel"] == "license"]
    assert links == ([] if link is None else [link])


def test_it_can_be_asked_for_what_it_has_not(ledger: Connection, sites: CuratedDataset) -> None:
    staged(ledger, sites, ONE).finalize()
    assert catalog.collection("curated_sites", AT) == collection()
    assert catalog.items("curated_sites", SearchParameters(), AT, {})["features"] == []
    assert catalog.search(SearchParameters(collections=["curated_sites"]), AT, {})["features"] == []
    assert catalog.queryables(AT, "curated_sites")["type"] == "object"
    children = [
        each["title"] for each in catalog.landing_page(AT)["links"] if each["rel"] == "child"
    ]
    assert children == ["Sites"]


def test_it_goes_along_with_updates_and_rollbacks(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, ONE).finalize()
    first = collection()
    staged(ledger, sites, TWO, "v2").finalize()
    second = collection()
    assert second["summaries"] == {"rows": [7], "version": [2], "source_version": ["v2"]}
    assert second["updated"] > first["updated"]
    assert second["created"] == first["created"]
    versions.roll_back("sites", actor="an operator")
    assert collection()["summaries"] == {"rows": [5], "version": [3], "source_version": ["v1"]}


def test_a_publication_that_is_undone_leaves_no_trace(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = cataloguing.keep

    def fail_afterwards(connection: Connection, dataset: CuratedDataset) -> None:
        keep(connection, dataset)
        raise RuntimeError("the worker died")

    monkeypatch.setattr(cataloguing, "keep", fail_afterwards)
    job: Staged = staged(ledger, sites, ONE)
    with pytest.raises(RuntimeError):
        job.finalize()
    assert collections() == {}


def test_a_dry_run_leaves_it_alone(ledger: Connection, sites: CuratedDataset) -> None:
    staged(ledger, sites, ONE, dry_run=True).finalize()
    assert collections() == {}


def test_what_people_are_told_counts_at_once(ledger: Connection, sites: CuratedDataset) -> None:
    staged(ledger, sites, ONE).finalize()
    registry.replace("sites", {**registry.view("sites"), "name": "Places", "restricted": True})
    assert collection()["title"] == "Places"
    assert collection()["geoforge:restricted"] is True


@pytest.mark.parametrize("drop", [False, True])
def test_it_stays_as_long_as_the_table(
    ledger: Connection, sites: CuratedDataset, drop: bool
) -> None:
    staged(ledger, sites, ONE).finalize()
    registry.delete("sites", drop=drop)
    cataloguing.refresh()
    assert ("curated_sites" in collections()) is not drop


def test_a_publication_does_not_wait_for_an_ingest(
    ledger: Connection, sites: CuratedDataset
) -> None:
    with an_ingest_at_work():
        assert staged(ledger, sites, ONE).finalize()["action"] == "updated"
        cataloguing.refresh()
        assert collections() == {}
    cataloguing.refresh()
    assert collection()["summaries"]["version"] == [1]
    with an_ingest_at_work():
        registry.delete("sites", drop=True)
        assert "curated_sites" in collections()
    cataloguing.refresh()
    assert collections() == {}


def test_nor_for_a_writer_that_takes_no_turns(ledger: Connection, sites: CuratedDataset) -> None:
    with database.connect() as other:
        other.execute("LOCK TABLE pgstac.collections IN SHARE ROW EXCLUSIVE MODE")
        assert staged(ledger, sites, ONE).finalize()["action"] == "updated"
        other.rollback()
    assert collections() == {}
    cataloguing.refresh()
    assert "curated_sites" in collections()


def test_a_collection_that_somebody_ingested_is_left_alone(
    ledger: Connection, sites: CuratedDataset
) -> None:
    theirs = {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": "curated_sites",
        "description": "Images.",
        "license": "CC0-1.0",
        "extent": {
            "spatial": {"bbox": [[0, 0, 1, 1]]},
            "temporal": {"interval": [["2020-01-01T00:00:00Z", None]]},
        },
        "links": [],
    }
    ledger.execute("SELECT pgstac.create_collection(%s)", (Jsonb(theirs),))
    assert staged(ledger, sites, ONE).finalize()["action"] == "updated"
    cataloguing.refresh()
    assert collection()["description"] == "Images."
    registry.delete("sites", drop=True)
    assert collection()["description"] == "Images."


def test_nothing_is_written_again_that_has_not_changed(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, ONE).finalize()
    query = "SELECT xmin::text AS row_version FROM pgstac.collections"
    before = ledger.execute(query).fetchall()
    cataloguing.refresh()
    assert ledger.execute(query).fetchall() == before
