"""Only the files that are listed are served, and the vendored ones are what their table says."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
import shapely
from shapely.geometry import shape

import web_interfaces
from web_interfaces.pages import assets

STATIC = Path(web_interfaces.__path__[0]) / "static"


def test_a_file_is_found_under_its_versioned_address_for_ever() -> None:
    path = assets.url("css/base.css").removeprefix("/api/interface/static/")
    asset, lasting = assets.find(path) or pytest.fail("not found")
    assert lasting
    assert asset.media_type == "text/css"
    assert asset.content == (STATIC / "css" / "base.css").read_bytes()


@pytest.mark.parametrize("path", ["css/base.css", "0123456789ab/css/base.css"])
def test_another_version_gets_the_present_file_but_not_for_ever(path: str) -> None:
    found = assets.find(path)
    assert found is not None
    assert not found[1]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "nothing.css",
        "../pages/assets.py",
        "x/../../pages/assets.py",
        "..%2fpages%2fassets.py",
        "/etc/passwd",
        "vendor/README.md",
        "vendor/htmx/LICENSE",
        "css/base.css/",
    ],
)
def test_nothing_else_is_served(path: str) -> None:
    assert assets.find(path) is None
    assert assets.find(f"{assets.version()}/{path}") is None


def test_a_link_to_a_file_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError):
        assets.url("missing.js")


def test_every_vendored_library_is_in_the_table_with_version_and_licence() -> None:
    table = (STATIC / "vendor" / "README.md").read_text()
    rows = re.findall(
        r"^\| \[(\w+)\]\S+ \| ([\d.]+) \| ([\w-]+) \| `(\S+)` \| .* \| `([0-9a-f]{64})` \|$",
        table,
        re.MULTILINE,
    )
    listed = {file for _, _, _, file, _ in rows}
    present = {
        path.removeprefix("vendor/") for path in assets.assets() if path.startswith("vendor/")
    }
    assert listed == present
    for name, version, licence, file, digest in rows:
        content = (STATIC / "vendor" / file).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest, file
        assert (STATIC / "vendor" / file).parent.joinpath("LICENSE").is_file()
        assert licence in ("0BSD", "BSD-3-Clause", "ISC", "MIT")
        if name == "htmx":
            assert f'version:"{version}"'.encode() in content
        if name == "sortablejs":
            assert f"/*! Sortable {version} - {licence} ".encode() in content
        if name == "maplibre" and file.endswith(".js"):
            assert f"maplibre-gl-js/blob/v{version}/LICENSE.txt".encode() in content


def test_the_land_of_the_maps_is_geojson_of_the_whole_world() -> None:
    asset = assets.assets()["vendor/natural-earth/land.geojson"]
    assert asset.media_type == "application/geo+json"
    land = shapely.GeometryCollection(
        [shape(each["geometry"]) for each in json.loads(asset.content)["features"]]
    )
    assert shapely.is_valid(shapely.get_parts(land)).all()
    assert land.bounds == (-180.0, -90.0, 180.0, 83.6)
    assert shapely.covers(land, shapely.points([[-73.9, 42.0], [14.4, 50.1], [133.0, -25.0]])).all()
    assert not shapely.covers(land, shapely.points([[-30.0, 40.0], [-150.0, 0.0]])).any()


def test_no_page_loads_anything_from_another_host() -> None:
    templates = Path(web_interfaces.__path__[0]) / "templates"
    for template in templates.rglob("*.html"):
        assert not re.search(r'(?:src|href)="(?:https?:)?//', template.read_text()), template
