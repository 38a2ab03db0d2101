"""What forms offer to choose."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from infrastructure import blob_storage, database
from infrastructure.database import Connection
from services import pickers
from tests.support import stac_data
from tests.support.curated_datasets import forget_all, register
from tests.support.in_process import InProcessClient
from tests.support.published import put
from tests.support.settings import app_settings
from web_interfaces.api.pickers import bp


@pytest.fixture
def db(ledger_url: str) -> Iterator[Connection]:
    with app_settings(DATABASE_URL=ledger_url), database.connect(autocommit=True) as connection:
        forget_all(connection)
        connection.execute("DELETE FROM pgstac.collections")
        connection.execute("DELETE FROM h3.datasets")
        yield connection


@pytest.fixture
def client() -> InProcessClient:
    return InProcessClient(bp)


@pytest.fixture
def container(db: Connection, ledger_url: str, blob_connection_string: str) -> Iterator[str]:
    """A container with files, in an account that has containers of the app's own as well."""
    name = f"files-{uuid.uuid4().hex[:12]}"
    with app_settings(
        DATABASE_URL=ledger_url, AZURE_STORAGE_CONNECTION_STRING=blob_connection_string
    ):
        for each in (name, "azure-webjobs-hosts"):
            blob_storage.ensure_container(each)
        for path in ("parks/a.gpkg", "parks/b.kml", "roads/Main Road.shp"):
            blob_storage.write_bytes(name, path, b"x" * 1500)
        yield name


def chosen(client: InProcessClient, address: str) -> list[str]:
    """The values that are offered."""
    answer = client.get(f"/api/pickers/{address}")
    assert answer.status == 200, answer.text
    return [each["value"] for each in answer.json()["options"]]


def refused(client: InProcessClient, address: str) -> tuple[int, str]:
    """The status and code of a refusal."""
    answer = client.get(f"/api/pickers/{address}")
    return answer.status, answer.json()["code"]


def test_containers_are_those_that_jobs_may_use(client: InProcessClient, container: str) -> None:
    assert chosen(client, f"container?q={container}") == [container]
    assert chosen(client, f"container?q={container[6:].upper()}") == [container]
    assert not any(
        name.startswith("azure-webjobs") for name in chosen(client, "container?limit=100")
    )


def test_blobs_are_found_by_how_they_begin_or_by_a_part(
    client: InProcessClient, container: str
) -> None:
    at = f"blob?container_name={container}"
    assert chosen(client, at) == ["parks/a.gpkg", "parks/b.kml", "roads/Main Road.shp"]
    assert chosen(client, f"{at}&q=parks/") == ["parks/a.gpkg", "parks/b.kml"]
    assert chosen(client, f"{at}&q=main+road") == ["roads/Main Road.shp"]
    assert chosen(client, f"{at}&q=nothing") == []
    page = client.get(f"/api/pickers/{at}&limit=2").json()
    assert (len(page["options"]), page["more"]) == (2, True)
    assert page["options"][0]["note"].startswith("1.5 kB, ")
    # Under whichever name the form's field has.
    assert chosen(client, f"blob?source_container={container}&q=roads") == ["roads/Main Road.shp"]


def test_a_blob_needs_a_container_that_jobs_may_use(
    client: InProcessClient, container: str
) -> None:
    assert refused(client, "blob") == (422, "invalid_parameters")
    for name in ("azure-webjobs-hosts", "No%20Name", "%F0%9F%8C%8D"):
        assert refused(client, f"blob?container_name={name}") == (422, "invalid_parameters")
    missing = f"missing-{uuid.uuid4().hex[:12]}"
    assert refused(client, f"blob?container_name={missing}") == (404, "container_not_found")


