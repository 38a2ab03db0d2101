"""The map of layers, and of repairs, as they are rendered."""

from __future__ import annotations

import html
import json
import re
import secrets
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import jobs as job_types
from core.models.feature_table import TableName
from infrastructure import database
from tests.servers import PostgresServer
from tests.support import h3_layers, published, raster_catalog
from tests.support.in_process import InProcessClient, Response
from tests.support.settings import app_settings
from tests.support.vector_report import add_report

PAGE = "/api/interface/map"
CELLS = h3_layers.cells_of((28.0, -3.0, 31.0, -0.5), 4)
JOB_ID = secrets.token_hex(32)


def page_of_the_app() -> InProcessClient:
    """The page, imported where there are settings: they say who may open it."""
    # The empty states lead to job types.
    job_types.discover()
    from web_interfaces.map import interface

    return InProcessClient(interface.bp)


@pytest.fixture(scope="module")
def pages(postgres_server: PostgresServer, migrated_template: str) -> Iterator[InProcessClient]:
    url = postgres_server.create_database(migrated_template)
    with app_settings(DATABASE_URL=url, GEOFORGE_RESTRICTED_KEYS="known-key"):
        with database.connect(autocommit=True) as connection:
            for number in range(14):
                name = TableName(table_name=f"wells_{number:02}")
                published.put(connection, [(1, "deep", (15.1, 49.5))], target=name)
            published.put(
                connection,
                [(1, "a <b>", (15.0, 49.4)), (2, "c", (15.3, 49.7))],
                provenance=published.provenance(
                    title="Parks & gardens", attribution="Made by <people>"
                ),
            )
            published.put(
                connection,
                [(1, "hidden place", (20.0, 40.0))],
                target=TableName(table_name="secret_sites"),
                restricted=True,
            )
            values = {"mean": np.linspace(900, 4500, len(CELLS))}
            h3_layers.put(connection, "heights", CELLS, values, title="Heights", unit="m")
            h3_layers.put(connection, "secret", CELLS, values, is_restricted=True)
            add_report(connection, JOB_ID)
        raster_catalog.add_collection(url, "scenes")
        raster_catalog.add(url, raster_catalog.item("one", "https://example.com/one.tif", "scenes"))
        yield page_of_the_app()
    postgres_server.drop_database(url)


def cards(page: Response) -> list[dict[str, Any]]:
    """What the script is told of each layer, the topmost first."""
    assert page.status == 200, page.text
    return [
        json.loads(html.unescape(each)) for each in re.findall(r'data-layer="(.*?)"', page.text)
    ]


def test_where_nothing_is_published_the_page_says_which_jobs_fill_it(database_url: str) -> None:
    with app_settings(DATABASE_URL=database_url):
        page = page_of_the_app().get(PAGE)
    assert page.status == 200
    assert "No table is published yet." in page.text
    for name in ("process_vector", "ingest_collection", "h3_raster_aggregation"):
        assert f'href="/api/interface/jobs/new/{name}"' in page.text


def test_all_kinds_are_on_one_map_the_last_on_top(pages: InProcessClient) -> None:
    page = pages.get(f"{PAGE}?layers=vector:parks,items:scenes,cells:heights")
    cells, items, vector = cards(page)
    assert (cells["dataset"], cells["range"]) == ("heights", [900, 4500])
    assert items["collection"] == "scenes"
    assert vector["style"].startswith("/api/styles/parks/")
    assert vector["bounds"] == pytest.approx([15.0, 49.4, 15.3, 49.7])
    assert "Parks &amp; gardens" in page.text
    assert "Made by &lt;people&gt;" in page.text
    assert "2 features" in page.text
    assert "http://" not in page.text.partition("data-layer")[2].partition(">")[0]


def test_each_choice_is_a_link_that_keeps_the_others(pages: InProcessClient) -> None:
    page = pages.get(f"{PAGE}?layers=vector:parks&q=wells&view=15,49,7")
    [add] = re.findall(r'id="add-vector:wells_03" data-go href="(.*?)"', page.text)
    assert "layers=vector%3Aparks%2Cvector%3Awells_03" in add
    assert "q=wells" in add
    assert "view=15.00000%2C49.00000%2C7.00" in html.unescape(add)
    [remove] = re.findall(r'layer-remove" data-go href="(.*?)"', page.text)
    assert "layers=" not in remove


