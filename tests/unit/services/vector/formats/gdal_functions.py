"""What the tests run in the child that reads vector files."""

from __future__ import annotations

import resource


def drivers() -> list[str]:
    import pyogrio

    return list(pyogrio.list_drivers())


def write_and_count(driver: str) -> int:
    """Write three points by a driver, and count what it reads."""
    import numpy as np
    import pyogrio.raw
    import shapely

    path = f"out.{driver.split()[-1].lower()}"
    path = {"out.shapefile": "out.shp", "out.libkml": "out2.kml"}.get(path, path)
    points = shapely.to_wkb(shapely.points([[0, 1], [2, 3], [4, 5]]))
    pyogrio.raw.write(
        path,
        np.array(points, dtype=object),
        [np.array(["a", "b", "c"], dtype=object)],
        ["name"],
        driver=driver,
        geometry_type="Point",
        crs="EPSG:4326",
    )
    return len(pyogrio.raw.read(path)[2])


def why_not(name: str) -> str:
    import pyogrio.errors

    try:
        pyogrio.read_info(name)
    except pyogrio.errors.DataSourceError as error:
        return str(error)
    return "it was opened"


def address_space_bytes() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


def buffer_polygons(count: int) -> int:
    import shapely

    circles = shapely.buffer(shapely.points([[i, i] for i in range(count)]), 1)
    return int(shapely.is_valid(circles).sum())
