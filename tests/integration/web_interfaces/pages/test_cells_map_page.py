"""The page of H3 statistics, as it is rendered."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from infrastructure import database
from tests.servers import PostgresServer
from tests.support import h3_layers
from tests.support.in_process import InProcessClient, Response
from tests.support.settings import app_settings

PAGE = "/api/interface/map"
FOUND = h3_layers.cells_of((28.0, -3.0, 31.0, -0.5), 4)


def page_of_the_app() -> InProcessClient:
    """The page, imported where there are settings: they say who may open it."""
    from web_interfaces.map import interface

    return InProcessClient(interface.bp)


@pytest.fixture(scope="module")
def pages(postgres_server: PostgresServer, migrated_template: str) -> Iterator[InProcessClient]:
    url = postgres_server.create_database(migrated_template)
    height = np.linspace(900, 4500, len(FOUND))
    with app_settings(DATABASE_URL=url, GEOFORGE_RESTRICTED_KEYS="known-key"):
        with database.connect(autocommit=True) as connection:
            h3_layers.put(
                connection,
                "heights",
                FOUND,
                {"mean": height, "p95": height + 50},
                title="Heights <of> hills",
                unit="m",
                source={"source_url": "https://data.example/dem.tif"},
            )
            h3_layers.put(connection, "cover", FOUND, {"fraction_11": np.ones(len(FOUND))})
            h3_layers.put(connection, "cover", FOUND, {"majority": np.ones(len(FOUND))}, band=2)
            shares = {f"fraction_{number}": np.ones(len(FOUND)) / 101 for number in range(101)}
            h3_layers.put(connection, "many", FOUND, {"majority": np.ones(len(FOUND)), **shares})
            h3_layers.put(
                connection, "secret", FOUND, {"mean": height}, unit="m", is_restricted=True
            )
        yield page_of_the_app()
    postgres_server.drop_database(url)


def shown(page: Response) -> dict[str, Any]:
    """What the map's script is given."""
    assert page.status == 200, page.text
    [facts] = re.findall(r'<div class="map" id="map"[^>]* data-facts="(.*?)"', page.text)
    given: dict[str, Any] = json.loads(html.unescape(facts))
    return given


def test_without_datasets_the_page_says_how_to_make_one(database_url: str) -> None:
    with app_settings(DATABASE_URL=database_url):
        page = page_of_the_app().get(f"{PAGE}?show=h3")
    assert page.status == 200
    assert "There are no statistics by H3 cells yet" in page.text


def test_the_views_lead_to_each_other(pages: InProcessClient) -> None:
    rasters, statistics = pages.get(f"{PAGE}?show=rasters"), pages.get(f"{PAGE}?show=h3")
    assert f'<a href="{PAGE}?show=rasters" aria-current="page">Rasters</a>' in rasters.text
    assert f'<a href="{PAGE}">Layers</a>' in rasters.text
    assert f'<a href="{PAGE}?show=h3">H3 statistics</a>' in rasters.text
    assert f'<a href="{PAGE}?show=h3" aria-current="page">H3 statistics</a>' in statistics.text


def test_the_map_is_told_what_to_draw(pages: InProcessClient) -> None:
    page = pages.get(f"{PAGE}?dataset=heights")
    given = shown(page)
    assert (given["dataset"], given["statistic"]) == ("heights", "mean")
    assert given["layers"] == [{"resolution": 4, "cells": len(FOUND)}]
    assert given["range"] == [900, 4500]
    assert given["titles"] == {"mean": "Mean", "p95": "Percentile 95"}
    assert given["rollsUp"]
    assert "<span>m</span>" in page.text
    assert "Heights &lt;of&gt; hills" in page.text
    assert "Made of https://data.example/dem.tif." in page.text


def test_the_first_dataset_is_shown_without_any_choice(pages: InProcessClient) -> None:
    page = pages.get(f"{PAGE}?show=h3")
    assert shown(page)["dataset"] == "cover"
    assert "Share of class 11" in page.text


def test_what_cannot_be_rolled_up_is_said_to_the_script(pages: InProcessClient) -> None:
    for query in ("dataset=heights&stat=p95", "dataset=cover&band=2"):
        assert not shown(pages.get(f"{PAGE}?{query}"))["rollsUp"]


def test_a_mistyped_choice_is_told_beside_its_field(pages: InProcessClient) -> None:
    page = pages.get(f"{PAGE}?dataset=heights&stat=mode")
    assert shown(page)["statistic"] == "mean"
    assert 'aria-describedby="stat-fault"' in page.text
    assert "the dataset has mean, p95 at resolution 4" in page.text
    page = pages.get(f"{PAGE}?dataset=heights&band=x")
    assert 'aria-describedby="band-fault"' in page.text


def test_an_unknown_dataset_is_a_404(pages: InProcessClient) -> None:
    page = pages.get(f"{PAGE}?dataset=nothing")
    assert page.status == 404
    assert "There is no H3 dataset" in html.unescape(page.text)


def test_of_restricted_statistics_only_the_place_is_shown(pages: InProcessClient) -> None:
    page = pages.get(f"{PAGE}?dataset=secret")
    assert page.status == 200
    assert "The statistics are restricted" in page.text
    assert "data-cells-map" not in page.text
    assert "4500" not in page.text
    assert "format=parquet" not in page.text
    with_key = pages.get(f"{PAGE}?dataset=secret&code=known-key")
    assert shown(with_key)["dataset"] == "secret"
    assert '<input type="hidden" name="code" value="known-key">' in with_key.text


def test_more_statistics_than_an_answer_has_are_asked_for_in_part(pages: InProcessClient) -> None:
    from web_interfaces.api import h3

    page = pages.get(f"{PAGE}?dataset=many&stat=fraction_99")
    told = shown(page)["told"].split(",")
    assert (told[0], len(told)) == ("fraction_99", 100)
    assert "majority" not in told
    [link] = re.findall(r'<a href="([^"]*)">Parquet</a>', page.text)
    api = InProcessClient(h3.bp)
    assert api.get(html.unescape(link)).status == 200
    large = api.get(f"/api/h3/stats?dataset=many&resolution=2&stat={','.join(told)}")
    assert large.status == 200
    assert shown(pages.get(f"{PAGE}?dataset=heights"))["told"] == "all"
