"""What each kind of evidence says of rasters that show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from services.raster.evidence import codes, colours, quantities, relief, spectra, structure, words
from services.raster.evidence.finding import Finding
from services.raster.evidence.subject import Subject
from services.raster.model import RasterType, Subtype
from tests.support import rasters
from tests.support.raster_subjects import subject

Find = Callable[[Subject], Iterator[Finding]]
_VISIBLE = [{"colour": colour} for colour in ("red", "green", "blue")]
_RAMP = np.stack([np.arange(256)] * 3 + [np.full(256, 255)], axis=1).astype(np.uint8)
_TINTED = _RAMP // [1, 2, 4, 1]
_CLASSES = np.random.default_rng(4).integers(0, 255, (256, 4)).astype(np.uint8)


def _found(find: Find, looked_at: Subject) -> dict[str, Finding]:
    return {finding.name: finding for finding in find(looked_at)}


def _weight(finding: Finding, kind: RasterType) -> float:
    return finding.weights.get(kind, 0.0)


@pytest.mark.parametrize(
    ("find", "looked_at", "name", "kind", "sign"),
    [
        (structure.find, subject(rasters.dem(32), driver="SRTMHGT"), "format", "dem", 1),
        (structure.find, subject(rasters.dem(32).astype("complex64")), "data type", "unknown", 1),
        (structure.find, subject(rasters.dem(32).astype("uint8")), "data type", "dem", -1),
        (colours.find, subject(rasters.rgb(32), bands=_VISIBLE), "colours", "rgb", 1),
        (colours.find, subject(rasters.nir(32), bands=_VISIBLE), "colours", "nir", 1),
        (
            colours.find,
            subject(rasters.nir(64), bands=[*_VISIBLE, {"colour": "alpha"}]),
            "alpha",
            "rgba",
            -1,
        ),
        (
            colours.find,
            subject(rasters.landcover(64), bands=[{"colour": "palette"}], palette=_CLASSES),
            "palette",
            "categorical",
            1,
        ),
        (
            colours.find,
            subject(rasters.rgb(64)[0], bands=[{"colour": "palette"}], palette=_RAMP),
            "palette",
            "continuous",
            1,
        ),
        (codes.find, subject(rasters.mask(64)), "distinct values", "categorical", 1),
        (codes.find, subject(rasters.landcover(64)), "neighbours", "categorical", 1),
        (codes.find, subject(rasters.dem(64).astype("int16")), "neighbours", "categorical", -1),
        (codes.find, subject(rasters.dem(64)), "fractions", "categorical", -1),
        (codes.find, subject(rasters.flags(128)), "bit flags", "categorical", 1),
        (codes.find, subject(np.zeros((9, 9), "uint8")), "distinct values", "unknown", 1),
        (
            codes.find,
            subject(rasters.landcover(128, codes=(11, 31, 41, 81, 90, 95))),
            "gaps",
            "categorical",
            1,
        ),
        (
            codes.find,
            subject((100 * rasters.surface(exponent=1.2)).astype("uint8")),
            "percent",
            "continuous",
            1,
        ),
        (
            codes.find,
            subject(np.stack([rasters.landcover(64)] * 9)),
            "classes in all bands",
            "categorical",
            1,
        ),
        (codes.find, subject(rasters.shades()), "even gaps", "categorical", -1),
        (codes.find, subject(rasters.shades(step=8)), "neighbours", "categorical", -1),
        (codes.find, subject(rasters.days()), "single bits", "categorical", 1),
        (relief.find, subject(rasters.dem()), "steepness", "dem", 1),
        (relief.find, subject(rasters.dem(high=30_000)), "steepness", "dem", -1),
        (relief.find, subject(rasters.dem(high=122)), "steepness", "dem", -1),
        (
            codes.find,
            subject((60 * rasters.surface(exponent=1.2)).astype("uint8")),
            "no gaps",
            "categorical",
            -1,
        ),
        (
            codes.find,
            subject(np.stack([rasters.mask(64, seed) for seed in (1, 2, 3)])),
            "classes in all bands",
            "categorical",
            1,
        ),
        (
            colours.find,
            subject(rasters.rgb(64)[0], bands=[{"colour": "palette"}], palette=_TINTED),
            "palette",
            "categorical",
            1,
        ),
        (
            colours.find,
            subject(rasters.dem(64).astype("uint16"), bands=[{"colour": "palette"}],
                    palette=np.zeros((2000, 4), "uint8") + np.arange(2000)[:, None] % [9, 7, 5, 1]),
            "palette",
            "dem",
            1,
        ),
        (spectra.find, subject((rasters.rgb() / 255).astype("float32")), "brightness", "rgb", 1),
        (relief.find, subject(rasters.dem()), "surface", "dem", 1),
        (relief.find, subject(rasters.temperature() - 300), "range", "continuous", 1),
        (relief.find, subject(rasters.sar()), "surface", "dem", -1),
        (relief.find, subject(rasters.dem(high=40_000)), "range", "dem", -1),
        (relief.find, subject(rasters.ndvi()), "range", "dem", -1),
        (relief.find, subject(rasters.population()), "range", "continuous", 1),
        (
            relief.find,
            subject((rasters.temperature(360) - 273), crs="EPSG:4326",
                    transform=(1.0, 0.0, -180.0, 0.0, -0.5, 90.0)),
            "range",
            "dem",
            -1,
        ),
        (relief.find, subject(rasters.dem(low=0, high=359.5)), "directions", "dem", -1),
        (relief.find, subject(rasters.dem(low=0, high=254)), "shades", "dem", -1),
        (quantities.find, subject(rasters.ndvi()), "index", "vegetation_index", 1),
        (
            quantities.find,
            subject((rasters.ndvi() * 10_000).astype("int16")),
            "index",
            "vegetation_index",
            1,
        ),
        (quantities.find, subject(rasters.surface()), "share", "continuous", 1),
        (quantities.find, subject(rasters.temperature()), "kelvin", "continuous", 1),
        (quantities.find, subject(rasters.population()), "amounts", "continuous", 1),
        (spectra.find, subject(rasters.rgb()), "correlation", "rgb", 1),
        (spectra.find, subject(rasters.nir()), "correlation", "nir", 1),
        (spectra.find, subject(rasters.nir()[::-1]), "correlation", "nir", -1),
        (
            spectra.find,
            subject(np.stack([rasters.temperature(seed=i) for i in range(6)])),
            "fields",
            "continuous",
            1,
        ),
        (
            spectra.find,
            subject(np.stack([rasters.surface(), 1 - rasters.surface(), rasters.surface() * 0])),
            "shares",
            "continuous",
            1,
        ),
        (
            spectra.find,
            subject(np.stack([rasters.dem(), rasters.surface(), rasters.surface(seed=1)])),
            "scales",
            "rgb",
            -1,
        ),
    ],
)  # fmt: skip
def test_what_is_found(find: Find, looked_at: Subject, name: str, kind: str, sign: int) -> None:
    found = _found(find, looked_at)
    assert name in found, sorted(found)
    assert sign * _weight(found[name], RasterType(kind)) > 0
    assert found[name].says.endswith(".")


@pytest.mark.parametrize(
    "pixels",
    [
        rasters.landcover(codes=range(10, 101, 10)),
        rasters.landcover(codes=(11, 21, 22, 23, 24, 31, 41, 42, 43, 52, 71, 81, 82, 90, 95)),
        rasters.rgb()[0],
        rasters.dem().astype("int16"),
    ],
)
def test_gaps_of_codes_and_values_without_gaps_are_not_those_of_a_stretched_picture(
    pixels: np.ndarray,
) -> None:
    assert "even gaps" not in _found(codes.find, subject(pixels))


@pytest.mark.parametrize("levels", [16, 64])
def test_levels_of_a_picture_are_no_bits(levels: int) -> None:
    picture = rasters.shades(levels=levels, step=256 // levels)
    assert "single bits" not in _found(codes.find, subject(picture))


def test_few_borders_say_little_of_what_borders_on_what() -> None:
    many = rasters.landcover(256, codes=range(1, 121))
    few = np.zeros_like(many)
    few[100:112, 100:112] = many[::22, ::22]
    weights = [
        _weight(_found(codes.find, subject(pixels))["neighbours"], RasterType.CATEGORICAL)
        for pixels in (few, many)
    ]
    assert 0 < weights[0] < weights[1]


@pytest.mark.parametrize("known", [{"crs": None}, {"transform": None}, {"crs": "nonsense"}])
def test_without_a_size_on_the_ground_nothing_is_steep(known: dict[str, Any]) -> None:
    assert "steepness" not in _found(relief.find, subject(rasters.dem(), **known))


@pytest.mark.parametrize(
    ("crs", "height", "metres"),
    [("EPSG:32633", 30.0, 30.0), ("EPSG:2263", 10.0, 3.048), ("EPSG:4326", 1 / 3600, 30.89)],
)
def test_the_height_of_a_pixel_is_told_in_metres(crs: str, height: float, metres: float) -> None:
    looked_at = subject(rasters.dem(8), crs=crs, transform=(height, 0.0, 0.0, 0.0, -height, 0.0))
    assert looked_at.pixel_metres == pytest.approx(metres, rel=1e-3)


@pytest.mark.parametrize(
    ("pixels", "known", "word", "kind", "subtype"),
    [
        (rasters.dem(32), {"name": "srtm_12_03.tif"}, "srtm", "dem", None),
        (rasters.dem(32), {"name": "alps-DEM-slope.tif"}, "slope", "continuous", Subtype.SLOPE),
        (rasters.dem(32), {"name": "dem_diff.tif"}, "diff", "continuous", None),
        (rasters.dem(32), {"name": "S2A_NDVI_2020.tif"}, "ndvi", "vegetation_index", None),
        (rasters.dem(32), {"name": "LC08_SR_B4.TIF"}, "sr b4", "continuous", None),
        (rasters.dem(32), {"name": "landCover2019.tif"}, "land cover", "categorical",
         Subtype.LAND_COVER),
        (rasters.rgb(32), {"name": "ortho.tif"}, "ortho", "rgb", None),
        (rasters.nir(32), {"name": "naip_2020.tif"}, "naip", "nir", None),
        (rasters.dem(32), {"bands": [{"description": "Elevation"}]}, "elevation", "dem", None),
        (rasters.dem(32), {"tags": {"long_name": "total rainfall"}}, "rainfall", "continuous",
         Subtype.PRECIPITATION),
    ],
)  # fmt: skip
def test_names_speak_for_types(
    pixels: np.ndarray, known: dict[str, Any], word: str, kind: str, subtype: Subtype | None
) -> None:
    found = _found(words.find, subject(pixels, **known))
    [finding] = found.values()
    assert finding.value == word
    assert _weight(finding, RasterType(kind)) > 1
    assert list(finding.subtypes) == ([] if subtype is None else [subtype])


@pytest.mark.parametrize("name", ["demo.tif", "tempest.tif", "x.tif", ".tif", "maskedfile.tif"])
def test_parts_of_other_words_say_nothing(name: str) -> None:
    assert not _found(words.find, subject(rasters.dem(32), name=name))


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (("red", "green", "blue"), "rgb"),
        (("Blue", "Green", "Red", "NIR"), "nir"),
        (("B04", "B03", "B02", "B08"), "nir"),
        (("coastal", "blue", "green", "red", "nir", "swir16"), "multispectral"),
        (("B1_dn", "B2_dn", "B3_dn", "B4_dn", "B5_dn"), "multispectral"),
        (("490 nm", "560 nm", "665 nm"), "multispectral"),
        (("bio1", "bio12", "elevation of trees"), "continuous"),
    ],
)
def test_names_of_bands_speak_together(names: tuple[str, ...], kind: str) -> None:
    pixels = np.stack([rasters.rgb(16)[0]] * len(names))
    bands = [{"description": name} for name in names]
    finding = _found(words.find, subject(pixels, bands=bands))["band names"]
    assert max(finding.weights, key=lambda type_: finding.weights[type_]) == kind


@pytest.mark.parametrize(
    ("unit", "kind"), [("m", "dem"), ("K", "continuous"), ("dB", "continuous")]
)
def test_units_speak_for_types(unit: str, kind: str) -> None:
    finding = _found(words.find, subject(rasters.dem(32), bands=[{"unit": unit}]))["unit"]
    assert list(finding.weights) == [RasterType(kind)]


def test_names_given_by_software_say_nothing() -> None:
    bands = [{"description": f"Band {number}"} for number in (1, 2, 3)]
    assert not _found(words.find, subject(rasters.rgb(16), bands=bands))


def test_two_components_of_a_vector() -> None:
    wind = 20 * np.stack([rasters.surface(seed=1), rasters.surface(seed=2)]) - 10
    finding = _found(spectra.find, subject(wind))["components"]
    assert Subtype.VECTOR_FIELD in finding.subtypes
