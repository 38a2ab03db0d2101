"""Flood maps in the form in which FATHOM delivers them, made up: the real ones are licensed.

Names, grid, data type and special values are theirs; the floods are those of a made-up land
(`flood_plains`). A delivery may have flaws on purpose, as real ones have: see `Flaws`.

    python -m local.demo.fathom_tiles FOLDER --tiles s03e028 s03e029 --pixels 360
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from local.demo.flood_plains import plain
from services.fathom.names import RETURN_PERIODS, FathomMap
from services.fathom.parameters import Scenario
from services.fathom.tiles import Tile

Form = Literal["delivery", "flat"]
Depths = NDArray[np.int16]

NODATA = -32768
"""The sea, and what else no map covers."""
WATER = -32767
"""Rivers and lakes, which are under water at all times."""

OFFSET = 1 / 7200
"""Degrees by which tiles lie north and west of their name's corner: FATHOM's NW_OFFSET."""

COUNTRY = tuple(Tile(south, west) for south in (-2, -3) for west in (28, 29, 30))
"""The tiles of a small country: Rwanda."""

# Of this land Rwanda lies inland, and the tiles n04w006 to n04w008 on a coast.
_SEED = 20_240_610
# Shallower water is left out, and deeper is cut off, as in the real maps (centimetres).
_SHALLOWEST, _DEEPEST = 5, 1000
_PRESENT = 2020


@dataclass(frozen=True)
class Flaws:
    """What is wrong with all stacks of a delivery.

    Attributes:
        omitted: return periods of which there are no files.
        corrupt: return periods whose files are cut off in the middle.
        shallower: in so many pixels the rarest flood is shallower than the one before it; in
            fewer where not so many are flooded.
    """

    omitted: Collection[int] = ()
    corrupt: Collection[int] = ()
    shallower: int = 0


def scenarios(
    floods: Iterable[str] = ("fluvial-defended", "fluvial-undefended", "pluvial-defended"),
    years: Iterable[int] = (2020, 2030, 2050, 2080),
    ssps: Iterable[str] = get_args(Scenario),
    version: str | None = "3.1",
) -> Iterator[FathomMap]:
    """Every flood in every year, those to come under every scenario: by default the 39 maps that
    there are of a country without a coast."""
    futures = list(ssps)
    for flood, year in itertools.product(floods, years):
        flood_type, defence = flood.split("-")
        for ssp in [None] if year == _PRESENT else futures:
            yield FathomMap.model_validate(
                {
                    "flood_type": flood_type,
                    "defence": defence,
                    "year": year,
                    "ssp": ssp,
                    "version": version,
                }
            )


def files(
    maps: Iterable[FathomMap],
    tiles: Iterable[Tile],
    *,
    pixels: int = 360,
    form: Form = "delivery",
    flaws: Flaws = Flaws(),
    seed: int = _SEED,
) -> Iterator[tuple[str, bytes]]:
    """The files of a delivery, one after the other: path and content.

    Args:
        maps: of what there are floods.
        tiles: where.
        pixels: along a degree; FATHOM's have 3600.
        form: a folder for each map and return period, or all that in the name of the file.
        flaws: what is wrong on purpose.
        seed: the same gives the same files.
    """
    chosen = list(maps)
    for tile in tiles:
        for of in chosen:
            stack = depths(of, tile, pixels=pixels, shallower=flaws.shallower, seed=seed)
            for years, band in zip(RETURN_PERIODS, stack, strict=True):
                if years not in flaws.omitted:
                    content = encode(band, tile)
                    if years in flaws.corrupt:
                        content = content[: len(content) // 2]
                    yield path_of(of, years, tile, form), content


def depths(
    of: FathomMap, tile: Tile, *, pixels: int, shallower: int = 0, seed: int = _SEED
) -> Depths:
    """Depths of a tile's floods in centimetres, (return period, row, column), with the special
    values `NODATA` and `WATER`."""
    west, _, _, north = tile.bounds
    land = plain(west - OFFSET, north + OFFSET, 1.0, pixels, seed)
    stack = np.empty((len(RETURN_PERIODS), pixels, pixels), np.int16)
    for band, years in zip(stack, RETURN_PERIODS, strict=True):
        centimetres = np.minimum(np.rint(100 * land.depth(of, years)), _DEEPEST)
        band[:] = np.where(centimetres < _SHALLOWEST, 0, centimetres)
        band[land.river] = WATER
        band[land.sea] = NODATA
    if shallower:
        _make_shallower(stack, shallower, np.random.default_rng(seed))
    return stack


def encode(pixels: Depths, tile: Tile) -> bytes:
    """A band of a tile as the bytes of a GeoTIFF."""
    rows, columns = pixels.shape
    west, _, _, north = tile.bounds
    block = min(256, -(-rows // 16) * 16)
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", count=1, height=rows, width=columns, dtype="int16",
            crs="EPSG:4326", nodata=NODATA,
            transform=Affine(1 / columns, 0, west - OFFSET, 0, -1 / rows, north + OFFSET),
            tiled=True, blockxsize=block, blockysize=block, compress="DEFLATE",
        ) as raster:  # fmt: skip
            raster.write(pixels, 1)
        return bytes(memory.read())


def path_of(of: FathomMap, return_period: int, tile: Tile, form: Form = "delivery") -> str:
    """The path under which a file is delivered."""
    flood = f"1in{return_period}-{of.flood_type}-{of.defence}".upper().replace("IN", "in", 1)
    when = f"{of.year}-{of.ssp.upper()}" if of.ssp else f"{of.year}"
    if form == "flat":
        return f"{flood}-{when}_{tile.name}.tif"
    version = of.version or "3.1"
    model = "GLOBAL" if version == "3.0" else "FLOOD_MAP"
    grid = f"{model}-{of.resolution.upper()}-NW_OFFSET"
    return f"{grid}-{flood}-DEPTH-{when}-PERCENTILE{of.percentile}-v{version}/{tile.name}.tif"


def write(folder: Path, made: Iterable[tuple[str, bytes]]) -> tuple[int, int]:
    """Write files below a folder; how many there are, and their bytes."""
    count = size = 0
    for path, content in made:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        count, size = count + 1, size + len(content)
    return count, size


def _make_shallower(stack: Depths, pixels: int, random: np.random.Generator) -> None:
    """Let the rarest flood be shallower than the one before it in so many pixels."""
    before, rarest = stack[-2], stack[-1]
    flooded = np.argwhere(before > _SHALLOWEST)
    chosen = random.permutation(len(flooded))[:pixels]
    rows, columns = flooded[chosen].T
    rarest[rows, columns] = before[rows, columns] - 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a delivery as the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m local.demo.fathom_tiles",
        description="Write made-up flood maps in the form in which FATHOM delivers its own.",
    )
    parser.add_argument("folder", type=Path, help="where to; made where it is missing")
    parser.add_argument(
        "--tiles", nargs="+", type=Tile.of, default=COUNTRY, metavar="TILE",
        help="tiles by their south-west corner, such as n04w006; default: those of Rwanda",
    )  # fmt: skip
    parser.add_argument(
        "--floods", nargs="+", metavar="FLOOD",
        default=["fluvial-defended", "fluvial-undefended", "pluvial-defended"],
        help="type and defence, such as coastal-undefended; default: all of a landlocked country",
    )  # fmt: skip
    parser.add_argument(
        "--years", nargs="+", type=int, default=[_PRESENT], help="default: %(default)s"
    )
    parser.add_argument(
        "--ssps", nargs="+", choices=get_args(Scenario), default=list(get_args(Scenario)),
        help="scenarios of the years to come; default: all",
    )  # fmt: skip
    parser.add_argument(
        "--pixels", type=int, default=360, help="along a degree; FATHOM's have 3600, default: 360"
    )
    parser.add_argument("--form", choices=get_args(Form), default="delivery")
    parser.add_argument("--version", default="3.1", help="of the maps; default: %(default)s")
    parser.add_argument(
        "--omit", nargs="+", type=int, choices=RETURN_PERIODS, default=[], metavar="YEARS",
        help="return periods to leave out",
    )  # fmt: skip
    parser.add_argument(
        "--corrupt", nargs="+", type=int, choices=RETURN_PERIODS, default=[], metavar="YEARS",
        help="return periods whose files are cut off",
    )  # fmt: skip
    parser.add_argument(
        "--shallower", type=int, default=0, metavar="PIXELS",
        help="pixels of each stack in which the rarest flood is shallower than the one before",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=_SEED)
    given = parser.parse_args(arguments)
    count, size = write(
        given.folder,
        files(
            scenarios(given.floods, given.years, given.ssps, given.version),
            given.tiles,
            pixels=given.pixels,
            form=given.form,
            flaws=Flaws(given.omit, given.corrupt, given.shallower),
            seed=given.seed,
        ),
    )
    print(f"{count:,} files, {size / 1e6:,.1f} MB, in {given.folder}")


if __name__ == "__main__":
    main()
