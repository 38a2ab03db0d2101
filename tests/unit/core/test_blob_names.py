"""Names of containers and paths inside them."""

from __future__ import annotations

import pytest

from core.blob_names import check_blob_path, check_container_name, resolve


@pytest.mark.parametrize("name", ["abc", "a1b", "bronze-cdl", "0-0", "x" * 63])
def test_names_that_azure_allows(name: str) -> None:
    assert check_container_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "ab", "x" * 64, "Bronze", "a--b", "-ab", "ab-", "a_b", "a.b", "a b", "abc\n", "ünicode"],
)
def test_names_that_azure_forbids(name: str) -> None:
    with pytest.raises(ValueError, match="3 to 63 characters"):
        check_container_name(name)


@pytest.mark.parametrize("path", ["a", "a/b/c.tif", "a b/ü.tif", "..a/b..", "x" * 1024])
def test_paths_inside_a_container(path: str) -> None:
    assert check_blob_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "x" * 1025,
        "/a",
        "a//b",
        "a/",
        "..",
        "a/../b",
        "./a",
        "a/%2e%2e/b",
        "a\\b",
        "a\0b",
        "a\nb",
    ],
)
def test_paths_that_climb_out_or_hide_something(path: str) -> None:
    with pytest.raises(ValueError, match="must"):
        check_blob_path(path)


@pytest.mark.parametrize(
    ("base", "href", "path"),
    [
        ("collection.json", "./items/a.json", "items/a.json"),
        ("a/b/item.json", "../../data/x.tif", "data/x.tif"),
        ("a/b/item.json", "x.tif", "a/b/x.tif"),
        ("a/b/item.json", "/data/x.tif", "data/x.tif"),
    ],
)
def test_a_link_is_resolved_from_where_it_stands(base: str, href: str, path: str) -> None:
    assert resolve(base, href) == path


@pytest.mark.parametrize("href", ["../x.tif", "../../x.tif", "..", ".", "a/../../x", "%2e%2e/x"])
def test_a_link_that_climbs_out_is_refused(href: str) -> None:
    with pytest.raises(ValueError, match=r"must|climbs"):
        resolve("collection.json", href)
