"""What GDAL can do in the child that reads and writes rasters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infrastructure.sandbox import Limits, Sandbox
from services.raster.child.gdal_environment import (
    ALLOWED_DRIVERS,
    ENVIRONMENT,
    PRELOAD,
    READ_DRIVERS,
)
from tests.support.raster_files import relief, write_raster

HERE = "tests.unit.services.raster.child.raster_functions"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    limits = Limits(memory_bytes=400 << 20, written_file_bytes=1 << 20)
    with Sandbox(limits, environment=ENVIRONMENT, preload=PRELOAD, readable=[]) as sandbox:
        yield sandbox


def test_the_child_sees_the_allowed_drivers_and_no_other(sandbox: Sandbox) -> None:
    # Memory is MEM's other name, and opens no files either.
    assert set(sandbox.call(f"{HERE}:drivers")) - {"Memory"} == ALLOWED_DRIVERS


@pytest.mark.parametrize(
    ("driver", "name", "dtype"),
    [
        ("GTiff", "a.tif", "float32"),
        ("COG", "cog.tif", "float32"),
        ("HFA", "a.img", "float32"),
        ("AAIGrid", "a.asc", "float32"),
        ("PNG", "a.png", "uint8"),
        ("JPEG", "a.jpg", "uint8"),
        ("JP2OpenJPEG", "a.jp2", "uint8"),
    ],
)
def test_every_format_is_read_without_the_other_drivers(
    sandbox: Sandbox, driver: str, name: str, dtype: str
) -> None:
    import rasterio.shutil

    source = write_raster(sandbox.directory / "source.tif", (relief() / 4).astype(dtype))
    path = sandbox.directory / name
    rasterio.shutil.copy(source, path, driver=driver)

    found = sandbox.call(f"{HERE}:facts", {"path": str(path)})

    assert found["driver"] == {"COG": "GTiff"}.get(driver, driver)
    assert found["driver"] in READ_DRIVERS
    assert (found["width"], found["height"]) == (80, 64)
