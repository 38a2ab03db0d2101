"""How much of the disk COGs take, and what is raised where it is full."""

from __future__ import annotations

import errno
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from core.errors import PermanentTaskError, TransientTaskError
from infrastructure.file_cache import Entry
from services.raster import children, room
from services.raster.files import Settled
from services.raster.model import Band, CogPlan, Facts
from services.vector.source_files import LocalSource
from tests.support.settings import app_settings

Usage = namedtuple("Usage", "total used free")
MEGABYTE = 1 << 20
# 40 MB when decoded.
FACTS = Facts(driver="GTiff", width=1000, height=1000, file_bytes=80_000_000,
              bands=tuple(Band(number=i, dtype="float32") for i in range(1, 11)))  # fmt: skip


def settled(height: int = 1000, **more: Any) -> Settled:
    fields = {"type": "continuous", "tier": "analysis", "compression": "DEFLATE",
              "overview_resampling": "average", "resampling": "bilinear",
              "lossless": True, **more}  # fmt: skip
    return Settled(plan=CogPlan.model_validate(fields), width=1000, height=height)


def facts(**more: Any) -> Facts:
    return FACTS.model_copy(update=more)


def test_half_of_the_pixels_and_overviews_twice_are_asked_for() -> None:
    assert room.for_cog(FACTS, settled()) == pytest.approx(20e6 * 5 / 3, abs=1)
    assert room.for_strip(FACTS, settled(), 500) == 10_000_000


def test_what_is_packed_well_needs_little() -> None:
    packed = facts(file_bytes=1_000_000, compression="LZW")
    assert room.for_strip(packed, settled(), 1000) == 2_000_000
    jpeg = facts(file_bytes=1_000_000, compression="JPEG")
    assert room.for_strip(jpeg, settled(), 1000) == 20_000_000
    assert room.for_strip(jpeg, settled(lossless=False, compression="JPEG"), 1000) == 5_000_000
    assert room.for_strip(packed, settled(compression="NONE"), 1000) == 40_000_000


def test_the_pixels_of_a_warp_are_kept_beside() -> None:
    taller = settled(height=2000, warp_to="EPSG:4326")
    assert room.for_cog(FACTS, taller) == pytest.approx(40e6 * 5 / 3 + 40e6, abs=1)


def test_no_more_is_asked_for_than_can_be_told() -> None:
    huge = facts(width=400_000, height=400_000, file_bytes=10**13)
    assert room.for_cog(huge, settled()) <= 16 << 30


def free(monkeypatch: pytest.MonkeyPatch, *sizes: int) -> None:
    """Have the disk so much free at each look, and the last of it from then on."""
    left = list(sizes)

    def usage(_: Path) -> Usage:
        return Usage(10 << 30, 0, left.pop(0) if len(left) > 1 else left[0])

    monkeypatch.setattr(shutil, "disk_usage", usage)


def looks_into_nothing(folder: Path) -> None:
    source = LocalSource(folder, [], Entry(folder), lambda: None)
    with (
        app_settings(GEOFORGE_MAX_RASTER_PIXELS="2000000000"),
        children.brief_child(source, 120) as child,
    ):
        children.call(
            child,
            "services.raster.child.facts:nothing_of_this_name",
            {},
            check=None,
            what="dem.tif",
        )


def test_a_failure_on_a_full_disk_says_nothing_of_the_raster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, 10 * MEGABYTE)
    with pytest.raises(TransientTaskError, match=r"dem\.tif: .* disk is full") as caught:
        looks_into_nothing(tmp_path)
    assert caught.value.error_code == "not_enough_disk"


def test_a_failure_on_a_disk_with_room_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, 1000 * MEGABYTE)
    with pytest.raises(PermanentTaskError) as caught:
        looks_into_nothing(tmp_path)
    assert caught.value.error_code == "raster_failed"


def test_a_disk_that_was_full_is_remembered_when_it_has_been_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, 10 * MEGABYTE, 1000 * MEGABYTE)
    watch = room.Watch([tmp_path], None)
    watch.look()
    assert watch.was_full("damaged")


def test_a_disk_that_fills_too_fast_to_be_seen_full_counts_as_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, 1000 * MEGABYTE, 400 * MEGABYTE, 1000 * MEGABYTE)
    watch = room.Watch([tmp_path], None)
    watch.look()
    assert watch.was_full("damaged")


def test_what_is_written_where_there_is_room_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, 1000 * MEGABYTE, 900 * MEGABYTE, 800 * MEGABYTE)
    watch = room.Watch([tmp_path], None)
    watch.look()
    assert not watch.was_full("damaged")


def test_what_gdal_says_of_a_full_disk_is_heeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, 1000 * MEGABYTE)
    watch = room.Watch([tmp_path], None)
    assert watch.was_full("cog_failed: _tiffWriteProc:No space left on device")
    assert not watch.was_full("TIFFReadEncodedTile failed")


def test_an_error_of_this_process_is_told_as_one_of_the_disk() -> None:
    with (
        pytest.raises(TransientTaskError, match=r"dem\.tif: No space left") as caught,
        room.told("dem.tif"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.error_code == "not_enough_disk"
    with pytest.raises(FileNotFoundError), room.told("dem.tif"):
        raise FileNotFoundError(errno.ENOENT, "No such file")
