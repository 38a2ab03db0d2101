"""The tiles that FATHOM's maps are cut into: cells of one degree."""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME = r"[ns]\d{2}[ew]\d{3}"
"""A regular expression for the name of a tile, in letters of either case."""

_PARTS = re.compile(r"([ns])(\d{2})([ew])(\d{3})", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """A cell of one degree, by its south-west corner in whole degrees."""

    south: int
    west: int

    @classmethod
    def of(cls, name: str) -> Tile:
        """The tile of this name: n04w006. Raises ValueError for what is none."""
        parts = _PARTS.fullmatch(name)
        if parts is None:
            raise ValueError(f"{name!r} is no tile such as n04w006")
        northing, latitude, easting, longitude = parts.groups()
        tile = cls(
            int(latitude) * (1 if northing in "nN" else -1),
            int(longitude) * (1 if easting in "eE" else -1),
        )
        on_earth = -90 <= tile.south < 90 and -180 <= tile.west < 180
        # A zero has one name: s00 would be n00, and whoever writes it may mean the tile below.
        if not on_earth or tile.name != name.lower():
            raise ValueError(f"there is no tile {name.lower()} on the Earth")
        return tile

    @property
    def name(self) -> str:
        """Such as n04w006."""
        return (
            f"{'s' if self.south < 0 else 'n'}{abs(self.south):02d}"
            f"{'w' if self.west < 0 else 'e'}{abs(self.west):03d}"
        )

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """West, south, east, north in degrees. Its pixels lie half of one beside these (FATHOM's
        NW_OFFSET): what counts for pixels is the file's own georeference."""
        return self.west, self.south, self.west + 1, self.south + 1
