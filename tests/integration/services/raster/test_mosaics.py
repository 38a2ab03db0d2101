"""The mosaic of a Collection as Items come to it: what it covers, and which files of it stay."""

from __future__ import annotations

import hashlib
from itertools import count
from typing import Any

import orjson
import pytest

from infrastructure import blob_storage, stac_loader
from infrastructure.stac_loader import CatalogLoad, LoadOutcome
from services.raster import catalog, mosaic
from services.raster.model import RasterType
from tests.support.raster_items import band, description, make_item, survey
from tests.support.stac_collection import new_container

pytestmark = pytest.mark.usefixtures("app")

JsonObject = dict[str, Any]
_jobs = count(1)


@pytest.fixture
def silver() -> str:
    return new_container("silver")


def nothing(*_: object) -> None:
    return None


def publish(container: str, *made: JsonObject, with_mosaic: bool = False) -> LoadOutcome:
    """Publish Items of the collection heights, by a job of their own."""
    return catalog.publish(
        hashlib.sha256(f"mosaic {next(_jobs)}".encode()).hexdigest(), "heights",
        lambda: iter(made), container=container, with_mosaic=with_mosaic, check=nothing,
        progress=nothing,
    )  # fmt: skip


def tile(name: str, container: str, place: int = 0, **more: Any) -> JsonObject:
    """An Item, `place` degrees east of the first."""
    west = 9.0 + place
    where = description(bbox=(west, 49.0, west + 1, 50.0), **more.pop("described", {}))
    return make_item(name, container=container, description=where, **more)


def href() -> str | None:
    """Where the mosaic of the Collection is, by the catalog."""
    asset = mosaic.asset_of(catalog.stored_collection("heights"))
    return None if asset is None else asset["href"]


def path_of(address: str | None, container: str) -> str:
    assert address is not None
    return address.partition(f"/{container}/")[2]


def listed(container: str) -> set[str]:
    """The COGs that the Collection's mosaic lists, by the ids of their Items."""
    document = orjson.loads(blob_storage.read_bytes(container, path_of(href(), container)))
    return {each.split("/")[-3] for hrefs in document["tiles"].values() for each in hrefs}


def mosaics_in(container: str) -> set[str]:
    names = blob_storage.container_client(container).list_blob_names(
        name_starts_with="heights/mosaic-"
    )
    return {name for name in names if name.endswith(".json") and name.count("/") == 1}


def test_an_item_of_one_job_comes_into_the_mosaic_of_another(silver: str) -> None:
    publish(silver, tile("a", silver), tile("b", silver, 1), with_mosaic=True)
    first = href()
    publish(silver, tile("c", silver, 2))
    assert listed(silver) == {"a", "b", "c"}
    asset = mosaic.asset_of(catalog.stored_collection("heights"))
    assert asset is not None
    assert asset["geoforge:predecessor"] == first


def test_a_collection_without_a_mosaic_gets_none_unasked(silver: str) -> None:
    publish(silver, tile("a", silver))
    assert href() is None
    assert mosaics_in(silver) == set()


def test_the_mosaic_and_the_one_before_stay_whoever_publishes(silver: str) -> None:
    publish(silver, tile("a", silver), with_mosaic=True)
    told = [href()]
    for place, name in enumerate("bcd", start=1):
        publish(silver, tile(name, silver, place))
        told.append(href())
    assert mosaics_in(silver) == {path_of(each, silver) for each in told[-2:]}


def test_a_mosaic_that_never_got_into_the_catalog_takes_no_ones_place(silver: str) -> None:
    publish(silver, tile("a", silver), with_mosaic=True)
    first = href()
    publish(silver, tile("b", silver, 1))
    second = href()
    # Of a job that failed after it had written its own.
    blob_storage.write_bytes(silver, "heights/mosaic-0123456789ab.json", b"{}")
    assert mosaic.remove_older(silver, "heights") == 1
    assert mosaics_in(silver) == {path_of(first, silver), path_of(second, silver)}


def test_the_same_items_again_keep_mosaic_and_predecessor(silver: str) -> None:
    publish(silver, tile("a", silver), with_mosaic=True)
    publish(silver, tile("b", silver, 1))
    before = mosaic.asset_of(catalog.stored_collection("heights"))
    kept = mosaics_in(silver)
    publish(silver, tile("b", silver, 1), with_mosaic=True)
    assert mosaic.asset_of(catalog.stored_collection("heights")) == before
    assert mosaics_in(silver) == kept


def test_files_of_an_item_called_mosaic_stay(silver: str) -> None:
    cog = tile("mosaic-x", silver)
    theirs = [
        cog["assets"]["data"]["href"].partition(f"/{silver}/")[2],
        "heights/mosaic-0123456789ab.json/0123456789ab/cog.tif",
        "heights/mosaic-0123456789ab.json.gz",
        "heights/mosaic-notes.json",
    ]
    for path in theirs:
        blob_storage.write_bytes(silver, path, b"bytes")
    publish(silver, cog, with_mosaic=True)
    for place, name in enumerate("abc", start=1):
        publish(silver, tile(name, silver, place))
    assert mosaic.remove_older(silver, "heights") == 0
    assert len(mosaics_in(silver) - set(theirs)) == 2
    for path in theirs:
        assert blob_storage.properties(silver, path) is not None, path


@pytest.mark.parametrize(
    "other",
    [
        {"survey": survey(RasterType.RGB)},
        {"described": {"bands": (band(), band(2))}},
        {"described": {"bands": (band(dtype="float32"),)}},
    ],
    ids=["type", "bands", "data type"],
)
def test_what_cannot_be_drawn_with_the_others_ends_the_mosaic(
    silver: str, other: JsonObject
) -> None:
    publish(silver, tile("a", silver), with_mosaic=True)
    publish(silver, tile("b", silver, 1, **other))
    assert href() is None
    publish(silver, tile("c", silver, 2), with_mosaic=True)
    assert href() is None
    publish(silver, tile("b", silver, 1), with_mosaic=True)
    assert listed(silver) == {"a", "b", "c"}


def test_items_that_do_not_say_what_they_are_are_not_in_it(silver: str) -> None:
    strange = tile("strange", silver, 1)
    del strange["properties"]["geoforge:raster_type"]
    publish(silver, tile("a", silver))
    stored = catalog.stored_collection("heights")
    assert stored is not None
    stac_loader.load(
        CatalogLoad(
            job_id=hashlib.sha256(b"an ingest").hexdigest(),
            collection_id="heights",
            compose=lambda _, __: stored,
            items=lambda: iter([strange]),
            overwrite=True,
            check=nothing,
            progress=nothing,
        )
    )
    publish(silver, tile("b", silver, 2), with_mosaic=True)
    assert listed(silver) == {"a", "b"}


def test_an_asset_of_that_name_that_is_somebody_elses_is_no_mosaic_of_ours() -> None:
    document = {"id": "heights", "assets": {"mosaic": {"href": "https://x/heights/mosaic.json"}}}
    assert mosaic.asset_of(document) is None
    assert mosaic.asset_of({"id": "heights"}) is None
    assert mosaic.asset_of(None) is None
