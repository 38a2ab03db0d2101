"""Ramps of colours by their names, which are rio-tiler's (and so titiler's).

https://cogeotiff.github.io/rio-tiler/colormap/

Each is given by nine of its colours at equal distances, which is what a legend shows; pictures are
drawn with all of them. A name with `_r` behind it is the ramp turned around.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

_STOPS: dict[str, str] = {
    "algae": "d6f9cf aedca2 84c379 50ac59 11934f 0c7748 185b3b 193f29 112414",
    "blues": "f7fbff ddeaf6 c5daee 9dc9e0 6aadd5 4292c6 2171b5 08519c 08306b",
    "brbg": "543005 995d12 cfa255 f0dfb2 f4f4f4 b6e3dc 5bb2a8 0e726a 003c30",
    "bupu": "f7fcfd dfebf3 bed2e5 9dbbd9 8c95c5 8c6bb1 88419d 810f7c 4d004b",
    "cividis": "00224d 1a386f 434e6b 61646f 7c7b78 9a9376 baac6c dcc858 fde737",
    "coolwarm": "3a4cc0 6182ea 8daffd b8cff8 dddcdb f4c4ad f49a7b dd604c b30326",
    "deep": "fdfdcc bbe6ac 77cda2 55aea3 488d9d 3f6f96 404d8b 3b315b 271a2c",
    "dense": "e6f0f0 b0d6e3 86b9e2 7397e4 7771d5 784db3 6e2e85 591751 360e24",
    "gist_earth": "000000 153878 2a737e 3b8d62 5da04b 97ae58 bcab62 d9b59d fdfafa",
    "gnbu": "f7fcf0 dff2da cbeac4 a7dcb5 7acbc4 4eb3d2 2b8cbe 0868ac 084081",
    "gray": "000000 202020 404040 606060 808080 9f9f9f bfbfbf dfdfdf ffffff",
    "greens": "f7fcf5 e4f4df c6e8bf a0d89a 73c375 41ab5d 238b45 006d2c 00441b",
    "haline": "29186b 1f33a1 0f5b90 287789 3b9387 4eaf7e 78ca67 c1dc63 fdee99",
    "ice": "030512 212041 383874 3e57a3 427ab7 579cc3 79bdd0 afdde1 eafcfd",
    "inferno": "000003 200c4a 570f6d 892269 bb3754 e35832 f98c09 f8c931 fcfea4",
    "magma": "000003 1c1046 50127b 822581 b63679 e55063 fb8660 fec286 fbfcbf",
    "matter": "fdedb0 f9c087 f19466 e56953 ce4356 ac2a60 831c62 581756 2f0f3d",
    "oranges": "fff5eb fde5cd fdcfa1 fdad6a fc8c3b f16913 d94801 a63602 7f2704",
    "piyg": "8e0152 cb3289 e797c4 fad6ea f6f6f6 dbf0be 9cce64 599c29 276419",
    "plasma": "0c0786 4c02a1 7e03a7 a92395 cb4777 e56b5c f79341 fdc328 eff821",
    "purd": "f7f4f9 e6e0ee d3b8d9 c993c6 df64af e6298a ce1256 980043 67001f",
    "purples": "fcfbfd eeecf4 d9d9ea bbbcdb 9d99c7 807dba 6a51a3 54278f 3f007d",
    "rain": "eeedf2 dacbbb b5b28a 7da077 3c8e6d 06756e 135766 243950 211a38",
    "rdbu": "67001f bb2a33 e58368 faceb6 f6f6f6 c2ddeb 6bacd0 2971b1 053061",
    "rdpu": "fff7f3 fcdfdc fbc4bf f99eb4 f667a0 dd3497 ae017e 7a0177 49006a",
    "rdylbu": "a50026 de3f2e f88e52 fdd484 fefec0 d3ecf4 90c3dd 5083bb 313695",
    "rdylgn": "a50026 de3f2e f88e52 fdd481 fefebd cde983 86cb66 2da154 006837",
    "reds": "fff5f0 fddfd1 fcbaa0 fb9171 fa6949 ef3b2c cb181d a50f15 67000c",
    "schwarzwald": "aeefd5 f7fcb3 159730 a6a627 c04a02 751504 733b19 a7a09c e9e7e9",
    "spectral": "9e0142 dc494b f88e52 fdd481 fefebe d8ef9a 89cfa4 3f96b6 5e4fa2",
    "speed": "fefccd e8d788 c9ba44 97a511 5f910c 287b22 0b5f2c 174126 172312",
    "terrain": "333399 0888ee 01cc66 81e57f fefd98 c0ae76 805c54 bfada9 ffffff",
    "thermal": "032333 18337c 563b9c 824f8e b05f81 dd6f65 f99241 f9c440 e7fa5a",
    "topo": "271a2c 404d8b 488e9d 79cea2 0d2513 395824 8e803f d0b372 f8fde4",
    "turbo": "30123b 466be3 28bbeb 32f197 a4fc3b ecd139 fb8022 d23005 7a0402",
    "viridis": "440154 472c7b 3a528b 2c728e 20908c 27ad80 5bc862 aadb32 fde724",
    "ylgn": "ffffe5 f6fbb8 d8efa2 acdc8d 77c578 41ab5d 238443 006837 004529",
    "ylgnbu": "ffffd9 ecf7b1 c6e8b4 7eccbb 40b5c3 1d91c0 215ea8 243494 081d58",
    "ylorbr": "ffffe5 fef6bb fee290 fec34e fd9828 ec7014 cc4c02 993403 662505",
    "ylorrd": "ffffcc feec9f fed875 fdb14b fc8c3b fc4e2a e31a1c bd0025 800026",
}

# rio-tiler has it one way only.
_ONE_WAY = frozenset({"schwarzwald"})

NAMES: tuple[str, ...] = tuple(
    sorted([*_STOPS, *(f"{name}_r" for name in _STOPS if name not in _ONE_WAY)])
)


@cache
def drawn() -> frozenset[str]:
    """All ramps that pictures can be drawn in: those of `NAMES`, and others of rio-tiler's.

    They are the names of its files. Importing it would load GDAL, which only children do.
    """
    package = find_spec("rio_tiler")
    folders = (package.submodule_search_locations or []) if package is not None else []
    files = (file for folder in folders for file in Path(folder, "cmap_data").rglob("*"))
    return frozenset(file.stem for file in files if file.suffix in (".npy", ".json"))


def colours(name: str) -> tuple[str, ...] | None:
    """Nine colours (#rrggbb) of a ramp, from its lowest value to its highest; None if the ramp is
    not of those known here."""
    stops = _STOPS.get(name.removesuffix("_r"))
    if stops is None:
        return None
    found = tuple(f"#{stop}" for stop in stops.split())
    return found[::-1] if name.endswith("_r") else found
