"""COGs are made in the child: within its memory, with progress, and with nothing left of a
failure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio

from core.errors import PermanentTaskError, TaskCancelled
from infrastructure.file_cache import Entry
from infrastructure.sandbox import Sandbox
from services.raster import children, encoding
from services.raster.parameters import RasterOptions
from services.vector.source_files import LocalSource
from tests.support.cog_making import plan_of
from tests.support.raster_files import relief, write_raster
from tests.support.settings import app_settings


def _go_on() -> None: ...


def _nobody_looks(**facts: int) -> None:
    del facts


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Sandbox]:
    source = LocalSource(tmp_path, [], Entry(tmp_path), lambda: None)
    with app_settings(), children.brief_child(source, 600) as child:
        yield child


def test_a_cog_is_made_verified_and_told_of(child: Sandbox, tmp_path: Path) -> None:
    source = write_raster(tmp_path / "source.tif", np.repeat(relief(1500, 1500), 3, axis=0))
    target = tmp_path / "cog.tif"
    told: list[int] = []
    looks = 0

    def check() -> None:
        nonlocal looks
        looks += 1

    encoded, verification = encoding.make_cog(
        child,
        source,
        target,
        plan_of(source),
        RasterOptions(),
        check=check,
        progress=lambda **facts: told.append(facts["bytes_written"]),
    )
    assert verification is not None
    assert verification.valid_cog
    assert verification.exact
    assert verification.compared == 1500 * 1500
    assert (encoded.width, encoded.height, encoded.overviews) == (1500, 1500, (2, 4))
    assert encoded.bytes == target.stat().st_size
    assert encoded.decoded_bytes == 3 * 4 * 1500 * 1500
    assert looks > 0
    assert told == sorted(told)
    # What is there in between depends on when one looks; the end is always told.
    assert told[-1] >= encoded.bytes


def test_a_file_that_the_child_has_removed_has_no_bytes(tmp_path: Path) -> None:
    file = tmp_path / "cog.tif.ovr.tmp"
    file.write_bytes(b"1234")
    assert encoding.bytes_of(file) == 4
    file.unlink()
    assert encoding.bytes_of(file) == 0


def test_without_verification_there_are_no_statistics(child: Sandbox, tmp_path: Path) -> None:
    source = write_raster(tmp_path / "source.tif")
    target = tmp_path / "cog.tif"
    _, verification = encoding.make_cog(
        child,
        source,
        target,
        plan_of(source),
        RasterOptions(verify=False),
        check=_go_on,
        progress=_nobody_looks,
    )
    assert verification is None
    with rasterio.open(target) as cog:
        assert cog.tags(1) == {}


def test_a_failure_leaves_nothing(child: Sandbox, tmp_path: Path) -> None:
    source = write_raster(tmp_path / "source.tif", relief(900, 900))
    plan = plan_of(source)
    whole = source.read_bytes()
    source.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PermanentTaskError, match=r"source\.tif: .*damaged or cut off") as refused:
        encoding.make_cog(
            child,
            source,
            tmp_path / "cog.tif",
            plan,
            RasterOptions(),
            check=_go_on,
            progress=_nobody_looks,
        )
    assert refused.value.error_code == "cog_failed"
    assert list(tmp_path.iterdir()) == [source]


def test_it_stops_when_it_is_told_to(child: Sandbox, tmp_path: Path) -> None:
    source = write_raster(tmp_path / "source.tif", relief(2500, 2500))

    def check() -> None:
        raise TaskCancelled("The job was cancelled.")

    with pytest.raises(TaskCancelled):
        encoding.make_cog(
            child,
            source,
            tmp_path / "cog.tif",
            plan_of(source, target_crs="EPSG:4326"),
            RasterOptions(),
            check=check,
            progress=_nobody_looks,
        )
    assert list(tmp_path.iterdir()) == [source]


def test_a_cog_of_another_raster_is_refused(child: Sandbox, tmp_path: Path) -> None:
    source = write_raster(tmp_path / "source.tif", relief(600, 600))
    other = write_raster(tmp_path / "other.tif", relief(600, 600, seed=7))
    plan = plan_of(source)
    target = tmp_path / "cog.tif"
    encoding.make_cog(
        child, other, target, plan, RasterOptions(), check=_go_on, progress=_nobody_looks
    )
    with pytest.raises(PermanentTaskError, match="band 1 at column 0, row 0: ") as refused:
        encoding.verify(child, source, target, plan, memory_mb=512, check=_go_on)
    assert refused.value.error_code == "verification_failed"
