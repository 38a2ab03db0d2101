"""Statistics are put into a header without moving a byte behind it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rio_cogeo.cogeo import cog_validate

from services.raster.child import header_statistics
from services.raster.model import BandStatistics
from tests.support.cog_making import encoded_cog, made_cog, plan_of
from tests.support.raster_files import relief, write_raster

_EXTREME = BandStatistics(
    minimum=-1.7976931348623157e308, maximum=5e-324, mean=0.1, stdev=1 / 3, percentiles=None,
    valid_share=1.0, distinct=0,
)  # fmt: skip
_NONE = BandStatistics(
    minimum=None, maximum=None, mean=None, stdev=None, percentiles=None, valid_share=0.0, distinct=0
)


@pytest.fixture
def cog(tmp_path: Path) -> Path:
    source = write_raster(tmp_path / "source.tif", np.repeat(relief(600, 600), 2, axis=0))
    target = tmp_path / "cog.tif"
    encoded_cog(source, target, plan_of(source))
    return target


def test_numbers_arrive_as_they_are_and_the_file_stays_a_cog(cog: Path) -> None:
    before = cog.read_bytes()
    header_statistics.fill(str(cog), [_EXTREME, _NONE])
    after = cog.read_bytes()
    assert len(after) == len(before)
    assert after[len(before) // 10 :] == before[len(before) // 10 :]
    with rasterio.open(cog) as dataset:
        tags = dataset.tags(1)
        assert float(tags["STATISTICS_MINIMUM"]) == -1.7976931348623157e308
        assert float(tags["STATISTICS_MAXIMUM"]) == 5e-324
        assert (tags["STATISTICS_MEAN"], tags["STATISTICS_STDDEV"]) == ("0.1", repr(1 / 3))
        assert tags["STATISTICS_VALID_PERCENT"] == "100.0"
        assert dataset.tags(2) == {}
    assert cog_validate(str(cog), strict=True, quiet=True) == (True, [], [])


def test_a_file_without_places_is_not_touched(tmp_path: Path) -> None:
    plain = write_raster(tmp_path / "plain.tif")
    before = plain.read_bytes()
    with pytest.raises(ValueError, match="no place for STATISTICS_MINIMUM of band 1"):
        header_statistics.fill(str(plain), [_EXTREME])
    assert plain.read_bytes() == before


def test_numbers_do_not_go_astray_in_texts_of_the_source(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "source.tif", relief(600, 600))
    with rasterio.open(source, "r+") as dataset:
        dataset.update_tags(
            TIFFTAG_IMAGEDESCRIPTION="<GDALMetadata></GDALMetadata>",
            A_NOTE=header_statistics.reserved(1)["STATISTICS_MINIMUM"],
        )
    made = made_cog(source)
    with rasterio.open(made.path) as cog, rasterio.open(source) as dataset:
        assert cog.tags()["TIFFTAG_IMAGEDESCRIPTION"] == "<GDALMetadata></GDALMetadata>"
        assert cog.tags()["A_NOTE"] == dataset.tags()["A_NOTE"]
        assert float(cog.tags(1)["STATISTICS_MINIMUM"]) == dataset.read().min()
        assert not [text for text in cog.tags(1).values() if "#" in text]
