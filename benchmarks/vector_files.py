"""Files for the vector benchmark: seeded, realistic shapes, one geometry in a hundred broken.

Everything is made in slices, so that a file of any size needs the memory of one slice.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyogrio.raw
import shapely

POLYGONS = 250_000
"""Polygons of the file of 12 million vertices."""

POINTS = 2_500_000
"""Rows of the CSV of 1 GB."""

_SLICE = 50_000
_VERTICES = 49
_BROKEN_SHARE = 0.0116
_FIELDS = ["number", "parcel", "land_use", "hectares", "people", "since", "public", "owner"]
_LAND_USES = np.array(["forest", "pasture", "arable", "wetland", "built-up", "bare"], dtype=object)


def polygons(file: Path, count: int) -> None:
    """A GeoPackage of irregular parcels of about 49 vertices with eight attributes.

    Of the polygons about 1.2% are invalid: bow-ties, spikes and holes outside of their shell.
    """
    chance = np.random.default_rng(20_260_101)
    file.unlink(missing_ok=True)
    for first in range(0, count, _SLICE):
        size = min(_SLICE, count - first)
        number = np.arange(first, first + size)
        data = [
            number,
            np.array([f"parcel-{each:08}" for each in number], dtype=object),
            chance.choice(_LAND_USES, size),
            chance.uniform(0.1, 900, size),
            chance.integers(0, 100_000, size, dtype=np.int32),
            np.datetime64("2015-01-01", "D") + chance.integers(0, 4000, size),
            chance.random(size) < 0.3,
            np.array([f"Owner {each % 4001} of the commune" for each in number], dtype=object),
        ]
        pyogrio.raw.write(
            str(file),
            geometry=shapely.to_wkb(_parcels(chance, size)),
            field_data=data,
            fields=_FIELDS,
            layer="parcels",
            driver="GPKG",
            geometry_type="Polygon",
            crs="EPSG:4326",
            append=first > 0,
            # Both sides pay for reading the features; neither reads the file's own index.
            layer_options={"SPATIAL_INDEX": "NO"} if first == 0 else None,
        )


def _parcels(chance: np.random.Generator, count: int) -> npt.NDArray[np.object_]:
    """Star-shaped rings with rough edges; some of them broken in the ways that real ones are."""
    angles = np.sort(chance.uniform(0, 2 * np.pi, (count, _VERTICES)), axis=1)
    radii = chance.uniform(0.002, 0.01, (count, 1)) * chance.uniform(0.75, 1, (count, _VERTICES))
    x = chance.uniform(-17, 50, (count, 1)) + radii * np.cos(angles)
    y = chance.uniform(-34, 36, (count, 1)) + radii * np.sin(angles)
    broken = np.flatnonzero(chance.random(count) < _BROKEN_SHARE)
    crossed, spiked = broken[::2], broken[1::2]
    # Two neighbours in the wrong order cross the boundary; a detour out and back is a spike.
    for values in (x, y):
        values[crossed, 10], values[crossed, 30] = values[crossed, 30], values[crossed, 10].copy()
        values[spiked, 20] = values[spiked, 19] + 0.004
        values[spiked, 21] = values[spiked, 19]
    points = np.stack([x, y], axis=2)
    points = np.concatenate([points, points[:, :1]], axis=1)
    rings = shapely.linearrings(
        points.reshape(-1, 2), indices=np.repeat(np.arange(count), _VERTICES + 1)
    )
    parcels: npt.NDArray[np.object_] = shapely.polygons(rings)
    return parcels


def events(file: Path, count: int) -> None:
    """A CSV of events with coordinates, about 400 bytes a row; one in a thousand has none."""
    chance = np.random.default_rng(20_260_102)
    notes = [
        "; ".join(f"{word} {number}" for word in ("reported by the district office", "checked"))
        for number in range(1000)
    ]
    padding = "seen from the road, described by two witnesses, recorded the day after; " * 3
    with file.open("w", encoding="utf-8") as out:
        out.write("event_id,event_date,kind,longitude,latitude,people,verified,notes\n")
        for first in range(0, count, _SLICE):
            size = min(_SLICE, count - first)
            longitudes = chance.uniform(-17, 50, size).round(6)
            latitudes = chance.uniform(-34, 36, size).round(6)
            days = np.datetime64("2000-01-01", "D") + chance.integers(0, 9000, size)
            people = chance.integers(0, 500, size)
            kinds = chance.choice(_LAND_USES, size)
            lost = chance.random(size) < 0.001
            out.writelines(
                f"EV{first + i:09},{days[i]},{kinds[i]},"
                f"{'unknown' if lost[i] else longitudes[i]},{latitudes[i]},{people[i]},"
                f'{"true" if people[i] % 2 else "false"},"{notes[i % 1000]}; {padding}"\n'
                for i in range(size)
            )
