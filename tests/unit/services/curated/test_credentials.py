"""Which credentials are there, and where they may go."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from core.errors import PermanentTaskError
from services.curated import credentials
from tests.support.settings import app_settings


@pytest.fixture(autouse=True)
def _app() -> Iterator[None]:
    tokens = {
        "LAKES_KEY": {"origin": "https://data.example.org", "token": "s3cret"},
        "PORT_KEY": {"origin": "https://data.example.org:8443", "token": "s3cret"},
    }
    with app_settings(GEOFORGE_CREDENTIALS=json.dumps(tokens), IBAT_AUTH_KEY="k3y\n"):
        yield


def test_what_is_missing_is_named() -> None:
    wanted = ["IBAT_AUTH_KEY", "IBAT_AUTH_TOKEN", "LAKES_KEY", "OTHER_KEY"]
    assert credentials.missing(wanted) == ("IBAT_AUTH_TOKEN", "OTHER_KEY")
    assert credentials.missing([]) == ()


@pytest.mark.parametrize("name", ["GEOFORGE_WORK_CONTAINER", "GEOFORGE_ALLOWED_HOSTS", "PATH"])
def test_a_setting_that_holds_no_secret_is_no_credential(name: str) -> None:
    assert credentials.missing([name]) == (name,)


def test_a_secret_comes_from_its_setting() -> None:
    assert credentials.secret("IBAT_AUTH_KEY").get_secret_value() == "k3y"
    for name in ("IBAT_AUTH_TOKEN", "LAKES_KEY"):
        with pytest.raises(PermanentTaskError, match=f"{name} is not set") as raised:
            credentials.secret(name)
        assert raised.value.error_code == "credentials_missing"


@pytest.mark.parametrize(
    "url",
    [
        "https://data.example.org/lakes.gpkg?year=2023",
        "https://DATA.example.org:443/lakes.gpkg",
    ],
)
def test_a_token_opens_its_origin(url: str) -> None:
    assert credentials.bearer("LAKES_KEY", url) == {"Authorization": "Bearer s3cret"}


@pytest.mark.parametrize(
    "url",
    [
        "http://data.example.org/lakes.gpkg",
        "https://data.example.org:8443/lakes.gpkg",
        "https://data.example.org.evil.test/lakes.gpkg",
        "https://evil.test/data.example.org",
    ],
)
def test_it_goes_nowhere_else(url: str) -> None:
    with pytest.raises(
        PermanentTaskError, match=r"bound to https://data\.example\.org in"
    ) as raised:
        credentials.bearer("LAKES_KEY", url)
    assert raised.value.error_code == "credentials_elsewhere"
    assert "s3cret" not in str(raised.value.as_record())
