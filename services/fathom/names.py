"""What the names of FATHOM's files say.

A map of FATHOM has an id, of words with hyphens between them (their API's documentation,
https://api-docs.fathom.global/data/overview_layers.html; which values there are, under
static_layers.html and dynamic_layers.html beside it):
`FLOOD_MAP-1ARCSEC-NW_OFFSET-1in100-FLUVIAL-DEFENDED-DEPTH-2050-SSP2_4.5-PERCENTILE50-v3.1`.
As delivered it is a folder of tiles (`n04w006.tif`); others pass tiles on under a name of its
main words and the tile (`1in100-FLUVIAL-DEFENDED-2050-SSP2_4.5_n04w006.tif`), in folders of
their own. Both are read here, in letters of either case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import get_args

from services.fathom import tiles
from services.fathom.parameters import Defence, FloodType, Scenario
from services.fathom.tiles import Tile
from services.raster.model import RasterModel

RETURN_PERIODS = (5, 10, 20, 50, 100, 200, 500, 1000)
"""The return periods, in years, that FATHOM keeps maps of; in the order of a stack's bands."""

USUAL_RESOLUTION = "1arcsec"
USUAL_PERCENTILE = 50

_PRESENT = 2020
# Those that maps can be of under a scenario; without one there is but the present.
_YEARS = range(2011, 2101)
_SCENARIOS: dict[str, Scenario] = {
    "".join(filter(str.isdigit, ssp)): ssp for ssp in get_args(Scenario)
}

# Of ASCII alone: digits of other scripts would be numbers, and a long s be a south.
_TIF = re.compile(r"\.tiff?$", re.IGNORECASE | re.ASCII)
_TILE = re.compile(rf"(?:^|[-_ ])({tiles.NAME})$", re.IGNORECASE | re.ASCII)
_WORD = re.compile(
    r"""(?:
      1in(?P<return_period>\d+)
    | (?P<flood_type>coastal|fluvial|pluvial)
    | (?P<defence>undefended|defended)
    | (?P<year>\d{4})
    | (?P<ssp>ssp\d[-_.]?\d[._]?\d)
    | (?P<other_climate>dt\d+(?:\.\d+)?|(?:ngfs|rcp|ssp)[-_.0-9a-z]*)
    | (?P<resolution>\d+(?:_\d+)?arcsec)
    | percentile(?P<percentile>[1-9]\d?)
    | v(?P<version>\d+(?:\.\d+)+)
    | (?P<other_metric>(?:delta_)?relative_risk|risk_category|extent|velocity)
    | (?P<plain>global|flood_map|fathom|depth|[ns0][ew0]_offset)
    | (?P<unknown>[^-_ ]+)
    )(?=[-_ ]|$)""",
    re.VERBOSE | re.ASCII,
)


class Reason(StrEnum):
    """Why a name does not say which map and tile a file is."""

    NOT_A_TIF = "not_a_tif"
    NO_TILE = "no_tile"
    UNKNOWN_TILE = "unknown_tile"
    NO_RETURN_PERIOD = "no_return_period"
    UNKNOWN_RETURN_PERIOD = "unknown_return_period"
    NO_FLOOD_TYPE = "no_flood_type"
    NO_DEFENCE = "no_defence"
    NO_YEAR = "no_year"
    UNKNOWN_YEAR = "unknown_year"
    NO_SCENARIO = "no_scenario"
    UNKNOWN_SCENARIO = "unknown_scenario"
    NOT_DEPTH = "not_depth"
    UNKNOWN_WORD = "unknown_word"
    AMBIGUOUS = "ambiguous"


_Words = dict[str, tuple[str, ...]]
# A listing names every tile some hundred times.
_tile = lru_cache(maxsize=70_000)(Tile.of)

# Kinds of words that a map of depths does not have, and what they make of it.
_REFUSED = {
    "other_metric": (Reason.NOT_DEPTH, "is not of flood depths"),
    "other_climate": (Reason.UNKNOWN_SCENARIO, "is of a climate scenario other than an SSP"),
    "unknown": (Reason.UNKNOWN_WORD, "has a word in its name that means nothing here"),
}


