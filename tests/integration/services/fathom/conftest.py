"""The app's settings on servers of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.settings import app_settings


@pytest.fixture
def app(database_url: str, blob_connection_string: str, tmp_path: Path) -> Iterator[None]:
    """A database of the test's own, beside the blobs of all tests."""
    with app_settings(
        DATABASE_URL=database_url,
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        GEOFORGE_SOURCE_CACHE_DIR=str(tmp_path / "sources"),
    ):
        yield


@pytest.fixture
def one_app(ledger_url: str, blob_connection_string: str, tmp_path: Path) -> Iterator[None]:
    """A database for all tests of a module, which write under prefixes of their own."""
    with app_settings(
        DATABASE_URL=ledger_url,
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        GEOFORGE_SOURCE_CACHE_DIR=str(tmp_path / "sources"),
    ):
        yield
