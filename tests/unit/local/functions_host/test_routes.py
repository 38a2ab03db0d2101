"""Route templates and their precedence."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.functions_host.routes import Found, RouteError, RouteTable, Template, WrongMethod


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("api/jobs", "/api/jobs", {}),
        ("api/jobs", "/API/Jobs/", {}),
        ("api/jobs", "/api/jobs/1", None),
        ("jobs/{id}", "/jobs/a%20b", {"id": "a b"}),
        ("jobs/{id}", "/jobs/a%2Fb", {"id": "a/b"}),
        ("jobs/{id}", "/jobs/", None),
        ("jobs/{id:int}", "/jobs/-12", {"id": "-12"}),
        ("jobs/{id:int}", "/jobs/x", None),
        ("jobs/{id:int?}", "/jobs", {}),
        ("jobs/{id=all}", "/jobs", {"id": "all"}),
        ("jobs/{id=all}", "/jobs/7", {"id": "7"}),
        ("files/{*path}", "/files/a/b/c.tif", {"path": "a/b/c.tif"}),
        ("files/{*path}", "/files", {}),
        ("{*path}", "/", {"path": ""}),
        ("tiles/{z:int}/{x:int}/{y:int}.pbf", "/tiles/3/1/2.pbf", {"z": "3", "x": "1", "y": "2"}),
        ("tiles/{z:int}/{x:int}/{y:int}.pbf", "/tiles/3/1/2.png", None),
        ("v-{a}-{b}", "/v-1-2", {"a": "1", "b": "2"}),
        ("g/{id:guid}", "/g/0f8fad5b-d9cb-469f-a165-70867728950e", None),
        ("a.b", "/axb", None),
    ],
)
def test_match(template: str, path: str, expected: dict[str, str] | None) -> None:
    if template.startswith("g/"):
        expected = {"id": "0f8fad5b-d9cb-469f-a165-70867728950e"}
    assert Template.compile(template).match(path) == expected


@pytest.mark.parametrize("template", ["a/{b", "a/b}", "a/{b:even}", "a/x{*rest}", "a/{b}/{b}"])
def test_template_that_cannot_be_understood_is_refused(template: str) -> None:
    with pytest.raises(RouteError, match="route"):
        Template.compile(template)


def test_the_most_specific_route_wins_in_whatever_order_they_come() -> None:
    templates = ["{*rest}", "jobs/{id}", "jobs/types", "jobs/{n:int}", "jobs/{id}/{tail}"]
    expected = {
        "/jobs/types": "jobs/types",
        "/jobs/12": "jobs/{n:int}",
        "/jobs/abc": "jobs/{id}",
        "/jobs/abc/tasks": "jobs/{id}/{tail}",
        "/other": "{*rest}",
    }
    for order in (templates, templates[::-1]):
        table: RouteTable[str] = RouteTable()
        for template in order:
            table.add(template, ["GET"], template)
        for path, target in expected.items():
            found = table.find("GET", path)
            assert isinstance(found, Found)
            assert found.target == target


def test_methods() -> None:
    table: RouteTable[str] = RouteTable()
    table.add("jobs/{id}", ["get"], "read")
    table.add("jobs/{id}", ["PUT", "DELETE"], "write")
    table.add("any", [], "any")
    assert table.find("PUT", "/jobs/1") == Found("write", {"id": "1"})
    assert table.find("HEAD", "/jobs/1") == Found("read", {"id": "1"})
    assert table.find("PATCH", "/jobs/1") == WrongMethod(("DELETE", "GET", "PUT"))
    assert table.find("PATCH", "/any") == Found("any", {})
    assert table.find("GET", "/none") is None


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_value_comes_back_as_it_was(value: str) -> None:
    match = Template.compile("x/{value}").match(f"/x/{quote(value, safe='')}")
    assert match == {"value": value}
