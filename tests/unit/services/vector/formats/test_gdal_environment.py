"""What GDAL can do in the child that reads vector files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.sandbox import Limits, Sandbox
from services.vector.formats.gdal_environment import ALLOWED_DRIVERS, ENVIRONMENT, PRELOAD

HERE = "tests.unit.services.vector.formats.gdal_functions"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    limits = Limits(memory_bytes=200 << 20, written_file_bytes=1 << 20)
    with Sandbox(limits, environment=ENVIRONMENT, preload=PRELOAD, readable=[]) as sandbox:
        yield sandbox


def test_the_child_sees_the_allowed_drivers_and_no_other(sandbox: Sandbox) -> None:
    assert set(sandbox.call(f"{HERE}:drivers")) == ALLOWED_DRIVERS


def test_every_allowed_driver_works_without_the_others(sandbox: Sandbox) -> None:
    for driver in sorted(ALLOWED_DRIVERS - {"OpenFileGDB"}):
        assert sandbox.call(f"{HERE}:write_and_count", {"driver": driver}) == 3, driver


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.vrt", "<OGRVRTDataSource><OGRVRTLayer name='a'/></OGRVRTDataSource>"),
        ("a.kml", "<OGRVRTDataSource><OGRVRTLayer name='a'/></OGRVRTDataSource>"),
        ("a.geojson", '{"type": "Point", "coordinates": [1, 2]}'),
        ("a.csv", "x,y\n1,2\n"),
        ("a.xml", "<OGRWFSDataSource><URL>http://127.0.0.1/</URL></OGRWFSDataSource>"),
    ],
)
def test_what_is_not_allowed_is_not_opened(sandbox: Sandbox, name: str, text: str) -> None:
    (sandbox.directory / name).write_text(text)
    refusals = (f"'{name}' not recognized", f"ERROR parsing kml {name}")
    assert sandbox.call(f"{HERE}:why_not", {"name": name}).startswith(refusals)


def test_the_libraries_fit_beside_the_memory_limit(sandbox: Sandbox) -> None:
    """What the idle child holds does not count: the calls before this one had 200 MiB."""
    assert sandbox.call(f"{HERE}:address_space_bytes") > sandbox.limits.memory_bytes
    assert sandbox.call(f"{HERE}:buffer_polygons", {"count": 20_000}) == 20_000


def test_reading_writes_nothing_beside_the_file(sandbox: Sandbox) -> None:
    sandbox.call(f"{HERE}:write_and_count", {"driver": "ESRI Shapefile"})
    sandbox.call(f"{HERE}:write_and_count", {"driver": "GPKG"})
    index = sandbox.directory / "out.shx"
    index.write_bytes(index.read_bytes()[:-1] + b"\x09")  # what a repair would change
    before = _files(sandbox)
    for name in ("out.shp", "out.gpkg"):
        assert sandbox.call(f"{HERE}:why_not", {"name": name}) == "it was opened"
    assert _files(sandbox) == before


def _files(sandbox: Sandbox) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sandbox.directory.rglob("*") if path.is_file()}
