"""Names of tiles in the forms in which they come, and what is said of those that are none."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.demo import fathom_tiles
from services.fathom import names
from services.fathom.names import RETURN_PERIODS, FathomMap, FathomName, Reason, UnreadableName
from services.fathom.tiles import Tile

FLUVIAL = FathomMap(flood_type="fluvial", defence="undefended", year=2020)


def reason(path: str) -> Reason:
    with pytest.raises(UnreadableName) as refused:
        names.parse(path)
    return refused.value.reason


class TestForms:
    def test_a_folder_of_tiles_as_fathom_delivers_it(self) -> None:
        path = (
            "flood-map-3/FLOOD_MAP-1ARCSEC-NW_OFFSET-1in1000-PLUVIAL-DEFENDED-DEPTH-2020-"
            "PERCENTILE50-v3.1/n49w124.tif"
        )
        assert names.parse(path) == FathomName(
            map=FathomMap(flood_type="pluvial", defence="defended", year=2020, version="3.1"),
            return_period=1000,
            tile=Tile(49, -124),
        )

    def test_a_scenario_of_the_future(self) -> None:
        path = (
            "GLOBAL-1ARCSEC-NW_OFFSET-1in5-COASTAL-DEFENDED-DEPTH-2050-SSP2_4.5-PERCENTILE50-v3.0/"
            "n04w006.tif"
        )
        assert names.parse(path).map == FathomMap(
            flood_type="coastal", defence="defended", year=2050, ssp="ssp2_4.5", version="3.0"
        )

    @pytest.mark.parametrize(
        "path",
        [
            "1in100-FLUVIAL-UNDEFENDED-2020_n07w005.tif",
            "CIV/any/where/1in100-FLUVIAL-UNDEFENDED-2020_n07w005.tif",
            "1in100-fluvial-undefended-2020_N07W005.TIFF",
            "1in100_FLUVIAL_UNDEFENDED_2020_n07w005.tif",
            "2024/1in100-FLUVIAL-UNDEFENDED-2020_n07w005.tif",
        ],
    )
    def test_flat_names_in_any_folder(self, path: str) -> None:
        assert names.parse(path) == FathomName(FLUVIAL, 100, Tile(7, -5))

    @pytest.mark.parametrize("ssp", ["SSP5_8.5", "ssp5-8.5", "SSP585", "SSP5_85"])
    def test_ways_to_write_a_scenario(self, ssp: str) -> None:
        assert names.parse(f"1in20-COASTAL-DEFENDED-2080-{ssp}_s01e030.tif").map.ssp == "ssp5_8.5"

    @pytest.mark.parametrize("year", [2011, 2020, 2021, 2030, 2080, 2100])
    def test_any_year_that_fathom_computes_under_a_scenario(self, year: int) -> None:
        found = names.parse(f"1in20-COASTAL-DEFENDED-{year}-SSP2_4.5_s01e030.tif").map
        assert (found.year, found.ssp) == (year, "ssp2_4.5")

    def test_what_a_flat_name_leaves_out_may_stand_in_a_folder(self) -> None:
        path = "GLOBAL-3ARCSEC-PERCENTILE95/v3.0/1in10-FLUVIAL-UNDEFENDED-2020_n07w005.tif"
        found = names.parse(path).map
        assert (found.resolution, found.percentile, found.version) == ("3arcsec", 95, "3.0")

    def test_a_folder_between_the_maps_and_its_tiles(self) -> None:
        folder = "FLOOD_MAP-1_3ARCSEC-NW_OFFSET-1in50-FLUVIAL-DEFENDED-DEPTH-2020-v3.1"
        assert (
            names.parse(f"{folder}/part 2/n49w124.tif").map.key
            == "fluvial-defended_2020_1-3arcsec_v3.1"
        )

    def test_the_nearest_folder_counts(self) -> None:
        path = "1in5-COASTAL-DEFENDED-2020/1in50-FLUVIAL-UNDEFENDED-2020/n00e000.tif"
        assert names.parse(path) == FathomName(FLUVIAL, 50, Tile(0, 0))


class TestNoNames:
    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("1in100-FLUVIAL-UNDEFENDED-2020_n07w005.tif.aux.xml", Reason.NOT_A_TIF),
            ("1in100-FLUVIAL-UNDEFENDED-2020/", Reason.NOT_A_TIF),
            ("1in100-FLUVIAL-UNDEFENDED-2020.tif", Reason.NO_TILE),
            ("1in100-FLUVIAL-UNDEFENDED-2020_n07w005_clipped.tif", Reason.NO_TILE),
            ("1in100-FLUVIAL-UNDEFENDED-2020_n7w5.tif", Reason.NO_TILE),
            ("1in100-FLUVIAL-UNDEFENDED-2020_n90e000.tif", Reason.UNKNOWN_TILE),
            ("1in100-FLUVIAL-UNDEFENDED-2020_n07e180.tif", Reason.UNKNOWN_TILE),
            ("1in100-FLUVIAL-UNDEFENDED-2020_s00e006.tif", Reason.UNKNOWN_TILE),
            ("n07w005.tif", Reason.NO_RETURN_PERIOD),
            ("FLUVIAL-UNDEFENDED-2020_n07w005.tif", Reason.NO_RETURN_PERIOD),
            ("1in5-FLUVIAL-UNDEFENDED-2020/COASTAL_n07w005.tif", Reason.NO_RETURN_PERIOD),
            ("1in75-FLUVIAL-UNDEFENDED-2020_n07w005.tif", Reason.UNKNOWN_RETURN_PERIOD),
            ("1in100-UNDEFENDED-2020_n07w005.tif", Reason.NO_FLOOD_TYPE),
            ("1in100-FLUVIAL-2020_n07w005.tif", Reason.NO_DEFENCE),
            ("1in100-FLUVIAL-UNDEFENDED_n07w005.tif", Reason.NO_YEAR),
            ("1in100-FLUVIAL-UNDEFENDED-1820_n07w005.tif", Reason.UNKNOWN_YEAR),
            ("1in100-FLUVIAL-UNDEFENDED-2010-SSP2_4.5_n07w005.tif", Reason.UNKNOWN_YEAR),
            ("1in100-FLUVIAL-UNDEFENDED-2101-SSP2_4.5_n07w005.tif", Reason.UNKNOWN_YEAR),
            ("1in100-FLUVIAL-UNDEFENDED-2050_n07w005.tif", Reason.NO_SCENARIO),
            ("1in100-FLUVIAL-UNDEFENDED-2015_n07w005.tif", Reason.NO_SCENARIO),
            ("1in100-FLUVIAL-UNDEFENDED-2050-SSP4_3.4_n07w005.tif", Reason.UNKNOWN_SCENARIO),
            ("1in100-FLUVIAL-UNDEFENDED-2050-dT1.25_n07w005.tif", Reason.UNKNOWN_SCENARIO),
            ("1in100-FLUVIAL-UNDEFENDED-2050-NGFS_CP_n07w005.tif", Reason.UNKNOWN_SCENARIO),
            ("1in100-FLUVIAL-UNDEFENDED-EXTENT-2020_n07w005.tif", Reason.NOT_DEPTH),
            ("mean-1in100-FLUVIAL-UNDEFENDED-2020_n07w005.tif", Reason.UNKNOWN_WORD),
            ("1in100-FLUVIAL-UNDEFENDED-2020-PERCENTILE00_n07w005.tif", Reason.UNKNOWN_WORD),
            ("1in100-FLUVIAL-UNDEFENDED-2020-PERCENTILE0_n07w005.tif", Reason.UNKNOWN_WORD),
            ("1in100-FLUVIAL-UNDEFENDED-2020-PERCENTILE100_n07w005.tif", Reason.UNKNOWN_WORD),
            ("1in\u0661\u0660\u0660-FLUVIAL-UNDEFENDED-2020_n07w005.tif", Reason.NO_RETURN_PERIOD),
            ("1in100-FLUVIAL-UNDEFENDED-2020_\u017f07w005.tif", Reason.NO_TILE),
            ("1in100-FLUVIAL-COASTAL-UNDEFENDED-2020_n07w005.tif", Reason.AMBIGUOUS),
            ("1in100-1in50-FLUVIAL-UNDEFENDED-2020_n07w005.tif", Reason.AMBIGUOUS),
        ],
    )
    def test_each_has_its_reason(self, path: str, expected: Reason) -> None:
        assert reason(path) is expected

    def test_the_message_names_what_is_not_understood(self) -> None:
        with pytest.raises(UnreadableName, match="means nothing here: mean, old"):
            names.parse("mean-old-1in100-FLUVIAL-UNDEFENDED-2020_n07w005.tif")

    @given(st.text(st.characters(codec="utf-8"), max_size=60))
    def test_no_text_is_too_much(self, text: str) -> None:
        for path in (text, f"{text}.tif", f"{text}/n04w006.tif", f"{text}_n04w006.tif"):
            with suppress(UnreadableName):
                assert names.parse(path).return_period in RETURN_PERIODS


maps = st.builds(
    FathomMap,
    flood_type=st.sampled_from(["coastal", "fluvial", "pluvial"]),
    defence=st.sampled_from(["defended", "undefended"]),
    year=st.sampled_from([2030, 2050, 2080]),
    ssp=st.sampled_from(["ssp1_2.6", "ssp2_4.5", "ssp3_7.0", "ssp5_8.5"]),
)
tiles = st.builds(Tile, south=st.integers(-90, 89), west=st.integers(-180, 179))


class TestWhatIsWritten:
    @given(maps, st.sampled_from(RETURN_PERIODS), tiles, st.integers(1, 99), st.booleans())
    def test_a_delivery_is_read_as_what_it_is(
        self, of: FathomMap, years: int, tile: Tile, percentile: int, upper: bool
    ) -> None:
        of = of.model_copy(
            update={"percentile": percentile, "resolution": "1_3arcsec", "version": "3.0"}
        )
        path = fathom_tiles.path_of(of, years, tile)
        assert names.parse(path.upper() if upper else path) == FathomName(of, years, tile)

    @given(maps, st.sampled_from(RETURN_PERIODS), tiles)
    def test_so_is_a_flat_name(self, of: FathomMap, years: int, tile: Tile) -> None:
        path = fathom_tiles.path_of(of, years, tile, "flat")
        assert names.parse(f"a/b/{path}") == FathomName(of, years, tile)


class TestKeys:
    def test_the_usual_is_left_out(self) -> None:
        assert FLUVIAL.key == "fluvial-undefended_2020"

    def test_what_differs_from_it_is_said(self) -> None:
        of = FathomMap(
            flood_type="coastal", defence="defended", year=2050, ssp="ssp2_4.5",
            resolution="3arcsec", percentile=95, version="3.0",
        )  # fmt: skip
        assert of.key == "coastal-defended_2050_ssp2-4.5_3arcsec_p95_v3.0"

    @given(st.lists(st.tuples(maps, st.sampled_from(["1arcsec", "3arcsec", "1_3arcsec"]),
                              st.sampled_from([5, 50, 95]),
                              st.sampled_from([None, "3.0", "3.1"])), max_size=20))  # fmt: skip
    def test_no_two_maps_share_one(
        self, varied: list[tuple[FathomMap, str, int, str | None]]
    ) -> None:
        distinct = {
            of.model_copy(update={"resolution": r, "percentile": p, "version": v})
            for of, r, p, v in varied
        }
        assert len({of.key for of in distinct}) == len(distinct)
