"""Items of processed rasters in a real pgSTAC, and the versions of their files in storage."""

from __future__ import annotations

import hashlib
from itertools import count
from typing import Any

import orjson
import pytest

from core.errors import PermanentTaskError
from infrastructure import blob_storage, database, stac_documents, stac_repository
from infrastructure.blob_copy import COPIED_BY
from infrastructure.stac_loader import CollectionChange, LoadOutcome
from services.ingest.documents import check_collection
from services.raster import catalog, items
from services.raster.items import Origin
from services.raster.model import RasterType
from services.raster.times import BEGINNING, ItemTime
from services.stac.links import Addresses, linked_item
from tests.support.raster_items import AT, description, make_item, stored_files, survey
from tests.support.stac_collection import new_container

pytestmark = pytest.mark.usefixtures("app")

JsonObject = dict[str, Any]
_jobs = count(1)


@pytest.fixture
def silver() -> str:
    return new_container("silver")


def nothing(*_: object) -> None:
    return None


def job() -> str:
    """An id that no other job of these tests has."""
    return hashlib.sha256(f"job {next(_jobs)}".encode()).hexdigest()


def publish(container: str, *made: JsonObject, **said: Any) -> LoadOutcome:
    """Publish Items of the collection heights, by a job of their own."""
    job_id = said.pop("job_id", None) or job()
    return catalog.publish(
        job_id, "heights", lambda: iter(made), container=container, check=nothing,
        progress=nothing, **said,
    )  # fmt: skip


def collection() -> JsonObject:
    with stac_repository.snapshot() as snapshot:
        found = snapshot.collection("heights")
    assert found is not None
    return found


def put_files(item: JsonObject, container: str, **metadata: str) -> list[str]:
    """Write what the item's assets lead to; the paths."""
    paths = []
    for asset in item["assets"].values():
        path = asset["href"].partition(f"/{container}/")[2]
        client = blob_storage.blob_client(container, path)
        client.upload_blob(b"bytes", metadata={COPIED_BY: job(), **metadata}, overwrite=True)
        paths.append(path)
    return paths


def versions_in(container: str) -> set[str]:
    names = blob_storage.container_client(container).list_blob_names(
        name_starts_with="heights/dem/"
    )
    return {name.split("/")[2] for name in names}


def test_items_and_their_collection_are_in_the_catalog(silver: str) -> None:
    east = description(bbox=(20.0, 49.0, 21.0, 50.0))
    made = [make_item("a", container=silver), make_item("b", container=silver, description=east)]
    done: list[int] = []
    outcome = catalog.publish(
        job(), "heights", lambda: iter(made), container=silver, title="Heights of land",
        description="All of them.", license="CC0-1.0", check=nothing, progress=done.append,
    )  # fmt: skip
    assert outcome == LoadOutcome(CollectionChange.CREATED, new=2, updated=0, unchanged=0)
    assert catalog.stored_items("heights", ["a", "b", "c"]).keys() == {"a", "b"}
    found = collection()
    check_collection(found)
    assert (found["title"], found["description"], found["license"]) == (
        "Heights of land", "All of them.", "CC0-1.0",
    )  # fmt: skip
    assert found["extent"] == {
        "spatial": {"bbox": [[9.0, 49.0, 21.0, 50.0]]},
        "temporal": {"interval": [["2024-06-17T10:00:00Z", "2024-06-17T10:00:00Z"]]},
    }
    assert found["summaries"] == {
        "geoforge:raster_type": ["dem"], "gsd": [1113.0], "proj:code": ["EPSG:4326"]
    }  # fmt: skip
    assert found["item_assets"]["data"]["roles"] == ["data"]


def test_what_comes_out_is_what_went_in(silver: str) -> None:
    made = make_item(container=silver, style={"title": "Preview", "assets": ["data"]})
    publish(silver, made)
    stored = catalog.stored_items("heights", ["dem"])["dem"]
    at = Addresses("https://geoforge.test")
    served, expected = linked_item(stored, at), linked_item(made, at)
    assert served == expected
    hrefs = {link["rel"]: link["href"] for link in served["links"]}
    assert hrefs["via"] == f"https://geoforge.test/api/jobs/{'j' * 64}"


def test_each_version_has_its_document_beside_it(silver: str) -> None:
    made = make_item(container=silver)
    publish(silver, made)
    path = items.folder("heights", "dem", made["properties"]["version"])
    document = orjson.loads(blob_storage.read_bytes(silver, f"{path}/item.json"))
    assert document["id"] == "dem"
    assert document["assets"] == made["assets"]
    assert "collection" in {link["rel"] for link in document["links"]}


