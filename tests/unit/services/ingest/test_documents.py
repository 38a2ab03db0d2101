"""Which documents pass for STAC."""

from __future__ import annotations

from typing import Any

import pytest

from services.ingest.documents import DocumentError, check_collection, check_item, parse
from tests.support.stac_collection import make_collection, make_item

ITEM = make_item("a", "tiles", "a.tif")


def without(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != name}


@pytest.mark.parametrize("version", ["1.0.0", "1.0.0-rc.2", "1.1.0", "1.1.3"])
def test_both_versions_of_stac_pass(version: str) -> None:
    check_item({**ITEM, "stac_version": version})
    check_collection({**COLLECTION, "stac_version": version})


COLLECTION = make_collection("nowhere", items=0).document


@pytest.mark.parametrize(
    ("item", "culprit"),
    [
        ({**ITEM, "type": "FeatureCollection"}, "^type:"),
        (without(ITEM, "stac_version"), "^stac_version:"),
        ({**ITEM, "stac_version": "0.9.0"}, "^stac_version:"),
        ({**ITEM, "stac_version": "2.0.0"}, "^stac_version:"),
        (without(ITEM, "id"), "^id:"),
        ({**ITEM, "id": ""}, "^id:"),
        ({**ITEM, "id": "x" * 513}, "^id:"),
        (without(ITEM, "assets"), "^assets:"),
        (without(ITEM, "links"), "^links:"),
        (without(ITEM, "bbox"), "bbox"),
        ({**ITEM, "bbox": [1, 2, 3]}, "^bbox"),
        ({**ITEM, "assets": {"a": {}}}, "^assets.a.href:"),
        ({**ITEM, "geometry": {"type": "Polygon", "coordinates": [[[1, 2]]]}}, "^geometry"),
        ({**without(ITEM, "bbox"), "geometry": None}, "^geometry: is null"),
        ({**ITEM, "properties": {}}, "datetime"),
        ({**ITEM, "properties": {"datetime": None}}, "datetime"),
        ({**ITEM, "properties": {"datetime": "yesterday"}}, "^properties.datetime:"),
        ({**ITEM, "properties": {"datetime": "2020-01-01T00:00:00"}}, "^properties.datetime:"),
        ({**ITEM, "properties": {"datetime": 1577836800}}, "^properties.datetime:"),
        (
            {
                **ITEM,
                "properties": {
                    "datetime": None,
                    "start_datetime": "2021-01-01T00:00:00Z",
                    "end_datetime": "2020-01-01T00:00:00Z",
                },
            },
            "^properties.start_datetime:",
        ),
        ({**ITEM, "properties": {**ITEM["properties"], "a": "\0"}}, "NUL"),
    ],
)
def test_items_at_fault_name_the_field(item: dict[str, Any], culprit: str) -> None:
    with pytest.raises(DocumentError, match=culprit):
        check_item(item)


def test_a_backslash_before_u0000_is_text() -> None:
    check_item({**ITEM, "properties": {**ITEM["properties"], "a": "\\u0000"}})


@pytest.mark.parametrize(
    ("collection", "culprit"),
    [
        (ITEM, "^type:"),
        ({**COLLECTION, "type": "Catalog"}, "^type:"),
        (without(COLLECTION, "license"), "^license:"),
        (without(COLLECTION, "extent"), "^extent:"),
        (without(COLLECTION, "links"), "^links:"),
        ({**COLLECTION, "id": "a/b"}, "^id:"),
        ({**COLLECTION, "extent": {"spatial": {"bbox": [[0, 0, 1, 1]]}}}, "^extent.temporal:"),
    ],
)
def test_collections_at_fault_name_the_field(collection: dict[str, Any], culprit: str) -> None:
    with pytest.raises(DocumentError, match=culprit):
        check_collection(collection)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b'{"a": NaN}', b'{"a": 1e400}', b"\xff"]
)
def test_what_is_not_a_json_object(data: bytes) -> None:
    with pytest.raises(DocumentError):
        parse(data)


def test_a_byte_order_mark_is_taken_off() -> None:
    assert parse(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
