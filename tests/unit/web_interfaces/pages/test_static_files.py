"""Only the files that are listed are served, and the vendored ones are what their table says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import web_interfaces
from web_interfaces.pages import assets

STATIC = Path(web_interfaces.__path__[0]) / "static"


def test_a_file_is_found_under_its_versioned_address_for_ever() -> None:
    path = assets.url("geoforge.css").removeprefix("/api/interface/static/")
    asset, lasting = assets.find(path) or pytest.fail("not found")
    assert lasting
    assert asset.media_type == "text/css"
    assert asset.content == (STATIC / "geoforge.css").read_bytes()


@pytest.mark.parametrize("path", ["geoforge.css", "0123456789ab/geoforge.css"])
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
        "geoforge.css/",
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
    rows = re.findall(r"^\| \[(\w+)\]\S+ \| ([\d.]+) \| (\w+) \| `(\S+)` \|", table, re.MULTILINE)
    listed = {file for _, _, _, file in rows}
    present = {
        file.relative_to(STATIC / "vendor").as_posix()
        for pattern in ("*.*s", "*.svg")
        for file in STATIC.glob(f"vendor/*/{pattern}")
    }
    assert listed == present
    for name, version, licence, file in rows:
        folder = (STATIC / "vendor" / file).parent
        assert (folder / "LICENSE").is_file()
        assert licence in ("0BSD", "ISC")
        if name == "htmx":
            assert f'version:"{version}"' in (STATIC / "vendor" / file).read_text()


def test_no_page_loads_anything_from_another_host() -> None:
    templates = Path(web_interfaces.__path__[0]) / "templates"
    for template in templates.rglob("*.html"):
        assert not re.search(r'(?:src|href)="(?:https?:)?//', template.read_text()), template
