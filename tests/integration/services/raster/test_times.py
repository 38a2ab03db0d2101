"""When a raster in storage was taken, by what lies beside it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from infrastructure import blob_storage
from services.raster import times
from services.raster.time_sidecars import MAX_BYTES
from tests.support.stac_collection import new_container

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def bronze() -> str:
    return new_container("bronze")


def put(container: str, path: str, data: bytes = b"") -> None:
    blob_storage.write_bytes(container, path, data)


@pytest.mark.parametrize("sidecar", ["a/dem.json", "a/dem.tif.json"])
def test_the_json_of_its_name_is_read(bronze: str, sidecar: str) -> None:
    put(bronze, "a/dem.tif")
    put(bronze, sidecar, b'{"properties": {"datetime": "2019-05-04T03:02:01Z"}}')
    put(bronze, "dem.json", b'{"datetime": "2001-01-01T00:00:00Z"}')
    when = times.of_blob(bronze, "a/dem.tif", tags={})
    assert (when.nominal, when.source) == (datetime(2019, 5, 4, 3, 2, 1, tzinfo=UTC), "sidecar")


def test_one_of_any_size_is_not_read(bronze: str) -> None:
    put(bronze, "dem.tif")
    put(bronze, "dem.json", b" " * (MAX_BYTES + 1))
    when = times.of_blob(bronze, "dem.tif", tags={})
    assert when.source == "unknown"
    (caveat,) = when.warnings
    assert caveat.code == "sidecar_not_understood"
    assert f"limit of {MAX_BYTES}" in caveat.message


def test_without_any_hint_it_ends_with_the_file(bronze: str) -> None:
    put(bronze, "dem.tif")
    written = blob_storage.properties(bronze, "dem.tif")
    assert written is not None
    when = times.of_blob(bronze, "dem.tif", tags={"TIFFTAG_DATETIME": "2001:01:01 00:00:00"})
    assert (when.nominal, when.source, when.warnings) == (None, "unknown", ())
    assert (when.start, when.end) == (times.BEGINNING, written.last_modified)


def test_what_the_job_was_told_needs_no_file(bronze: str) -> None:
    acquired = datetime(2020, 1, 1, tzinfo=UTC)
    assert times.of_blob(bronze, "gone.tif", tags={}, acquired=acquired).nominal == acquired