class UnreadableName(ValueError):
    """A path that is not that of a tile of FATHOM. `message` completes "the file ..."."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class FathomMap(RasterModel):
    """What the tiles and return periods of one map have in common.

    `percentile` and `resolution` are the usual ones where the name says none; `version` is None
    there: no version is the usual one.
    """

    flood_type: FloodType
    defence: Defence
    year: int
    ssp: Scenario | None = None
    resolution: str = USUAL_RESOLUTION
    percentile: int = USUAL_PERCENTILE
    version: str | None = None

    @property
    def key(self) -> str:
        """The map in a word: fluvial-defended_2050_ssp2-4.5, and what is not the usual."""
        words = [f"{self.flood_type}-{self.defence}", str(self.year)]
        if self.ssp is not None:
            words.append(self.ssp.replace("_", "-"))
        if self.resolution != USUAL_RESOLUTION:
            words.append(self.resolution.replace("_", "-"))
        if self.percentile != USUAL_PERCENTILE:
            words.append(f"p{self.percentile}")
        if self.version is not None:
            words.append(f"v{self.version}")
        return "_".join(words)


@dataclass(frozen=True, slots=True)
class FathomName:
    """What a file is: of which map, for which return period (years), and where."""

    map: FathomMap
    return_period: int
    tile: Tile


def parse(path: str) -> FathomName:
    """What the path of a file, with its folders, says of it.

    The words of a map stand before the tile, or where nothing does, in the nearest folder that
    has a return period; resolution, percentile and version may as well stand in a folder above.
    Raises `UnreadableName`.
    """
    if not _TIF.search(path):
        raise UnreadableName(Reason.NOT_A_TIF, "is not a TIFF by its name")
    folder, _, name = _TIF.sub("", path).rpartition("/")
    found = _TILE.search(name)
    if found is None:
        raise UnreadableName(Reason.NO_TILE, "has no tile such as n04w006 at the end of its name")
    try:
        tile = _tile(found[1])
    except ValueError as error:
        raise UnreadableName(Reason.UNKNOWN_TILE, f"is of no tile: {error}") from None
    described = _described(folder, name[: found.start()])
    if isinstance(described, UnreadableName):
        raise UnreadableName(described.reason, described.message)
    return FathomName(*described, tile)


@lru_cache(maxsize=4096)
def _described(folder: str, prefix: str) -> tuple[FathomMap, int] | UnreadableName:
    """Map and return period: many files share a folder, or the words before the tile."""
    above = [_words(each) for each in reversed(folder.split("/"))]
    if prefix:
        words = _words(prefix)
    else:
        words = next((each for each in above if "return_period" in each), {})
    try:
        return_period = _return_period(words)
        return _map_of(words, above), return_period
    except UnreadableName as error:
        return error.with_traceback(None)  # which would keep all that it passed through


@lru_cache(maxsize=4096)
def _words(text: str) -> _Words:
    """The words of a name by what they are, each with its different values."""
    words: _Words = {}
    for found in _WORD.finditer(text.lower()):
        kind = found.lastgroup or ""
        values = words.get(kind, ())
        if found[kind] not in values:
            words[kind] = (*values, found[kind])
    return words


def _return_period(words: _Words) -> int:
    years = int(
        _required(words, "return_period", Reason.NO_RETURN_PERIOD, "return period (1in100)")
    )
    if years not in RETURN_PERIODS:
        raise UnreadableName(
            Reason.UNKNOWN_RETURN_PERIOD,
            f"is of return period 1in{years}, for which stacks have no band",
        )
    return years


def _map_of(words: _Words, above: list[_Words]) -> FathomMap:
    for kind, (reason, message) in _REFUSED.items():
        if kind in words:
            raise UnreadableName(reason, f"{message}: {', '.join(words[kind])}")
    year = int(_required(words, "year", Reason.NO_YEAR, "year (2020)"))
    if year not in _YEARS:
        raise UnreadableName(Reason.UNKNOWN_YEAR, f"is of {year}, which FATHOM has no maps of")
    said = {
        "flood_type": _required(
            words, "flood_type", Reason.NO_FLOOD_TYPE, "type of flood (FLUVIAL)"
        ),
        "defence": _required(words, "defence", Reason.NO_DEFENCE, "DEFENDED or UNDEFENDED"),
        "year": year,
        "ssp": _ssp(words, year),
    }
    for kind in ("resolution", "percentile", "version"):
        nearest = next((each for each in [words, *above] if kind in each), None)
        if nearest is not None:
            said[kind] = _one(nearest, kind)
    return FathomMap.model_validate(said)


def _ssp(words: _Words, year: int) -> Scenario | None:
    if "ssp" not in words:
        if year != _PRESENT:
            raise UnreadableName(
                Reason.NO_SCENARIO,
                f"is of {year} and has no climate scenario (SSP2_4.5), as only maps of {_PRESENT} "
                "may",
            )
        return None
    text = _one(words, "ssp")
    ssp = _SCENARIOS.get("".join(filter(str.isdigit, text)))
    if ssp is None:
        raise UnreadableName(
            Reason.UNKNOWN_SCENARIO, f"is of {text.upper()}, a scenario that is not read"
        )
    return ssp


def _required(words: _Words, kind: str, absent: Reason, said: str) -> str:
    if kind not in words:
        raise UnreadableName(absent, f"has no {said} in its name")
    return _one(words, kind)


def _one(words: _Words, kind: str) -> str:
    """The one value of a kind of words that is there."""
    values = words[kind]
    if len(values) > 1:
        raise UnreadableName(
            Reason.AMBIGUOUS,
            f"has more than one {kind.replace('_', ' ')} in its name: {', '.join(values)}",
        )
    return values[0]
