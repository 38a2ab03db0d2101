"""What hrefs in STAC documents point at."""

from __future__ import annotations

import pytest

from services.ingest.hrefs import HrefError, Inside, Outside, is_absolute, locate

URL = "https://account.blob.core.windows.net/bronze"


@pytest.mark.parametrize(
    ("href", "path"),
    [
        ("x.json", "a/b/x.json"),
        ("./x.json", "a/b/x.json"),
        ("../x.json", "a/x.json"),
        ("../../x.json", "x.json"),
        ("/x.json", "x.json"),
        ("c//x.json", "a/b/c/x.json"),
        ("2020-01-01T10:00:00.json", "a/b/2020-01-01T10:00:00.json"),
        (f"{URL}/c/x.json", "c/x.json"),
        (f"{URL}/c/x.json?sv=1&sig=abc#part", "c/x.json"),
        (f"{URL}/c/x%20y.json", "c/x y.json"),
        ("HTTPS://ACCOUNT.blob.core.windows.net/bronze/x.json", "x.json"),
    ],
)
def test_hrefs_inside_the_container(href: str, path: str) -> None:
    assert locate("a/b/item.json", href, URL) == Inside((path,))


def test_an_href_may_be_encoded_or_not() -> None:
    assert locate("item.json", "a%20b.tif", URL) == Inside(("a%20b.tif", "a b.tif"))


@pytest.mark.parametrize(
    "href",
    [
        "https://example.com/x.tif",
        "https://account.blob.core.windows.net/other/x.tif",
        "https://account.blob.core.windows.net/bronze-2/x.tif",
        "s3://bucket/x.tif",
        "//example.com/x.tif",
    ],
)
def test_addresses_elsewhere(href: str) -> None:
    assert locate("a/item.json", href, URL) == Outside(href)
    assert is_absolute(href)


@pytest.mark.parametrize(
    ("href", "why"),
    [
        ("", "is empty"),
        ("../../x.json", "climbs out"),
        ("../%2e%2e/x.json", "parts"),
        (f"{URL}/../other/x.json", "parts"),
        (f"{URL}/a/%2e%2e/%2e%2e/other/x.json", "parts"),
        ("file:///etc/passwd", "somebody's computer"),
        ("C:/data/x.tif", "somebody's computer"),
        ("..\\x.tif", "backslashes"),
        ("a\nb.tif", "control"),
    ],
)
def test_hrefs_that_lead_nowhere(href: str, why: str) -> None:
    with pytest.raises(HrefError, match=why):
        locate("a/item.json", href, URL)
