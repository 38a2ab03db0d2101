"""The page of rasters, as it is rendered."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest

from tests.servers import PostgresServer
from tests.support import raster_catalog
from tests.support.in_process import InProcessClient
from tests.support.raster_catalog import COLLECTION, SECRET
from tests.support.settings import app_settings
from tests.support.stac_collection import new_container

PAGE = "/api/interface/map"


def page_of_the_app() -> InProcessClient:
    """The page, imported where there are settings: they say who may open it."""
    from web_interfaces.map import interface

    return InProcessClient(interface.bp)


@pytest.fixture(scope="module")
def pages(
    postgres_server: PostgresServer,
    migrated_template: str,
    blob_connection_string: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[InProcessClient]:
    url = postgres_server.create_database(migrated_template)
    with app_settings(
        DATABASE_URL=url,
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        GEOFORGE_RESTRICTED_KEYS="known-key",
    ):
        raster_catalog.load(url, new_container("silver"), tmp_path_factory.mktemp("rasters"))
        yield page_of_the_app()
    postgres_server.drop_database(url)


def test_an_empty_catalog_says_how_to_fill_it(database_url: str) -> None:
    with app_settings(DATABASE_URL=database_url):
        page = page_of_the_app().get(PAGE)
    assert page.status == 200
    assert "There is no raster in the catalog yet" in page.text


def test_the_first_raster_is_shown_without_any_choice(pages: InProcessClient) -> None:
    page = pages.get(PAGE)
    assert page.status == 200
    assert 'aria-current="true"' in page.text
    assert f'<option value="{COLLECTION}" selected>' in page.text


def test_the_key_goes_along(pages: InProcessClient) -> None:
    page = pages.get(f"{PAGE}?collection={COLLECTION}&item=dem&code=a%26b")
    assert page.status == 200
    assert f"/api/raster/{COLLECTION}/dem/preview.png?code=a%26b&amp;" in page.text
    assert '<input type="hidden" name="code" value="a&amp;b">' in page.text


def test_choices_are_shown_as_they_were_made(pages: InProcessClient) -> None:
    page = pages.get(f"{PAGE}?collection={COLLECTION}&item=dem&colormap=magma&rescale=100,900")
    assert "<option selected>magma</option>" in page.text
    assert 'value="100,900"' in page.text
    assert "colormap=magma" in page.text.partition("data-query=")[2].partition('"')[2]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (f"collection={COLLECTION}&item=gone", "gone cannot be shown"),
        (f"collection={COLLECTION}&item=damaged", "damaged cannot be shown"),
        (f"collection={COLLECTION}&item=dem&bidx=9", "dem cannot be shown"),
        (f"collection={COLLECTION}&item=%3Cscript%3E", "&lt;script&gt; cannot be shown"),
        (f"collection={SECRET}&item=hidden", "hidden cannot be shown"),
    ],
)
def test_the_rest_of_the_page_stays(pages: InProcessClient, query: str, message: str) -> None:
    page = pages.get(f"{PAGE}?{query}")
    assert page.status == 200
    assert message in page.text
    assert "raster-items" in page.text


def test_restricted_rasters_are_shown_to_who_may_see_them(pages: InProcessClient) -> None:
    page = pages.get(f"{PAGE}?collection={SECRET}&item=hidden&code=known-key")
    assert "data-raster-map" in page.text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("collection=nothing", 404),
        (f"collection={COLLECTION}&page=x", 422),
        ("collection=%00", 404),
    ],
)
def test_what_is_not_there_is_an_error(pages: InProcessClient, query: str, status: int) -> None:
    assert pages.get(f"{PAGE}?{query}").status == status


def test_a_long_collection_has_pages(
    pages: InProcessClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web_interfaces.map.interface._ITEMS_A_PAGE", 4)
    first = pages.get(f"{PAGE}?collection={COLLECTION}")
    assert first.text.count("<strong>") == 4
    found = re.search(r'href="([^"]*)">Next<', first.text)
    assert found is not None
    second = pages.get(html.unescape(found[1]))
    assert second.status == 200
    assert second.text.count("<strong>") == 4
    assert ">Previous<" in second.text
    listed = [set(re.findall(r"<strong>(.*?)</strong>", page.text)) for page in (first, second)]
    assert not listed[0] & listed[1]
