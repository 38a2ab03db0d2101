"""Extent, summaries and item_assets, computed and merged."""

from __future__ import annotations

from typing import Any

import pytest

from services.ingest.collection_document import CollectionBuilder, merged_with_stored
from services.ingest.extent import Extent
from services.ingest.summaries import MAX_VALUES, Summaries, union
from tests.support.stac_collection import make_collection, make_item

DECLARED = {
    "spatial": {"bbox": [[-10, -10, 10, 10]]},
    "temporal": {"interval": [["1990-01-01T00:00:00Z", None]]},
}


@pytest.mark.parametrize(
    ("boxes", "bbox"),
    [
        ([[1, 2, 3, 4]], [1, 2, 3, 4]),
        ([[1, 2, 3, 4], [-5, 0, 2, 1]], [-5, 0, 3, 4]),
        ([[1, 2, 100, 3, 4, 200]], [1, 2, 3, 4]),
        # Far apart, but nothing crosses: the plain minimum and maximum.
        ([[-179, 0, -178, 1], [178, 0, 179, 1]], [-179, 0, 179, 1]),
        # Across the antimeridian.
        ([[179, 0, -179, 1]], [179, 0, -179, 1]),
        ([[170, 0, -179, 1], [-178, 0, -175, 1]], [170, 0, -175, 1]),
        ([[179, 0, -179, 1], [0, 0, 10, 1]], [0, 0, -179, 1]),
        ([[179, 0, -179, 1], [-180, -5, 180, 5]], [-180, -5, 180, 5]),
    ],
)
def test_boxes_together(boxes: list[list[float]], bbox: list[float]) -> None:
    extent = Extent()
    for box in boxes:
        extent.add_bbox(box)
    assert extent.as_stac(DECLARED)["spatial"] == {"bbox": [bbox]}


def test_times_are_compared_in_utc() -> None:
    extent = Extent()
    extent.add_item({"properties": {"datetime": "2020-01-01T03:00:00+05:00"}})
    extent.add_item({"properties": {"datetime": "2020-01-01T00:00:00Z"}})
    extent.add_item(
        {
            "properties": {
                "datetime": None,
                "start_datetime": "2020-01-01T00:00:00Z",
                "end_datetime": "2021-01-01T00:00:00.5Z",
            }
        }
    )
    assert extent.as_stac(DECLARED)["temporal"] == {
        "interval": [["2019-12-31T22:00:00Z", "2021-01-01T00:00:00.500000Z"]]
    }


def test_items_without_a_place_keep_the_declared_box() -> None:
    extent = Extent()
    extent.add_item({"geometry": None, "properties": {"datetime": "2020-01-01T00:00:00Z"}})
    assert extent.as_stac(DECLARED)["spatial"] == DECLARED["spatial"]


def summarised(*properties: dict[str, Any], declared: dict[str, Any] | None = None) -> Any:
    summaries = Summaries()
    for each in properties:
        summaries.add_item({"properties": each})
    return summaries.as_stac(declared)


def test_values_are_listed_and_measures_become_ranges() -> None:
    assert summarised(
        {"platform": "b", "eo:cloud_cover": 3, "proj:epsg": 32631, "instruments": ["x", "y"]},
        {"platform": "a", "eo:cloud_cover": 1.5, "proj:epsg": 32632, "instruments": ["y"]},
    ) == {
        "eo:cloud_cover": {"minimum": 1.5, "maximum": 3},
        "instruments": ["x", "y"],
        "platform": ["a", "b"],
        "proj:epsg": [32631, 32632],
    }


def test_too_many_values_are_not_listed() -> None:
    assert summarised(*({"name": f"n{n}"} for n in range(MAX_VALUES + 1))) == {}
    declared = {"name": ["many"], "other": [1]}
    many = [{"name": f"n{n}"} for n in range(MAX_VALUES + 1)]
    assert summarised(*many, declared=declared) == declared


def test_what_items_say_replaces_what_was_declared() -> None:
    assert summarised({"gsd": 10}, declared={"gsd": [30], "bands": [{"name": "red"}]}) == {
        "bands": [{"name": "red"}],
        "gsd": [10],
    }


def test_objects_and_nulls_are_left_out() -> None:
    assert summarised({"a": {"b": 1}, "c": None, "d": [], "e": [{"f": 1}]}) == {}


def test_summaries_of_two_loads_together() -> None:
    first = {"a": ["x"], "b": {"minimum": 1, "maximum": 2}, "c": [1], "only": ["first"]}
    second = {"a": ["y", "x"], "b": {"minimum": 0, "maximum": 1}, "c": {"minimum": 3}}
    assert union(first, second) == {
        "a": ["x", "y"],
        "b": {"minimum": 0, "maximum": 2},
        "c": {"minimum": 3},
        "only": ["first"],
    }


def test_item_assets_are_what_all_items_agree_on() -> None:
    builder = CollectionBuilder()
    for number in range(2):
        item = make_item(f"i{number}", "tiles", "x.tif")
        item["assets"]["data"]["title"] = f"Tile {number}"
        builder.add(item)
    document = builder.build(make_collection("nowhere", items=0).document, "tiles")
    assert set(document["item_assets"]["data"]) == {"type", "roles"}
    assert any("item-assets" in extension for extension in document["stac_extensions"])


def test_declared_item_assets_stay() -> None:
    builder = CollectionBuilder()
    builder.add(make_item("i", "tiles", "x.tif"))
    source = make_collection("nowhere", items=0).document
    declared = {"data": {"title": "The data", "raster:bands": [{"nodata": 0}]}}
    assert builder.build({**source, "item_assets": declared}, "x")["item_assets"] == declared


def test_a_stored_collection_counts_only_with_other_items() -> None:
    computed = {"id": "a", "extent": DECLARED, "summaries": {"p": ["x"]}}
    stored = {
        "extent": {**DECLARED, "spatial": {"bbox": [[5, 5, 50, 50]]}},
        "summaries": {"p": ["y"]},
        "item_assets": {"old": {}},
    }
    assert merged_with_stored(computed, None, has_others=False) == computed
    assert merged_with_stored(computed, stored, has_others=False) == computed
    merged = merged_with_stored(computed, stored, has_others=True)
    assert merged["extent"]["spatial"]["bbox"] == [[-10, -10, 50, 50]]
    assert merged["summaries"] == {"p": ["x", "y"]}
    assert merged["item_assets"] == {"old": {}}
    assert merged_with_stored(merged, merged, has_others=True) == merged