def test_a_collection_keeps_what_was_said_of_it(silver: str) -> None:
    publish(silver, make_item("a", container=silver), title="Mine", license="MIT")
    outcome = publish(silver, make_item("b", container=silver))
    assert outcome.collection is CollectionChange.UNCHANGED
    assert (collection()["title"], collection()["license"]) == ("Mine", "MIT")
    publish(silver, make_item("c", container=silver), title="Yours")
    assert (collection()["title"], collection()["license"]) == ("Yours", "MIT")


def test_a_collection_grows_with_its_items(silver: str) -> None:
    publish(silver, make_item("a", container=silver))
    far = description(bbox=(-20.0, -5.0, -19.0, -4.0))
    publish(
        silver,
        make_item("b", container=silver, description=far, survey=survey(RasterType.CATEGORICAL)),
    )
    assert collection()["extent"]["spatial"]["bbox"] == [[-20.0, -5.0, 10.0, 50.0]]
    assert collection()["summaries"]["geoforge:raster_type"] == ["categorical", "dem"]


def test_a_time_that_nobody_knows_widens_no_extent(silver: str) -> None:
    unknown = ItemTime(nominal=None, start=BEGINNING, end=AT, source="unknown")
    publish(silver, make_item("a", container=silver, when=unknown))
    assert collection()["extent"]["temporal"] == {"interval": [[None, None]]}
    publish(silver, make_item("b", container=silver))
    first = "2024-06-17T10:00:00Z"
    assert collection()["extent"]["temporal"] == {"interval": [[first, first]]}
    stored = catalog.stored_items("heights", ["a"])["a"]
    served = linked_item(stored, Addresses("https://geoforge.test"))["properties"]
    assert (served["datetime"], served["start_datetime"]) == (None, "1700-01-01T00:00:00Z")


def test_an_item_of_another_job_is_replaced(silver: str) -> None:
    first = make_item(container=silver, content="first")
    publish(silver, first)
    before = catalog.stored_items("heights", ["dem"])["dem"]
    second = make_item(
        container=silver, content="second", predecessor=before, origin=Origin("k" * 64, AT)
    )
    outcome = publish(silver, second)
    assert (outcome.new, outcome.updated, outcome.refused) == (0, 1, [])
    stored = catalog.stored_items("heights", ["dem"])["dem"]
    assert stored["properties"]["geoforge:job_id"] == "k" * 64
    (href,) = [each["href"] for each in stored["links"] if each["rel"] == "predecessor-version"]
    document = orjson.loads(blob_storage.read_bytes(silver, href.partition(f"/{silver}/")[2]))
    assert document["properties"]["version"] == first["properties"]["version"]


def test_a_job_that_has_published_does_so_once(silver: str) -> None:
    made, job_id = make_item(container=silver), job()
    assert publish(silver, made, job_id=job_id) == publish(silver, made, job_id=job_id)
    assert publish(silver, made).unchanged == 1


def test_an_item_that_is_not_valid_is_named_and_nothing_is_kept(silver: str) -> None:
    broken = make_item("b", container=silver)
    broken["properties"]["datetime"] = "yesterday"
    with pytest.raises(PermanentTaskError, match=r"b: the Item is not valid: .*datetime") as caught:
        publish(silver, make_item("a", container=silver), broken)
    assert caught.value.error_code == "invalid_item"
    assert catalog.stored_items("heights", ["a", "b"]) == {}


def test_the_collection_of_a_table_takes_no_rasters(silver: str) -> None:
    document = {
        "type": "Collection",
        "id": "heights",
        "stac_version": "1.1.0",
        "license": "other",
        "description": "A table.",
        "extent": {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [[None, None]]},
        },
        "links": [],
        stac_documents.TABLE_FIELD: "geo.heights",
    }
    with database.transaction() as connection, stac_documents.writing(connection):
        stac_documents.write(connection, document)
    with pytest.raises(PermanentTaskError, match=r"describes the table geo\.heights") as caught:
        publish(silver, make_item(container=silver))
    assert caught.value.error_code == "collection_is_a_table"


class _Stopped(Exception):
    pass


