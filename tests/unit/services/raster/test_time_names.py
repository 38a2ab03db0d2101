"""When a raster was taken, by its file's name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.raster.time_names import span_of

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("LC08_L2SP_005009_20150710_20200908_02_T2_QA_PIXEL.TIF", "2015-07-10"),
        ("site7__LC09_L1TP_193024_20230102_20230314_02_T1_B4.TIF", "2023-01-02"),
        ("LC80310272014234LGN00_B4.TIF", "2014-08-22"),
        ("S1A_IW_GRDH_1SDV_20180716T060623_20180716T060648_022817_027966_9F1A.tif",
         "2018-07-16T06:06:23Z"),
        ("s1a-iw-grd-vv-20180716t060623-20180716t060648-022817-027966-001.tiff",
         "2018-07-16T06:06:23Z"),
        ("S2A_MSIL2A_20220722T105631_N0400_R094_T31TCN_20220722T171159.tif",
         "2022-07-22T10:56:31Z"),
        ("T32TLS_20220620T103631_B01.jp2", "2022-06-20T10:36:31Z"),
        ("AST_L1T_00305032000040446_20150409135350_78838.VNIR.tif", "2000-05-03T04:04:46Z"),
        ("MOD13Q1.A2019145.h18v04.006.tif", "2019-05-25"),
        ("OR_ABI-L2-CMIPC-M6_G16_s20201231501170_e20201231503543.tif", "2020-05-02T15:01:17Z"),
    ],
)  # fmt: skip
def test_products_are_known_by_their_patterns(name: str, when: str) -> None:
    span = span_of(name, NOW)
    assert span is not None
    assert span.text == when


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("m_3008501_ne_16_1_20110815.tif", "2011-08-15"),
        ("gpm_1d.20240617.tif", "2024-06-17"),
        ("nt_20201024_f18_nrt_s.tif", "2020-10-24"),
        ("ortho_2019-07-04.tif", "2019-07-04"),
        ("ortho_2019_07_04_v2.tif", "2019-07-04"),
        ("20190704T101112Z_scene.tif", "2019-07-04T10:11:12Z"),
        ("ndvi_doy2019145_aid0001.tif", "2019-05-25"),
        ("dem_2020-06.tif", "2020-06-01 to 2020-06-30"),
        ("abw_ppp_2020_constrained.tif", "2020-01-01 to 2020-12-31"),
        ("2021_30m_cdls_-106095_1807575_15000.tif", "2021-01-01 to 2021-12-31"),
        ("crop_frequency_corn_2008-2021_-106095_1807575_15000.tif", "2008-01-01 to 2021-12-31"),
    ],
)
def test_a_date_that_stands_alone_counts(name: str, when: str) -> None:
    span = span_of(name, NOW)
    assert span is not None
    assert span.text == when


@pytest.mark.parametrize(
    "name",
    ["dem.tif", "N10W110.hgt", "tile_2056_3000.tif", "swiss_21781.tif", "scene20110815x.tif",
     "a_20200101_20200131.tif", "x_19990230.tif", "ssp585_2050.tif", "rp1in2000.tif",
     "m_2015532_nw.tif", "2020123.tif", "202013.tif", "b_2020_2021.tif", "v1950_2000m.tif",
     "S2A_OPER_MSI_L2A_TL_ATOS_20220620T162319_A036527_T32TLS_N04.00_R60m_B01.jp2",
     "LC08_L2SP_005009_20159910_20200908_02_T2_B1.TIF"],
)  # fmt: skip
def test_other_digits_are_no_date(name: str) -> None:
    assert span_of(name, NOW) is None


def test_one_date_that_is_written_twice_counts() -> None:
    span = span_of("20190704_mosaic_20190704.tif", NOW)
    assert span is not None
    assert span.text == "2019-07-04"


def test_nothing_later_than_the_file_is_believed() -> None:
    assert span_of("dem_2030.tif", NOW) is None
    assert span_of("dem_2030.tif", datetime(2031, 1, 1, tzinfo=UTC)) is not None
