"""Which assets are rasters of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infrastructure import blob_storage
from services.raster.rendering.published import is_geotiff, located
from tests.support.settings import app_settings


@pytest.fixture(autouse=True)
def _app() -> Iterator[None]:
    with app_settings():
        yield


def test_an_address_in_our_storage_is_a_blob() -> None:
    url = str(blob_storage.blob_client("silver", "a b/ä.tif").url)
    assert located(url) == ("silver", "a b/ä.tif")
    assert located(f"{url}?sv=2024&sig=x") == ("silver", "a b/ä.tif")


@pytest.mark.parametrize(
    "href",
    [
        "https://other.example/silver/a.tif",
        "./a.tif",
        "/vsicurl/http://other.example/a.tif",
        "http://127.0.0.1:1/devstoreaccount1x/silver/a.tif",
        "http://127.0.0.1:1/devstoreaccount1/silver",
        "http://127.0.0.1:1/devstoreaccount1/silver/../secret/a.tif",
        "http://127.0.0.1:1/devstoreaccount1/silver/%2e%2e/secret/a.tif",
        "http://127.0.0.1:1/devstoreaccount1/No_Container/a.tif",
        "",
    ],
)
def test_any_other_is_not_followed(href: str) -> None:
    assert located(href) is None


@pytest.mark.parametrize(
    "container",
    ["geoforge-work", "geoforge-curated", "azure-webjobs-hosts", "azure-webjobs-secrets"],
)
def test_what_the_app_and_its_host_keep_is_not_followed(container: str) -> None:
    assert located(str(blob_storage.blob_client(container, "a.tif").url)) is None


@pytest.mark.parametrize(
    ("asset", "expected"),
    [
        ({"type": "image/tiff; application=geotiff"}, True),
        ({"type": "IMAGE/TIFF", "href": "a.bin"}, True),
        ({"href": "https://x/a.TIF?sig=1"}, True),
        ({"href": "a.tif", "type": "image/png"}, False),
        ({"href": "a.jp2"}, False),
        ({}, False),
    ],
)
def test_a_geotiff_is_told_by_type_or_name(asset: dict[str, Any], expected: bool) -> None:
    assert is_geotiff(asset) is expected
