"""The page of rasters, as it is rendered."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest

from infrastructure import blob_storage
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
        container = new_container("silver")
        raster_catalog.load(url, container, tmp_path_factory.mktemp("rasters"))
        raster_catalog.add(url, two_files(container))
        yield page_of_the_app()
    postgres_server.drop_database(url)


def two_files(container: str) -> dict[str, Any]:
    """An item of two rasters."""
    photo, dem = (
        {"href": str(blob_storage.blob_client(container, f"rasters/{name}.tif").url)}
        for name in ("photo", "dem")
    )
    return {**raster_catalog.item("pair", ""), "assets": {"before": photo, "after": dem}}


def test_an_empty_catalog_says_how_to_fill_it(database_url: str) -> None:
    with app_settings(DATABASE_URL=database_url):
        page = page_of_the_app().get(f"{PAGE}?show=rasters")
    assert page.status == 200
    assert "There is no raster in the catalog yet" in page.text


def test_the_first_raster_is_shown_without_any_choice(pages: InProcessClient) -> None:
    page = pages.get(f"{PAGE}?show=rasters")
    assert page.status == 200
    assert 'aria-current="true"' in page.text
    assert f'<option value="{COLLECTION}" selected>' in page.text


def test_the_key_goes_along(pages: InProcessClient) -> None:
    page = pages.get(f"{PAGE}?collection={COLLECTION}&item=dem&code=a%26b")
    assert page.status == 200
    picture = rf'/api/raster/{COLLECTION}/dem/preview\.png\?[^"]*&amp;size=1024&amp;code=a%26b"'
    assert re.search(picture, page.text)
    assert '<input type="hidden" name="code" value="a&amp;b">' in page.text


def test_choices_are_shown_as_they_were_made(pages: InProcessClient) -> None:
    page = pages.get(f"{PAGE}?collection={COLLECTION}&item=dem&colormap=magma&rescale=100,900")
    assert "<option selected>magma</option>" in page.text
    assert 'value="100,900"' in page.text
    assert "colormap=magma" in page.text.partition("data-query=")[2].partition('"')[2]


@pytest.mark.parametrize(
    ("query", "typed", "message"),
    [
        (
            "rescale=a%3Cb",
            'value="a&lt;b"',
            "The range of values must be numbers with commas between them, not &#39;a&lt;b&#39;.",
        ),
        (
            "rescale=9,1",
            'value="9,1"',
            "The range of values must be low,high, the lower first",
        ),
        (
            "bidx=9",
            "<option selected>9</option>",
            "The band must be among the raster&#39;s bands, 1 to 1.",
        ),
        (
            "colormap=rainbows",
            "<option selected>rainbows</option>",
            "The ramp of colours must be one of",
        ),
    ],
)
def test_a_mistyped_choice_is_told_where_it_was_typed(
    pages: InProcessClient, query: str, typed: str, message: str
) -> None:
    page = pages.get(f"{PAGE}?collection={COLLECTION}&item=dem&{query}&code=key")
    assert page.status == 200
    assert "cannot be shown" not in page.text
    assert "<details open>" in page.text
    assert typed in page.text
    assert message in page.text
    name = query.partition("=")[0]
    assert page.text.count('aria-invalid="true"') == 1
    assert f'name="{name}" aria-invalid="true" aria-describedby="{name}-fault"' in page.text
    # The raster is drawn as it is by itself.
    assert "<h2>Heights</h2>" in page.text
    assert (
        f"{name}=" not in page.text.partition("data-query=")[2].partition('"')[2].partition('"')[0]
    )


def test_what_is_not_in_the_lists_stays_chosen(pages: InProcessClient) -> None:
    page = pages.get(f"{PAGE}?collection={COLLECTION}&item=scene&bidx=4,3,2")
    assert "<option selected>4,3,2</option>" in page.text
    page = pages.get(f"{PAGE}?collection={COLLECTION}&item=dem&colormap=magma_r")
    assert "<option selected>magma_r</option>" in page.text


def test_another_file_is_drawn_as_it_is_by_itself(pages: InProcessClient) -> None:
    page = pages.get(f"{PAGE}?collection={COLLECTION}&item=pair&asset=after&rescale=0,9")
    files, drawing = re.findall(r"<form[^>]*raster-choices.*?</form>", page.text, re.DOTALL)
    assert set(re.findall(r'name="(\w+)"', files)) == {"collection", "item", "asset"}
    assert "<option selected>after</option>" in files
    assert '<button class="button">Show this file</button>' in files
    assert '<input type="hidden" name="asset" value="after">' in drawing
    as_before = re.findall(r'href="([^"]*)">As before<', drawing)
    assert [html.unescape(each).partition("?")[2] for each in as_before] == [
        f"collection={COLLECTION}&item=pair&asset=after"
    ]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (f"collection={COLLECTION}&item=gone", "gone cannot be shown"),
        (f"collection={COLLECTION}&item=damaged", "damaged cannot be shown"),
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
        ("collection=%00", 422),
    ],
)
def test_what_is_not_there_is_an_error(pages: InProcessClient, query: str, status: int) -> None:
    assert pages.get(f"{PAGE}?{query}").status == status


def test_a_long_collection_has_pages(
    pages: InProcessClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web_interfaces.map.rasters._ITEMS_A_PAGE", 4)
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
