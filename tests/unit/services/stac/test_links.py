"""Addresses and links."""

from __future__ import annotations

from services.stac.links import Addresses, address_with, linked_collection, linked_item

AT = Addresses("https://geoforge.test")


def test_ids_are_escaped_in_addresses() -> None:
    address = AT.item("a/b", "ü?#")
    assert address == "https://geoforge.test/api/stac/collections/a%2Fb/items/%C3%BC%3F%23"


def test_a_function_key_never_gets_into_a_link() -> None:
    assert address_with("https://x", {"code": "secret", "limit": "1"}) == "https://x?limit=1"
    assert address_with("https://x", {"code": "secret"}) == "https://x"


def test_stored_structural_links_are_replaced_and_others_kept() -> None:
    stored = {
        "id": "i",
        "collection": "c",
        "links": [
            {"rel": "self", "href": "./i.json"},
            {"rel": "derived_from", "href": "https://source.test"},
        ],
    }
    links = linked_item(stored, AT)["links"]
    assert [each["rel"] for each in links] == [
        "self", "root", "parent", "collection", "derived_from",
    ]  # fmt: skip
    assert links[0]["href"] == AT.item("c", "i")
    assert stored["links"][0]["href"] == "./i.json", "the stored item was changed"


def test_what_geoforge_serves_itself_gets_the_address_where_it_does() -> None:
    stored = {
        "id": "c",
        "assets": {
            "own": {"href": "/api/styles/c", "roles": ["style"]},
            "foreign": {"href": "https://source.test/api/c.tif"},
        },
    }
    assets = linked_collection(stored, AT)["assets"]
    assert assets["own"] == {"href": "https://geoforge.test/api/styles/c", "roles": ["style"]}
    assert assets["foreign"]["href"] == "https://source.test/api/c.tif"
    item = {"id": "i", "collection": "c", "links": [{"rel": "via", "href": "/api/jobs/1"}]}
    assert linked_item(item, AT)["links"][-1]["href"] == "https://geoforge.test/api/jobs/1"
    assert "assets" not in linked_collection({"id": "c"}, AT)


def test_an_item_without_links_or_of_unknown_place_is_no_error() -> None:
    assert linked_item({"id": "i"}, AT) == {"id": "i"}
    assert linked_item({"id": "i", "collection": "c"}, AT)["links"][0]["rel"] == "self"
    assert linked_collection({"id": "c", "links": None}, AT)["links"][0]["rel"] == "self"


def test_an_item_with_a_range_says_that_it_has_no_single_time() -> None:
    ranged = {"start_datetime": "2020-01-01T00:00:00Z", "end_datetime": "2020-12-31T00:00:00Z"}
    item = {"id": "a", "collection": "b", "links": [], "properties": ranged}
    assert linked_item(item, AT)["properties"] == {"datetime": None, **ranged}
    assert linked_item(item, AT, is_whole=False)["properties"] == ranged
    timed = {**item, "properties": {**ranged, "datetime": "2020-06-01T00:00:00Z"}}
    assert linked_item(timed, AT)["properties"] == timed["properties"]
    assert "datetime" not in linked_item({**item, "properties": {"gsd": 10}}, AT)["properties"]
