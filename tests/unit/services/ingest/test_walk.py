"""Following links, on documents in memory."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

import pytest

from core.errors import NotFound, Unavailable
from services.ingest.quarantine import Quarantined, Reason
from services.ingest.walk import CollectionWalk, FoundItem

URL = "http://127.0.0.1:1/devstoreaccount1/bronze"


class Container:
    """Documents by path; counts how often each is read."""

    def __init__(self, **documents: Any) -> None:
        self.documents = {name.replace("__", "/"): each for name, each in documents.items()}
        self.reads: Counter[str] = Counter()

    def read(self, path: str) -> bytes:
        self.reads[path] += 1
        # The first documents come last: the order must not depend on it.
        time.sleep(0.02 / (1 + self.reads.total()))
        if path not in self.documents:
            raise NotFound(f"no {path}", code="blob_not_found")
        return json.dumps(self.documents[path]).encode()

    def walk(self, *links: tuple[str, str]) -> list[FoundItem | Quarantined]:
        document = {"id": "root", "type": "Collection", "links": as_links(*links)}
        return list(CollectionWalk("collection.json", document, URL, self.read))


def as_links(*links: tuple[str, str]) -> list[dict[str, str]]:
    return [{"rel": rel, "href": href} for rel, href in links]


def item(name: str) -> dict[str, Any]:
    return {"type": "Feature", "id": name}


def names(found: list[FoundItem | Quarantined]) -> list[str]:
    return [each.item["id"] for each in found if isinstance(each, FoundItem)]


def test_items_come_in_the_order_of_their_links() -> None:
    container = Container(**{f"i{n}": item(f"i{n}") for n in range(60)})
    found = container.walk(*(("item", f"i{n}") for n in range(60)))
    assert names(found) == [f"i{n}" for n in range(60)]


def test_each_document_is_read_once_and_cycles_end() -> None:
    container = Container(
        a={"type": "Catalog", "links": as_links(("child", "b"), ("item", "x"), ("item", "./x"))},
        b={"type": "Catalog", "links": as_links(("child", "a"), ("child", "collection.json"))},
        x=item("x"),
    )
    found = container.walk(("child", "a"), ("child", "./a"), ("item", "x"))
    assert names(found) == ["x"]
    assert container.reads == {"a": 1, "b": 1, "x": 1}


def test_pages_of_an_item_collection_are_followed() -> None:
    page = {"type": "FeatureCollection"}
    container = Container(
        one={**page, "features": [item("a")], "links": as_links(("next", "two"))},
        two={**page, "features": [item("b")], "links": as_links(("next", "one"))},
    )
    assert names(container.walk(("items", "one"))) == ["a", "b"]


def test_items_may_name_the_collections_that_lead_to_them() -> None:
    container = Container(
        child={"type": "Collection", "id": "child", "links": as_links(("item", "x"))},
        x=item("x"),
        y=item("y"),
    )
    found = container.walk(("child", "child"), ("item", "y"))
    allowed = {each.item["id"]: each.collections for each in found if isinstance(each, FoundItem)}
    assert allowed == {"x": {"root", "child"}, "y": {"root"}}


def test_what_cannot_be_read_is_quarantined() -> None:
    container = Container(odd=[1, 2], fc={"type": "FeatureCollection", "features": {}})
    found = container.walk(
        ("item", "gone"), ("item", "odd"), ("item", "fc"), ("item", "../up"),
        ("item", "https://example.com/x"), ("child", "gone-too"),
    )  # fmt: skip
    reasons = [each.reason for each in found if isinstance(each, Quarantined)]
    assert len(reasons) == len(found)
    assert Counter(reasons) == {
        Reason.MISSING_SIDECAR: 2,
        Reason.UNREADABLE_SIDECAR: 2,
        Reason.OUTSIDE_CONTAINER: 2,
    }


def test_links_to_the_api_that_a_collection_came_from_are_no_items() -> None:
    container = Container(x=item("x"))
    found = container.walk(("items", "https://example.com/collections/a/items"), ("item", "x"))
    assert names(found) == ["x"]
    assert len(found) == 1


def test_links_that_are_no_links_are_told() -> None:
    document = {"id": "r", "links": [{"rel": "item"}, "x", {"href": "y"}, {"rel": "self"}]}
    found = list(CollectionWalk("c.json", document, URL, Container().read))
    assert [each.reason for each in found if isinstance(each, Quarantined)] == [
        Reason.OUTSIDE_CONTAINER
    ]


@pytest.mark.parametrize(
    "error",
    [
        NotFound("no container", code="container_not_found"),
        Unavailable("down", code="storage_unavailable"),
    ],
)
def test_trouble_with_the_whole_container_ends_the_walk(error: Exception) -> None:
    def read(path: str) -> bytes:
        raise error

    document = {"id": "r", "links": as_links(*(("item", f"i{n}") for n in range(100)))}
    with pytest.raises(type(error)):
        list(CollectionWalk("c.json", document, URL, read))