def test_a_job_that_is_cancelled_changes_nothing(silver: str) -> None:
    def stop() -> None:
        raise _Stopped

    made = make_item(container=silver)
    with pytest.raises(_Stopped):
        catalog.publish(
            job(), "heights", lambda: iter([made]), container=silver, check=stop, progress=nothing
        )
    assert catalog.stored_items("heights", ["dem"]) == {}


def _published_versions(silver: str, *contents: str) -> list[str]:
    """Publish an item in these versions, one after the other; their names."""
    versions = []
    for content in contents:
        before = catalog.stored_items("heights", ["dem"]).get("dem")
        made = make_item(container=silver, content=content, predecessor=before)
        put_files(made, silver)
        publish(silver, made)
        versions.append(made["properties"]["version"])
    return versions


def test_the_version_before_stays_and_older_ones_go(silver: str) -> None:
    first, second, third = _published_versions(silver, "first", "second", "third")
    neighbour = make_item("dem2", container=silver)
    paths = put_files(neighbour, silver)
    assert catalog.remove_older(silver, "heights", "dem", check=nothing) == 4
    assert versions_in(silver) == {second, third}
    assert first not in versions_in(silver)
    assert catalog.remove_older(silver, "heights", "dem", check=nothing) == 0
    assert all(blob_storage.properties(silver, path) is not None for path in paths)


def test_the_same_content_again_keeps_the_version_before_it(silver: str) -> None:
    first, second, _ = _published_versions(silver, "first", "second", "second")
    assert catalog.remove_older(silver, "heights", "dem", check=nothing) == 0
    assert versions_in(silver) == {first, second}


@pytest.fixture
def running_job() -> str:
    """A job that is at work, by the ledger."""
    job_id = job()
    insert = (
        "INSERT INTO app.jobs (job_id, job_type, parameters, submission_key, total_stages, status)"
        " VALUES (%s, 'process_raster', '{}', %s, 4, 'running')"
    )
    with database.transaction() as connection:
        connection.execute(insert, (job_id, job_id))
    return job_id


def test_what_another_job_is_about_to_publish_stays(silver: str, running_job: str) -> None:
    _published_versions(silver, "first", "second")
    coming = make_item(container=silver, content="coming")
    put_files(coming, silver, **{COPIED_BY: running_job})
    assert catalog.remove_older(silver, "heights", "dem", check=nothing) == 0
    with database.transaction() as connection:
        connection.execute(
            "UPDATE app.jobs SET status = 'failed', finished_at = now() WHERE job_id = %s",
            (running_job,),
        )
    assert catalog.remove_older(silver, "heights", "dem", check=nothing) == 3
    assert coming["properties"]["version"] not in versions_in(silver)


def test_files_that_no_job_has_put_there_stay(silver: str) -> None:
    theirs = [
        "heights/dem/2020/dem.tif",
        "heights/dem/dem.tif",
        "heights/dem/0123456789ab/dem.tif",
        "heights/dem/0123456789ab/item.json",
        "heights/dem/0123456789abc/dem.tif",
    ]
    for path in theirs:
        blob_storage.write_bytes(silver, path, b"somebody's")
    first, second, third = _published_versions(silver, "first", "second", "third")
    notes = f"heights/dem/{first}/notes.txt"
    blob_storage.write_bytes(silver, notes, b"somebody's")
    copied = blob_storage.blob_client(silver, "heights/dem/2020/other.tif")
    copied.upload_blob(b"another job's", metadata={COPIED_BY: job()})
    assert catalog.remove_older(silver, "heights", "dem", check=nothing) == 4
    for path in [*theirs, notes, "heights/dem/2020/other.tif"]:
        assert blob_storage.properties(silver, path) is not None, path
    assert {second, third} <= versions_in(silver)


def test_a_removal_that_was_cut_off_is_taken_up_again(silver: str) -> None:
    first, _, _ = _published_versions(silver, "first", "second", "third")
    blob_storage.blob_client(silver, f"heights/dem/{first}/item.json").delete_blob()
    blob_storage.blob_client(silver, f"heights/dem/{first}/dem.tif").delete_blob()
    assert catalog.remove_older(silver, "heights", "dem", check=nothing) == 2
    assert first not in versions_in(silver)


def test_without_the_item_nothing_is_removed(silver: str) -> None:
    files = stored_files("dem", "x", collection_id="heights", container=silver)
    blob_storage.write_bytes(silver, files.cog.path, b"bytes")
    assert catalog.remove_older(silver, "heights", "dem", check=nothing) == 0
    assert blob_storage.properties(silver, files.cog.path) is not None
