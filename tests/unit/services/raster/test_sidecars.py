"""Which files belong to a raster, by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.raster import sidecars


@pytest.mark.parametrize(
    ("name", "raster", "local"),
    [
        ("dem.tfw", "dem.tif", "dem.tfw"),
        ("DEM.TFW", "dem.tif", "dem.tfw"),
        ("dem.tif.aux.xml", "dem.tif", "dem.tif.aux.xml"),
        ("dem.aux.xml", "dem.tif", "dem.aux.xml"),
        ("Dem.TIF.Ovr", "DEM.TIF", "DEM.TIF.ovr"),
        ("dem.tif.msk", "dem.tif", "dem.tif.msk"),
        ("dem.prj", "dem.asc", "dem.prj"),
        ("cover.ige", "cover.img", "cover.ige"),
        ("cover.ige", "cover.tif", None),
        ("dem2.tfw", "dem.tif", None),
        ("dem.txt", "dem.tif", None),
        ("dem.tif", "dem.tif", None),
        ("dem.tif.tif.ovr", "dem.tif", None),
    ],
)
def test_a_sidecar_is_told_by_its_name(name: str, raster: str, local: str | None) -> None:
    suffix = sidecars.suffix_of(name, raster)
    assert (None if suffix is None else sidecars.beside(raster, suffix)) == local


def test_only_what_lies_beside_the_raster_belongs_to_it() -> None:
    raster = Path("in/dem.tif")
    paths = [raster, Path("in/DEM.tfw"), Path("dem.tif.ovr"), Path("in/notes.txt")]
    assert sidecars.among(raster, paths) == {"dem.tfw": Path("in/DEM.tfw")}
