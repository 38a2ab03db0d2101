"""Made-up flood maps: their form, their floods, and their flaws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.io import MemoryFile

from local.demo import fathom_tiles
from local.demo.fathom_tiles import NODATA, OFFSET, WATER, Depths, Flaws
from services.fathom.names import RETURN_PERIODS, FathomMap
from services.fathom.tiles import Tile

INLAND, COAST = Tile.of("s03e029"), Tile.of("n04w006")
FLUVIAL = FathomMap(flood_type="fluvial", defence="undefended", year=2020)
KINDS = [
    FathomMap.model_validate({"flood_type": kind, "defence": defence, "year": 2020})
    for kind in ("fluvial", "pluvial", "coastal")
    for defence in ("undefended", "defended")
]


def wet(depths: Depths) -> np.ndarray:
    """Where there is a flood."""
    return depths > 0


class TestFloods:
    @pytest.mark.parametrize("of", KINDS, ids=lambda of: of.key)
    def test_get_deeper_with_the_return_period(self, of: FathomMap) -> None:
        depths = fathom_tiles.depths(of, COAST, pixels=60).astype(int)
        assert (np.diff(depths, axis=0) >= 0).all()
        assert wet(depths[-1]).any()
        flooded = depths[depths > 0]
        assert 5 <= flooded.min() <= flooded.max() <= 1000

    def test_rise_with_the_climate_and_fall_with_defences(self) -> None:
        def flooded(**update: object) -> int:
            of = FLUVIAL.model_copy(update=update)
            return int(wet(fathom_tiles.depths(of, INLAND, pixels=60)).sum())

        now, later = flooded(), flooded(year=2080, ssp="ssp5_8.5")
        assert flooded(defence="defended") < now < later
        assert now < flooded(year=2080, ssp="ssp1_2.6") < later

    def test_spare_the_sea_and_rivers(self) -> None:
        depths = fathom_tiles.depths(FLUVIAL, COAST, pixels=60)
        for special in (NODATA, WATER):
            places = depths[0] == special
            assert 0 < places.mean() < 0.5
            assert ((depths == special) == places).all()
        assert not (fathom_tiles.depths(FLUVIAL, INLAND, pixels=60) == NODATA).any()

    def test_are_those_of_one_land_in_every_size(self) -> None:
        fine = fathom_tiles.depths(FLUVIAL, INLAND, pixels=180)
        coarse = fathom_tiles.depths(FLUVIAL, INLAND, pixels=60)
        # The centre of a coarse pixel is the centre of the middle one of nine fine ones.
        assert (fine[:, 1::3, 1::3] == coarse).all()

    def test_go_on_across_the_edges_of_tiles(self) -> None:
        west, east = (
            fathom_tiles.depths(FLUVIAL, Tile(-3, west), pixels=600)[-1].astype(int)
            for west in (29, 30)
        )
        river = (west[:, -1] > 0) & (east[:, 0] > 0)
        assert river.any()
        step = np.abs(west[river, -1] - east[river, 0])
        inside = np.abs(np.diff(west, axis=1))[(west[:, 1:] > 0) & (west[:, :-1] > 0)]
        assert step.max() <= inside.max()

    def test_the_seed_decides(self) -> None:
        first, same, other = (
            fathom_tiles.depths(FLUVIAL, INLAND, pixels=36, seed=seed) for seed in (1, 1, 2)
        )
        assert (first == same).all()
        assert (first != other).any()


class TestFiles:
    def test_are_as_fathom_delivers_them(self) -> None:
        depths = fathom_tiles.depths(FLUVIAL, COAST, pixels=36)[4]
        with MemoryFile(fathom_tiles.encode(depths, COAST)) as memory, memory.open() as raster:
            assert (raster.count, raster.dtypes, raster.nodata) == (1, ("int16",), -32768)
            assert raster.crs.to_epsg() == 4326
            assert raster.profile["tiled"]
            assert raster.profile["compress"] == "deflate"
            assert raster.bounds == pytest.approx(
                (-6 - OFFSET, 4 + OFFSET, -5 - OFFSET, 5 + OFFSET)
            )
            assert (raster.read(1) == depths).all()

    def test_there_is_one_for_each_tile_map_and_return_period(self) -> None:
        maps = list(fathom_tiles.scenarios(years=(2020, 2050), ssps=("ssp2_4.5",)))
        made = dict(fathom_tiles.files(maps, (INLAND, COAST), pixels=16))
        assert len(maps) == 6
        assert len(made) == 6 * 2 * len(RETURN_PERIODS)

    def test_a_landlocked_country_has_39_maps(self) -> None:
        maps = list(fathom_tiles.scenarios())
        assert len(set(maps)) == 39
        assert len(fathom_tiles.COUNTRY) * len(maps) == 234


class TestFlaws:
    def test_return_periods_are_left_out(self) -> None:
        made = fathom_tiles.files([FLUVIAL], [INLAND], pixels=16, flaws=Flaws(omitted=[5, 100]))
        assert [path.split("-")[3] for path, _ in made] == [
            "1in10", "1in20", "1in50", "1in200", "1in500", "1in1000",
        ]  # fmt: skip

    def test_a_corrupt_file_cannot_be_read_whole(self) -> None:
        made = fathom_tiles.files(
            [FLUVIAL], [INLAND], pixels=64, form="flat", flaws=Flaws(corrupt=[10])
        )
        for path, content in made:
            with MemoryFile(content) as memory:
                if path.startswith("1in10-"):
                    with pytest.raises(rasterio.errors.RasterioIOError), memory.open() as raster:
                        raster.read()
                else:
                    with memory.open() as raster:
                        assert raster.read().shape == (1, 64, 64)

    def test_the_rarest_flood_is_shallower_in_so_many_pixels(self) -> None:
        depths = fathom_tiles.depths(FLUVIAL, INLAND, pixels=60, shallower=7)
        fewer = (np.diff(depths.astype(int), axis=0) < 0).sum(axis=(1, 2))
        assert fewer.tolist() == [0, 0, 0, 0, 0, 0, 7]


class TestCommand:
    def test_writes_a_delivery(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        fathom_tiles.main(
            [str(tmp_path), "--tiles", "n04w006", "--floods", "coastal-defended", "--pixels", "16",
             "--form", "flat", "--years", "2020", "2050", "--ssps", "ssp1_2.6", "--omit", "500"]
        )  # fmt: skip
        assert {file.name for file in tmp_path.iterdir()} == {
            f"1in{years}-COASTAL-DEFENDED-{when}_n04w006.tif"
            for years in RETURN_PERIODS
            if years != 500
            for when in ("2020", "2050-SSP1_2.6")
        }
        assert capsys.readouterr().out.startswith("14 files, ")

    def test_refuses_what_is_no_tile(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit):
            fathom_tiles.main([str(tmp_path), "--tiles", "n94w006"])
        assert "n94w006" in capsys.readouterr().err
