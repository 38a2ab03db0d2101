"""Which of FATHOM's maps and tiles a job is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from infrastructure import database
from services.fathom.names import FathomMap
from services.fathom.parameters import FathomSelection
from services.fathom.tiles import Tile
from services.h3 import areas
from services.h3.areas import Area
from services.h3.model import Box


@dataclass(frozen=True, slots=True)
class Selection:
    """What `FathomSelection` asks for. A tile is taken when it has more than an edge in common
    with each of `within`."""

    parameters: FathomSelection
    within: tuple[Area, ...] = ()
    _tiles: dict[Tile, bool] = field(default_factory=dict)

    def takes(self, of: FathomMap, tile: Tile) -> bool:
        """Whether this tile of this map is asked for."""
        return self._takes_map(of) and self._takes_tile(tile)

    def _takes_map(self, of: FathomMap) -> bool:
        asked = self.parameters
        return (
            (asked.flood_types is None or of.flood_type in asked.flood_types)
            and (asked.defences is None or of.defence in asked.defences)
            and (asked.years is None or of.year in asked.years)
            and (asked.ssps is None or of.ssp is None or of.ssp in asked.ssps)
        )

    def _takes_tile(self, tile: Tile) -> bool:
        if tile not in self._tiles:
            west, south, east, north = tile.bounds
            box = Box(west=west, south=south, east=east, north=north)
            self._tiles[tile] = all(area.touches(box) for area in self.within)
        return self._tiles[tile]


def selection(parameters: FathomSelection) -> Selection:
    """The selection that the parameters ask for.

    Raises `PermanentTaskError` (curated_admin0_missing, country_not_found) for a country that
    cannot be found.
    """
    within = []
    if parameters.bbox is not None:
        within.append(areas.of_bbox(parameters.bbox))
    if parameters.iso3 is not None:
        with database.transaction() as connection:
            within.append(areas.of_country(connection, parameters.iso3))
    return Selection(parameters, tuple(within))
