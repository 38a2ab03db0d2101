"""Rasters of items that others have written: styles that cannot be followed, files of the app."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from infrastructure import blob_storage
from tests.servers import PostgresServer
from tests.support import raster_catalog
from tests.support.in_process import InProcessClient
from tests.support.raster_catalog import COG_TYPE, COLLECTION
from tests.support.settings import app_settings
from tests.support.stac_collection import new_container
from web_interfaces.api import raster

ROOT = f"/api/raster/{COLLECTION}"

# What items say of how they are drawn, by their ids.
NOT_FOLLOWED: dict[str, dict[str, Any]] = {
    "ramp": {"colormap_name": "no_such_ramp"},
    "colour": {"colormap": {"1": "red"}},
    "range": {"rescale": []},
    "words": {"rescale": "0,1"},
    "name": {"expression": "nir/red"},
    "band": {"bidx": [9]},
    "bands": {"expression": "b1/b9"},
}


@pytest.fixture(scope="module")
def api(
    postgres_server: PostgresServer,
    migrated_template: str,
    blob_connection_string: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[InProcessClient]:
    url = postgres_server.create_database(migrated_template)
    work, curated = (f"{name}-{uuid4().hex[:12]}" for name in ("work", "curated"))
    with app_settings(
        DATABASE_URL=url,
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        GEOFORGE_WORK_CONTAINER=work,
        GEOFORGE_CURATED_CONTAINER=curated,
    ):
        container = new_container("silver")
        raster_catalog.load(url, container, tmp_path_factory.mktemp("rasters"))
        dem = str(blob_storage.blob_client(container, "rasters/dem.tif").url)
        items = [styled(name, dem, render) for name, render in NOT_FOLLOWED.items()]
        data = blob_storage.read_bytes(container, "rasters/dem.tif")
        for name, own in (("of_work", work), ("of_curated", curated)):
            blob_storage.ensure_container(own)
            blob_storage.write_bytes(own, "a.tif", data)
            items.append(raster_catalog.item(name, str(blob_storage.blob_client(own, "a.tif").url)))
        raster_catalog.add(url, *items)
        yield InProcessClient(raster.bp)
    postgres_server.drop_database(url)


def styled(name: str, href: str, render: dict[str, Any]) -> dict[str, Any]:
    """An item of the DEM that says how it is drawn."""
    made = raster_catalog.item(name, href)
    made["properties"]["renders"] = {"default": {"title": "Own", "assets": ["data"], **render}}
    made["assets"] = {"data": {"href": href, "type": COG_TYPE}}
    return made


@pytest.mark.parametrize("name", NOT_FOLLOWED)
def test_a_style_that_cannot_be_followed_is_as_none(api: InProcessClient, name: str) -> None:
    info = api.get(f"{ROOT}/{name}/info")
    assert info.status == 200
    assert info.json()["style"]["title"] == "Elevation"
    picture = api.get(f"{ROOT}/{name}/preview.png?size=64")
    assert (picture.status, picture.media_type) == (200, "image/png")


@pytest.mark.parametrize("name", ["of_work", "of_curated"])
def test_files_of_the_app_are_not_opened_by_an_item(api: InProcessClient, name: str) -> None:
    for what in ("info", "preview.png", "point/15.1,49.6", "tiles/0/0/0.png", "tilejson.json"):
        answer = api.get(f"{ROOT}/{name}/{what}")
        assert (answer.status, answer.json()["code"]) == (409, "not_ours")


@pytest.mark.parametrize(
    "query",
    [f"bidx={'9' * 400}", f"bidx={'9' * 5000}", f"rescale=0,{'9' * 400}", f"bidx=1,{'9' * 400},1"],
)
def test_numbers_without_end_are_refused(api: InProcessClient, query: str) -> None:
    for what in ("info", "preview.png", "tiles/0/0/0.png", "tilejson.json"):
        answer = api.get(f"{ROOT}/dem/{what}?{query}")
        assert (answer.status, answer.json()["code"]) == (422, "invalid_parameters")
