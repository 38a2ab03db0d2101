"""What jobs read and publish, as pages show it."""

from __future__ import annotations

from typing import get_args

import pytest

from core.models.lineage import Thing, ThingKind
from web_interfaces.pages.things import kind_of, page_of, picture_of, title_of

JOB_ID = "ab" * 32


@pytest.mark.parametrize(
    ("thing", "title", "page", "picture"),
    [
        (Thing.blob("bronze", "a/b.gpkg"), "bronze/a/b.gpkg", None, None),
        (Thing.url("https://x.org/a?sig=1"), "https://x.org/a", None, None),
        (Thing.table("geo.parks"), "geo.parks", "/api/interface/vector/tables/geo.parks", None),
        (Thing.stac_collection("dem&x"), "dem&x", "/api/interface/map?collection=dem%26x", None),
        (
            Thing.stac_item("dem", "n04:w/1"),
            "dem/n04:w/1",
            "/api/interface/map?collection=dem&item=n04%3Aw%2F1",
            "/api/raster/dem/n04%3Aw%2F1/preview.png",
        ),
        (Thing.h3_dataset("srtm"), "srtm", "/api/interface/map?dataset=srtm", None),
        (Thing.curated_dataset("wdpa"), "wdpa", "/api/interface/curated/wdpa", None),
        (
            Thing.quality_report(f"/api/vector/reports/{JOB_ID}"),
            "Quality report",
            f"/api/interface/vector/{JOB_ID}",
            None,
        ),
        (Thing.report_file({"container": "s", "path": "r.ndjson"}), "s/r.ndjson", None, None),
    ],
)
def test_each_thing_has_a_title_and_perhaps_a_page_and_a_picture(
    thing: Thing, title: str, page: str | None, picture: str | None
) -> None:
    assert (title_of(thing), page_of(thing), picture_of(thing)) == (title, page, picture)


def test_every_kind_has_a_name_for_people() -> None:
    names = [kind_of(Thing(kind, "a", "b")) for kind in get_args(ThingKind)]
    assert len(set(names)) == len(names)