def test_datasets_and_tables_are_found_by_name_and_title(
    client: InProcessClient, db: Connection
) -> None:
    register(db)
    register(db, dataset_id="rivers", name="Water", target_table_name="curated_rivers")
    put(db, [(1, "Loch Ness", (-4.5, 57.3))])
    assert chosen(client, "dataset") == ["lakes", "rivers"]
    assert chosen(client, "dataset?q=WATER") == ["rivers"]
    [table] = client.get("/api/pickers/table").json()["options"]
    assert table["note"] == "1 row"
    assert chosen(client, f"table?q={table['value'][4:]}") == [table["value"]]
    # What would be a pattern elsewhere is text here.
    assert chosen(client, "dataset?q=%25") == chosen(client, "table?q=_%27%22%5C") == []


def test_collections_and_their_items_are_found(client: InProcessClient, db: Connection) -> None:
    for collection_id, title in (("dem", "Heights"), ("floods", "Floods")):
        document = {**stac_data.collection(collection_id), "title": title}
        _call(db, "create_collection", document)
    for number in range(5):
        document = {**stac_data.item(number), "id": f"tile_{number}", "collection": "dem"}
        _call(db, "create_item", document)
    assert chosen(client, "stac_collection?q=height") == ["dem"]
    assert chosen(client, "stac_item?collection_id=dem&q=E_3") == ["tile_3"]
    assert chosen(client, "stac_item?collection_id=floods") == []
    page = client.get("/api/pickers/stac_item?collection=dem&limit=2").json()
    assert (len(page["options"]), page["more"]) == (2, True)
    assert refused(client, "stac_item") == (422, "invalid_parameters")


def test_statistics_by_cells_are_found(client: InProcessClient, db: Connection) -> None:
    db.execute(
        "INSERT INTO h3.datasets (dataset_id, theme, title, source)"
        " VALUES ('srtm', 'elevation', 'Heights', '{}'), ('gpw', 'people', NULL, '{}')"
    )
    assert chosen(client, "h3_dataset") == ["gpw", "srtm"]
    assert chosen(client, "h3_dataset?q=height") == ["srtm"]


def test_countries_are_those_that_are_published(client: InProcessClient, db: Connection) -> None:
    assert chosen(client, "country") == []
    db.execute(
        "CREATE TABLE geo.curated_admin0 (gid int, geom geometry, iso_a3 text, adm0_a3 text,"
        " name text, name_long text)"
    )
    db.execute(
        "INSERT INTO geo.curated_admin0 (iso_a3, adm0_a3, name, name_long) VALUES"
        " ('NOR', 'NOR', 'Norway', 'Norway'), ('RWA', 'RWA', 'Rwanda', 'Rwanda'),"
        " (NULL, 'KOS', 'Kosovo', 'Kosovo')"
    )
    assert chosen(client, "country") == ["NOR", "RWA"]
    assert chosen(client, "country?q=rw") == ["RWA", "NOR"]
    assert chosen(client, "country?q=nor") == ["NOR"]


@pytest.mark.parametrize("kind", list(pickers.Picker))
def test_whatever_is_written_is_answered(
    client: InProcessClient, container: str, kind: str
) -> None:
    within = f"container_name={container}&collection_id=%ED%A0%80"
    for text in ("%ED%A0%80", "%F0%9F%8C%8D", "a" * 300, "%E2%80%AE", "%2F%2E%2E%2F", "%5C%25_"):
        answer = client.get(f"/api/pickers/{kind}?{within}&q={text}")
        assert answer.status == 200, answer.text
    for text in ("%00", "a" * 301):
        assert refused(client, f"{kind}?{within}&q={text}") == (422, "invalid_parameters")
    assert refused(client, f"{kind}?{within}&limit=0") == (422, "invalid_parameters")
    assert refused(client, f"{kind}?colour=red") == (422, "invalid_parameters")


def test_a_kind_that_is_not_there_is_not_found(client: InProcessClient) -> None:
    for kind in ("colour", "%00", "%ED%A0%80"):
        assert refused(client, kind) == (404, "unknown_picker")


def _call(db: Connection, function: str, document: dict[str, Any]) -> None:
    """Call a function of pgstac that keeps a document."""
    with db.transaction():
        db.execute("SET LOCAL search_path TO pgstac, public")
        db.execute(sql.SQL("SELECT {}(%s)").format(sql.Identifier(function)), (Jsonb(document),))
