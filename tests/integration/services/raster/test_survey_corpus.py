"""Real rasters, odd and broken ones among them: each is surveyed, or refused for what it is."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import PermanentTaskError
from infrastructure.file_cache import Entry
from infrastructure.sandbox import Sandbox
from services.raster import children, sources, surveying
from services.raster.parameters import RasterOptions
from services.vector.source_files import LocalSource
from tests.support.settings import app_settings

_CHECKOUT = Path(__file__).parents[4]
_DATA = Path(os.environ.get("GEOFORGE_DATA", _CHECKOUT.parent / "shared" / "data")) / "4_rasters"

pytestmark = pytest.mark.skipif(
    not _DATA.is_dir(), reason=f"no sample rasters at {_DATA} (GEOFORGE_DATA)"
)

# All others are surveyed, and have a place on the Earth.
_REFUSED = {
    "broken/gdal__corrupted_deflate_singlestrip.tif": "damaged_pixels",
    "broken/gdal__huge_raster_with_ovr_huge_block.tif": "raster_too_large",
    "broken/rasterio__corrupt.tif": "damaged_pixels",
    "rasterio__float_nan.tif": "crs_missing",
    "rasterio__rotated.tif": "crs_missing",
    "rio-tiler__cog_gcps.tif": "gcps_only",
    "rioxarray__cint16.tif": "gcps_only",
    "rioxarray__test_rpcs.tif": "rpcs_only",
    "terra__logo.tif": "not_on_earth",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("source")


@pytest.fixture(scope="module")
def child(folder: Path) -> Iterator[Sandbox]:
    with app_settings(), children.brief_child(_source(folder), 600) as child:
        yield child


def test_every_raster_is_surveyed_or_refused_for_what_it_is(child: Sandbox, folder: Path) -> None:
    files = [path for path in sorted(_DATA.rglob("*")) if path.is_file()]
    verdicts = {str(path.relative_to(_DATA)): _verdict(child, path, folder) for path in files}

    refused = {name: code for name, code in verdicts.items() if code is not None}
    assert refused == {name: code for name, code in _REFUSED.items() if name in verdicts}
    assert len(verdicts) > len(refused)


def _verdict(child: Sandbox, file: Path, folder: Path) -> str | None:
    """The code of the refusal of a raster, None where there is none."""
    place = Path(tempfile.mkdtemp(dir=folder))
    copy = Path(shutil.copy(file, place))
    parameters = RasterOptions()
    try:
        raster = sources.raster_path(_source(place, copy), child, None)
        found = surveying.survey(child, raster, file.name, parameters, None)
        surveying.refuse_unusable(found, file.name, parameters)
    except PermanentTaskError as error:
        return error.error_code
    return None


def _source(folder: Path, *files: Path) -> LocalSource:
    return LocalSource(folder, list(files), Entry(folder), lambda: None)