def test_long_lists_are_cut_and_searched(pages: InProcessClient) -> None:
    listed = re.findall(r'id="add-(vector:.*?)"', pages.get(PAGE).text)
    assert len(listed) == 10
    assert len(re.findall(r'id="add-vector:', pages.get(f"{PAGE}?more=vector").text)) == 16
    found = pages.get(f"{PAGE}?q=Gardens")
    assert re.findall(r'id="add-(vector:.*?)"', found.text) == ["vector:parks"]
    assert "Nothing here is called “Gardens”." in found.text


def test_what_is_restricted_is_explained_and_kept_back(pages: InProcessClient) -> None:
    address = f"{PAGE}?layers=vector:secret_sites,cells:secret"
    page = pages.get(address)
    assert page.text.count("The terms of the source do not allow to show") == 2
    assert [set(card) for card in cards(page)] == [{"ref", "kind", "title", "bounds"}] * 2
    assert "4500" not in page.text
    assert "data-draws" not in page.text
    with_key = pages.get(f"{address}&code=known-key")
    assert [card["kind"] for card in cards(with_key) if len(card) > 4] == ["cells", "vector"]


def test_one_layer_that_is_gone_leaves_the_others(pages: InProcessClient) -> None:
    page = pages.get(f"{PAGE}?layers=vector:gone,items:gone,raster:gone:it,cells:gone,vector:parks")
    assert [card["ref"] for card in cards(page) if len(card) > 4] == ["vector:parks"]
    assert page.text.count("layer-trouble") == 4
    hostile = pages.get(f"{PAGE}?layers=%3Cscript%3E")
    assert "The address names what is no layer: &lt;script&gt;." in hostile.text


def test_the_key_goes_along_within_the_page(pages: InProcessClient) -> None:
    page = pages.get(f"{PAGE}?layers=vector:parks&code=a%26b")
    links = re.findall(r'data-go href="(.*?)"', page.text)
    assert links
    assert all("code=a%26b" in link for link in links)
    assert '<input type="hidden" name="code" value="a&amp;b">' in page.text


def test_the_background_is_our_own_table_where_it_is_for_everyone(database_url: str) -> None:
    target = TableName(table_name="curated_admin0")
    with app_settings(DATABASE_URL=database_url):
        pages = page_of_the_app()
        assert "data-countries" not in pages.get(PAGE).text
        with database.connect(autocommit=True) as connection:
            published.put(connection, [(1, "Here", (15.0, 49.4))], target=target)
            [told] = re.findall(r'data-countries="(.*?)"', pages.get(PAGE).text)
            countries = json.loads(html.unescape(told))
            assert countries["layer"] == "curated_admin0"
            assert countries["tiles"][0].startswith("/api/tiles/curated_admin0/{z}/{x}/{y}.pbf?v=")
            published.put(connection, [(1, "Here", (15.0, 49.4))], target=target, restricted=True)
        assert "data-countries" not in pages.get(PAGE).text


def test_repairs_are_listed_and_drawn(pages: InProcessClient) -> None:
    reports = pages.get(f"{PAGE}?show=repairs")
    assert f'href="{PAGE}?report={JOB_ID}"' in reports.text
    page = pages.get(f"{PAGE}?report={JOB_ID}")
    assert page.status == 200
    assert re.findall(r'data-data="(.*?)"', page.text) == [
        f"/api/vector/reports/{JOB_ID}/repairs?f=geojson"
    ]
    assert "drawn-before" in page.text
    assert len(re.findall(r'class="layer-entry" data-repair="', page.text)) == 2
    assert "too large to be kept" in page.text
    assert pages.get(f"{PAGE}?report={'0' * 64}").status == 404


def test_without_reports_the_view_says_how_to_get_one(database_url: str) -> None:
    with app_settings(DATABASE_URL=database_url):
        page = page_of_the_app().get(f"{PAGE}?show=repairs")
    assert "There is no quality report yet" in page.text
    assert "/jobs/new/process_vector" in page.text
