"""ingest_collection as a whole, on real blob storage and a real pgSTAC."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from core.errors import PermanentTaskError
from infrastructure import blob_storage
from infrastructure.blob_lookup import head
from jobs.ingest_collection import JOB
from tests.integration.services.ingest.conftest import RunIngest, item_ids, rows
from tests.support.run_job import JobRun, TaskFailed
from tests.support.stac_collection import (
    cog,
    dumps,
    make_collection,
    make_item,
    new_container,
    plain_geotiff,
)

_DATA = Path(os.environ.get("GEOFORGE_DATA", Path(__file__).parents[5] / "shared" / "data"))
_CDL = _DATA / "5_stac" / "usda_cdl"


def failure(run: JobRun) -> PermanentTaskError:
    """The permanent error that the job fails with."""
    with pytest.raises(TaskFailed) as caught:
        run.run()
    cause = caught.value.__cause__
    assert isinstance(cause, PermanentTaskError), repr(cause)
    return cause


def test_a_collection_is_copied_and_registered(ingest: RunIngest, bronze: str, silver: str) -> None:
    collection = make_collection(bronze, items=5)
    collection.write()
    result = ingest(batch_size=2, h3_theme="landcover")

    assert result["items_read"] == result["items_registered"] == result["items_new"] == 5
    assert result["assets"] == {
        "total": 5, "copied": 5, "skipped": 0, "external": 0, "bytes_copied": 5 * len(cog())
    }  # fmt: skip
    assert result["cogs"]["valid"] == result["cogs"]["checked"] == 5
    assert result["changed"]
    assert item_ids("tiles") == {f"tiles-{number:05}" for number in range(5)}

    item = rows("SELECT pgstac.get_item('tiles-00003', 'tiles') AS item")[0]["item"]
    href = item["assets"]["data"]["href"]
    assert href == blob_storage.blob_client(silver, "data/tiles-00003.tif").url
    assert "sig=" not in href
    assert item["links"] == []
    assert blob_storage.read_bytes(silver, "data/tiles-00003.tif") == cog()


def test_the_collection_says_what_its_items_are(ingest: RunIngest, bronze: str) -> None:
    collection = make_collection(bronze, items=4)
    collection.write()
    ingest()
    stored = rows("SELECT pgstac.get_collection('tiles') AS c")[0]["c"]

    boxes = [item["bbox"] for item in collection.items.values()]
    times = sorted(item["properties"]["datetime"] for item in collection.items.values())
    assert stored["extent"] == {
        "spatial": {
            "bbox": [[
                min(b[0] for b in boxes), min(b[1] for b in boxes),
                max(b[2] for b in boxes), max(b[3] for b in boxes),
            ]]
        },
        "temporal": {"interval": [[times[0], times[-1]]]},
    }  # fmt: skip
    covers = [item["properties"]["eo:cloud_cover"] for item in collection.items.values()]
    assert stored["summaries"]["eo:cloud_cover"] == {
        "minimum": min(covers), "maximum": max(covers)
    }  # fmt: skip
    assert set(stored["summaries"]["platform"]) <= {"alpha", "beta"}
    assert stored["item_assets"]["data"]["roles"] == ["data"]
    assert [link["rel"] for link in stored["links"]] == ["about"]


def test_the_source_catalog_has_an_entry(ingest: RunIngest, bronze: str) -> None:
    make_collection(bronze).write()
    ingest(h3_theme="landcover")
    entry = rows(
        "SELECT *, ST_AsText(ST_Envelope(spatial_extent)) AS place FROM h3.source_catalog"
    )[0]
    assert entry["id"] == entry["collection_id"] == "tiles"
    assert entry["source_type"] == "stac_collection"
    assert (entry["theme"], entry["asset_key"], entry["band_count"]) == ("landcover", "data", 1)
    assert (entry["native_resolution_m"], entry["crs"]) == (10.0, "EPSG:32631")
    assert (entry["data_type"], entry["nodata_value"]) == ("uint8", 0.0)


def test_running_it_again_changes_nothing_and_says_so(ingest: RunIngest, bronze: str) -> None:
    make_collection(bronze, items=4).write()
    ingest(h3_theme="landcover")
    before = rows("SELECT * FROM pgstac.items ORDER BY id")
    catalog = rows("SELECT * FROM h3.source_catalog")

    again = ingest(h3_theme="landcover")
    assert again["changed"] is False
    assert again["message"].startswith("Nothing changed")
    assert (again["items_registered"], again["items_unchanged"]) == (4, 4)
    assert (again["assets"]["copied"], again["assets"]["skipped"]) == (0, 4)
    assert rows("SELECT * FROM pgstac.items ORDER BY id") == before
    assert rows("SELECT * FROM h3.source_catalog") == catalog


def test_every_broken_item_is_quarantined_with_its_reason(ingest: RunIngest, bronze: str) -> None:
    collection = make_collection(bronze, items=2)
    good = collection.paths[0]
    collection.link("./items/gone/gone.json")
    collection.items["items/text.json"] = {}
    collection.link("items/text.json")
    collection.link("https://example.com/elsewhere.json")
    collection.link("../../etc/passwd.json")
    no_time = collection.add("no-time")
    collection.items[no_time]["properties"].pop("datetime")
    naive = collection.add("naive")
    collection.items[naive]["properties"]["datetime"] = "2020-01-01T00:00:00"
    old = collection.add("old")
    collection.items[old]["stac_version"] = "0.9.0"
    nul = collection.add("nul")
    collection.items[nul]["properties"]["note"] = "a\x00b"
    bare = collection.add("bare")
    collection.items[bare]["assets"] = {}
    collection.add("lost")
    del collection.blobs["data/lost.tif"]
    climbing = collection.add("climbing")
    collection.items[climbing]["assets"]["data"]["href"] = "../../../secret.tif"
    double = collection.add("double")
    collection.items[double]["id"] = collection.items[good]["id"]
    foreign = collection.add("foreign")
    collection.items[foreign]["collection"] = "somebody-elses"
    collection.write()
    blob_storage.write_bytes(bronze, "items/text.json", b"{ not json")

    result = ingest()
    reasons = {each["href"]: each["reason"] for each in result["quarantined"]}
    assert reasons == {
        "./items/gone/gone.json": "missing_sidecar",
        "items/text.json": "unreadable_sidecar",
        "https://example.com/elsewhere.json": "outside_container",
        "../../etc/passwd.json": "outside_container",
        no_time: "invalid_item",
        naive: "invalid_item",
        old: "invalid_item",
        nul: "invalid_item",
        bare: "no_assets",
        "items/lost/lost.json": "missing_asset",
        climbing: "outside_container",
        double: "duplicate_id",
        foreign: "other_collection",
    }
    messages = {each["href"]: each["message"] for each in result["quarantined"]}
    assert "datetime" in messages[no_time]
    assert "data/lost.tif" in messages["items/lost/lost.json"]
    assert result["items_read"] == 15
    assert result["items_registered"] == 2
    assert result["items_quarantined"] == 13 == sum(result["quarantine_by_reason"].values())
    assert item_ids("tiles") == {"tiles-00000", "tiles-00001"}


def test_strict_fails_before_anything_is_copied(bronze: str) -> None:
    collection = make_collection(bronze)
    del collection.blobs["data/tiles-00001.tif"]
    collection.write()
    error = failure(
        JobRun(JOB, source_container=bronze, target_container="silver-strict", strict=True)
    )
    assert error.error_code == "items_quarantined"
    assert "tiles-00001" in error.message
    assert "1 of 3 items" in error.message
    assert not blob_storage.container_exists("silver-strict")
    assert rows("SELECT FROM pgstac.collections") == []


def test_links_are_followed_through_catalogs_and_item_collections(
    ingest: RunIngest, bronze: str
) -> None:
    collection = make_collection(bronze, items=1)
    collection.link("./deep/catalog.json", rel="child")
    collection.link("all/items.json", rel="item")
    url = blob_storage.blob_client(bronze, "absolute.json").url
    collection.link(f"{url}?sv=1&sig=secret")
    collection.link("/rooted.json")
    collection.write()

    def put(path: str, document: dict[str, Any]) -> None:
        blob_storage.write_bytes(bronze, path, dumps(document))

    nested = {"type": "Catalog", "stac_version": "1.0.0", "id": "deep", "description": "d"}
    back = {"rel": "child", "href": "../collection.json"}
    around = {"rel": "child", "href": "./catalog.json"}
    down = {"rel": "child", "href": "further/down/collection.json"}
    put("deep/catalog.json", {**nested, "links": [back, around, down]})
    child = {**collection.document, "id": "a-child", "links": []}
    child["links"] = [
        {"rel": "child", "href": "../../catalog.json"},
        {"rel": "item", "href": "in the depth.json"},
    ]
    put("deep/further/down/collection.json", child)
    put("deep/further/down/in the depth.json", make_item("deep", "a-child", "x%20y.tif"))
    blob_storage.write_bytes(bronze, "deep/further/down/x y.tif", cog())
    features = [make_item(f"member-{n}", None, "../data/tiles-00000.tif") for n in range(3)]
    put("all/items.json", {"type": "FeatureCollection", "features": [*features, "nonsense"]})
    put("absolute.json", make_item("absolute", "tiles", "/data/tiles-00000.tif"))
    put("rooted.json", make_item("rooted", "tiles", "data/tiles-00000.tif"))

    result = ingest()
    assert result["quarantine_by_reason"] == {"invalid_item": 1}
    assert item_ids("tiles") == {
        "tiles-00000", "deep", "member-0", "member-1", "member-2", "absolute", "rooted"
    }  # fmt: skip
    # One file that five items share is checked once.
    assert result["cogs"]["checked"] == 2
    assert result["assets"]["total"] == 7


def test_assets_elsewhere_stay_as_they_are(ingest: RunIngest, bronze: str) -> None:
    collection = make_collection(bronze, items=1)
    elsewhere = "https://example.com/a/thumbnail.png?x=1"
    (item,) = collection.items.values()
    item["assets"]["thumbnail"] = {"href": elsewhere, "type": "image/png"}
    item["assets"]["cloud"] = {"href": "s3://bucket/key.tif", "type": "image/tiff"}
    collection.write()
    result = ingest()
    stored = rows("SELECT pgstac.get_item('tiles-00000', 'tiles') AS item")[0]["item"]
    assert stored["assets"]["thumbnail"]["href"] == elsewhere
    assert stored["assets"]["cloud"]["href"] == "s3://bucket/key.tif"
    assert (result["assets"]["external"], result["assets"]["copied"]) == (2, 1)


def test_linked_files_and_the_collections_own_assets_come_along(
    ingest: RunIngest, bronze: str, silver: str
) -> None:
    collection = make_collection(bronze, items=1)
    collection.document["links"].append({"rel": "license", "href": "./LICENSE.txt"})
    collection.document["links"].append({"rel": "describedby", "href": "./gone.pdf"})
    collection.document["assets"] = {
        "thumbnail": {"href": "./thumb.png", "type": "image/png"},
        "missing": {"href": "./missing.png"},
    }
    collection.blobs |= {"LICENSE.txt": b"free", "thumb.png": b"png"}
    collection.write()
    result = ingest()
    stored = rows("SELECT pgstac.get_collection('tiles') AS c")[0]["c"]
    hrefs = {link["rel"]: link["href"] for link in stored["links"]}
    assert hrefs == {
        "about": "https://example.com/tiles",
        "license": blob_storage.blob_client(silver, "LICENSE.txt").url,
    }
    assert list(stored["assets"]) == ["thumbnail"]
    assert stored["assets"]["thumbnail"]["href"].endswith(f"{silver}/thumb.png")
    assert "'missing'" in result["warnings"][0]


def test_what_is_not_a_cog_is_reported_and_registered(ingest: RunIngest, bronze: str) -> None:
    collection = make_collection(bronze, items=1)
    vrt = b'<VRTDataset rasterXSize="4" rasterYSize="4"><SRS>EPSG:4326</SRS></VRTDataset>'
    collection.add("strips", data=plain_geotiff())
    collection.add("truncated", data=cog(1, 512)[:-2000])
    collection.add("garbage", data=b"II*\0" + b"\xff" * 500)
    collection.add("empty", data=b"")
    collection.add("vrt", data=vrt)
    collection.write()
    result = ingest()
    assert (result["cogs"]["checked"], result["cogs"]["valid"]) == (6, 1)
    reasons = {each["item_id"]: " ".join(each["reasons"]) for each in result["cogs"]["invalid"]}
    assert reasons.keys() == {"strips", "truncated", "garbage", "empty", "vrt"}
    assert "not tiled" in reasons["strips"]
    assert "truncated" in reasons["truncated"]
    assert "cannot be read as one: it is damaged" in reasons["garbage"]
    assert reasons["empty"] == "The file is empty."
    assert reasons["vrt"] == "The file is not a GeoTIFF."
    assert "/vsi" not in str(result["cogs"])
    about = "5 of 6 GeoTIFFs are not valid COGs: see cogs.invalid."
    assert result["message"].endswith(about)
    assert result["warnings"] == [about]
    assert result["items_registered"] == 6


def test_a_target_that_differs_is_kept_unless_overwrite(
    ingest: RunIngest, bronze: str, silver: str
) -> None:
    make_collection(bronze, items=2).write()
    blob_storage.write_bytes(silver, "data/tiles-00001.tif", b"precious")
    result = ingest()
    assert result["quarantine_by_reason"] == {"target_exists": 1}
    assert blob_storage.read_bytes(silver, "data/tiles-00001.tif") == b"precious"
    assert result["message"] == (
        "1 item differs from what is there already and stayed out; set overwrite to replace that. "
        "Registered 1 item in tiles: 1 new, 0 updated, 0 unchanged; 1 quarantined."
    )
    assert item_ids("tiles") == {"tiles-00000"}

    result = ingest(overwrite=True)
    assert result["items_new"] == 1
    assert blob_storage.read_bytes(silver, "data/tiles-00001.tif") == cog()


def test_a_registered_item_that_differs_is_kept_unless_overwrite(
    ingest: RunIngest, bronze: str
) -> None:
    collection = make_collection(bronze, items=3)
    collection.write()
    ingest()
    path = collection.paths[1]
    collection.items[path]["properties"]["platform"] = "gamma"
    # Another month: another partition, if the collection were cut by time.
    collection.items[path]["properties"]["datetime"] = "2024-01-01T00:00:00Z"
    collection.write()

    kept = ingest()
    assert (kept["items_unchanged"], kept["quarantine_by_reason"]) == (2, {"target_exists": 1})
    assert kept["changed"] is False
    assert rows("SELECT FROM pgstac.items WHERE content->'properties'->>'platform' = 'gamma'") == []

    replaced = ingest(overwrite=True)
    assert (replaced["items_updated"], replaced["items_unchanged"]) == (1, 2)
    assert replaced["changed"] is True
    assert len(rows("SELECT FROM pgstac.items")) == 3
    stored = rows("SELECT pgstac.get_collection('tiles') AS c")[0]["c"]
    assert "gamma" in stored["summaries"]["platform"]
    assert stored["extent"]["temporal"]["interval"][0][1] == "2024-01-01T00:00:00Z"


def test_items_move_between_partitions_without_being_doubled(
    ingest: RunIngest, bronze: str
) -> None:
    collection = make_collection(bronze, items=3)
    collection.write()
    ingest()
    rows("UPDATE pgstac.collections SET partition_trunc = 'month' WHERE id = 'tiles' RETURNING 1")
    for item in collection.items.values():
        item["properties"]["datetime"] = "2025-06-01T00:00:00Z"
    collection.write()
    result = ingest(overwrite=True)
    assert result["items_updated"] == 3
    assert len(rows("SELECT FROM pgstac.items")) == 3


def test_an_override_of_the_id_leaves_the_source_as_it_is(ingest: RunIngest, bronze: str) -> None:
    make_collection(bronze, items=2).write()
    result = ingest(collection_id="renamed")
    assert result["collection_id"] == "renamed"
    assert item_ids("renamed") == {"tiles-00000", "tiles-00001"}
    assert rows("SELECT id FROM pgstac.collections") == [{"id": "renamed"}]


def test_a_second_source_adds_to_the_collection(ingest: RunIngest, bronze: str) -> None:
    make_collection(bronze, items=2).write()
    ingest()
    other = new_container()
    more = make_collection(other, items=0)
    path = more.add("another")
    more.items[path]["properties"]["platform"] = "omega"
    more.items[path]["bbox"] = [100, 0, 101, 1]
    more.write()
    result = ingest(source_container=other)
    assert (result["items_new"], result["items_registered"]) == (1, 1)
    assert len(item_ids("tiles")) == 3
    stored = rows("SELECT pgstac.get_collection('tiles') AS c")[0]["c"]
    assert stored["extent"]["spatial"]["bbox"][0][2] == 101
    assert stored["extent"]["spatial"]["bbox"][0][0] < 21
    assert "omega" in stored["summaries"]["platform"]
    assert len(stored["summaries"]["platform"]) > 1


@pytest.mark.parametrize(
    ("document", "code", "culprit"),
    [
        (b"{", "invalid_collection", "not valid JSON"),
        (b"[]", "invalid_collection", "not a JSON object"),
        (b'{"type": "Feature"}', "invalid_collection", "type"),
        (b'{"type": "Collection", "stac_version": "0.6.0"}', "invalid_collection", "stac_version"),
        (b'{"type": "Collection", "stac_version": "1.0.0"}', "invalid_collection", "id"),
        (None, "blob_not_found", "collection.json"),
    ],
)
def test_a_broken_collection_is_named(
    bronze: str, silver: str, document: bytes | None, code: str, culprit: str
) -> None:
    if document is not None:
        blob_storage.write_bytes(bronze, "collection.json", document)
    error = failure(JobRun(JOB, source_container=bronze, target_container=silver))
    assert error.error_code == code
    assert culprit in error.message
    assert bronze in error.message


def test_an_empty_collection_fails(bronze: str, silver: str) -> None:
    make_collection(bronze, items=0).write()
    error = failure(JobRun(JOB, source_container=bronze, target_container=silver))
    assert error.error_code == "empty_collection"
    assert rows("SELECT FROM pgstac.collections") == []


def test_a_collection_without_a_good_item_fails_and_says_why(bronze: str, silver: str) -> None:
    collection = make_collection(bronze, items=1)
    collection.blobs.clear()
    collection.write()
    error = failure(JobRun(JOB, source_container=bronze, target_container=silver))
    assert error.error_code == "nothing_to_register"
    assert "data/tiles-00000.tif" in error.message
    assert rows("SELECT FROM pgstac.collections") == []


def test_missing_containers_are_named(bronze: str) -> None:
    make_collection(bronze).write()
    error = failure(JobRun(JOB, source_container="no-such-place", target_container="silver-x"))
    assert error.error_code == "container_not_found"
    assert "no-such-place" in error.message
    error = failure(
        JobRun(
            JOB,
            source_container=bronze,
            target_container="silver-never",
            create_target_container=False,
        )
    )
    assert error.error_code == "container_not_found"
    assert "silver-never" in error.message
    assert not blob_storage.container_exists("silver-never")


def test_a_thousand_items_in_folders_of_their_own(ingest: RunIngest, bronze: str) -> None:
    collection = make_collection(bronze, items=0)
    features = []
    for number in range(1200):
        features.append(make_item(f"many-{number:05}", "tiles", f"./part-{number % 90}/x.bin"))
    for part in range(90):
        collection.blobs[f"part-{part}/x.bin"] = b"x"
    collection.link("items.json")
    collection.write()
    for feature in features:
        feature["assets"]["data"]["type"] = "application/octet-stream"
    document = {"type": "FeatureCollection", "features": features}
    blob_storage.write_bytes(bronze, "items.json", dumps(document))
    result = ingest(batch_size=500)
    assert result["items_registered"] == result["items_new"] == 1200
    assert result["assets"]["total"] == 1200
    assert len(item_ids("tiles")) == 1200


@pytest.mark.skipif(not _CDL.is_dir(), reason=f"no real data at {_CDL}")
def test_the_real_cropland_collection(ingest: RunIngest, bronze: str, silver: str) -> None:
    for file in (path for path in _CDL.rglob("*") if path.is_file()):
        blob_storage.write_bytes(bronze, str(file.relative_to(_CDL)), file.read_bytes())
    result = ingest(collection_json_path="examples/collection.json", batch_size=5)
    assert result["collection_id"] == "usda-cdl"
    assert result["items_read"] == result["items_registered"] == 12
    assert result["assets"]["copied"] == 28
    assert (result["cogs"]["checked"], result["cogs"]["valid"]) == (28, 28)
    path = "tests/data-files/tiles/2021_30m_cdls_-91095_1807575_15000.tif"
    source, target = head(bronze, path), head(silver, path)
    assert source is not None
    assert target is not None
    assert (source.size, source.md5) == (target.size, target.md5)
