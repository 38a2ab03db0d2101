"""What rasters are taken for, how sure that is, and what a person says against it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.raster import inference, sampling
from services.raster.model import Inference, RasterType, Subtype
from tests.support import rasters
from tests.support.raster_subjects import facts, sample

_VISIBLE = [{"colour": colour} for colour in ("red", "green", "blue")]
_NLCD = (11, 21, 22, 31, 41, 42, 52, 71, 82, 90, 95)


def _infer(pixels: np.ndarray, name: str = "raster.tif", **known: Any) -> Inference:
    return inference.infer(facts(pixels, **known), sample(pixels), name)


# Nothing but the pixels tells: names, colours and tags are left out.
_BARE: dict[str, tuple[str, Callable[[int], np.ndarray]]] = {
    "elevation float32": ("dem", lambda seed: rasters.dem(seed=seed)),
    "elevation int16": ("dem", lambda seed: rasters.dem(seed=seed).astype("int16")),
    "elevation uint16": ("dem", lambda seed: rasters.dem(seed=seed).astype("uint16")),
    "whole metres in float32": ("dem", lambda seed: np.round(rasters.dem(seed=seed))),
    "lowland": ("dem", lambda seed: rasters.dem(seed=seed, low=-3, high=40)),
    "sea floor": ("dem", lambda seed: rasters.dem(seed=seed, low=-4000, high=20)),
    "undeclared -9999": (
        "dem",
        lambda seed: np.where(rasters.mask(seed=seed + 50), -9999, rasters.dem(seed=seed)),
    ),
    "classes": ("categorical", lambda seed: rasters.landcover(seed=seed)),
    "classes int16": (
        "categorical",
        lambda seed: rasters.landcover(128, seed, _NLCD) * np.int16(1),
    ),
    "classes float32": ("categorical", lambda seed: rasters.landcover(128, seed) * np.float32(10)),
    "annual classes": ("categorical", lambda seed: np.stack([rasters.landcover(64, seed)] * 31)),
    "mask": ("categorical", lambda seed: rasters.mask(seed=seed)),
    "mask of 255": ("categorical", lambda seed: rasters.mask(seed=seed) * np.uint8(255)),
    "flags": ("categorical", lambda seed: rasters.flags(seed=seed)),
    "picture": ("rgb", lambda seed: rasters.rgb(seed=seed)),
    "picture uint16": ("rgb", lambda seed: rasters.rgb(seed=seed) * np.uint16(37)),
    "picture with alpha": ("rgba", lambda seed: rasters.rgba(seed=seed)),
    "near infrared": ("nir", lambda seed: rasters.nir(seed=seed)),
    "near infrared uint16": ("nir", lambda seed: rasters.nir(seed=seed) * np.uint16(20)),
    "channels": ("multispectral", lambda seed: rasters.multispectral(seed=seed)),
    "reflectances": (
        "multispectral",
        lambda seed: (rasters.multispectral(seed=seed, bands=12) / 1e4).astype("float32"),
    ),
    "index": ("vegetation_index", lambda seed: rasters.ndvi(seed=seed)),
    "index int16": (
        "vegetation_index",
        lambda seed: (rasters.ndvi(seed=seed) * 1e4).astype("int16"),
    ),
    "radar": ("continuous", lambda seed: rasters.sar(seed=seed)),
    "radar in decibels": (
        "continuous",
        lambda seed: (20 * np.log10(rasters.sar(seed=seed)) - 60).astype("float32"),
    ),
    "kelvin": ("continuous", lambda seed: rasters.temperature(seed=seed)),
    "people": ("continuous", lambda seed: rasters.population(seed=seed)),
    "shares": ("continuous", lambda seed: rasters.surface(seed=seed, exponent=1.5) ** 2),
    "percent": (
        "continuous",
        lambda seed: (100 * rasters.surface(seed=seed, exponent=1.2)).astype("uint8"),
    ),
    "grey": ("continuous", lambda seed: rasters.rgb(seed=seed)[0]),
    "percent, at both ends": (
        "continuous",
        lambda seed: (100 * np.clip(3 * rasters.surface(seed=seed, exponent=1.2) - 1, 0, 1)).astype(
            "uint8"
        ),
    ),
    "grey, stretched": ("continuous", lambda seed: rasters.shades(seed=seed)),
    "grey, stretched, small": ("continuous", lambda seed: rasters.shades(20, seed)),
    "grey of 16 levels": ("continuous", lambda seed: rasters.shades(seed=seed, levels=16, step=17)),
    "bits of days": ("categorical", lambda seed: rasters.days(seed=seed)),
    "120 classes": ("categorical", lambda seed: rasters.landcover(256, seed, range(1, 121))),
    "zones": (
        "categorical",
        lambda seed: np.floor(8 * rasters.surface(seed=seed)).astype("uint8"),
    ),
    "vectors": (
        "continuous",
        lambda seed: 20 * np.stack([rasters.surface(seed=s) for s in (seed, seed + 9)]) - 10,
    ),
    "months": (
        "continuous",
        lambda seed: np.stack([rasters.temperature(128, seed) + i for i in range(12)]),
    ),
    "radar, complex": ("unknown", lambda seed: rasters.sar(64, seed) * np.complex64(1 + 1j)),
    "grey and alpha": ("unknown", lambda seed: rasters.rgba(seed=seed)[2:]),
}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("case", _BARE)
def test_pixels_alone_tell(case: str, seed: int) -> None:
    expected, make = _BARE[case]
    pixels = make(seed)
    bands = [{}, {"colour": "alpha"}] if case == "grey and alpha" else []
    found = _infer(pixels, bands=bands)
    assert found.type == expected, found.candidates[:2]


def test_candidates_are_all_types_in_the_order_of_their_probability() -> None:
    found = _infer(rasters.dem())
    probabilities = [candidate.probability for candidate in found.candidates]
    assert {candidate.type for candidate in found.candidates} == set(RasterType)
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1)
    assert (found.type, found.confidence) == (found.candidates[0].type, probabilities[0])


def test_arguments_are_given_for_and_against() -> None:
    found = _infer(rasters.dem(), name="dem.tif")
    best = found.candidates[0]
    assert "The file's name says “dem”." in best.evidence_for
    classes = next(c for c in found.candidates if c.type is RasterType.CATEGORICAL)
    assert any("fractions" in says for says in classes.evidence_against)
    assert {evidence.says for evidence in found.evidence} >= set(best.evidence_for)


def test_a_name_helps_and_does_not_decide() -> None:
    classes = rasters.landcover()
    assert _infer(classes, name="dem.tif").type is RasterType.CATEGORICAL
    plain, named = _infer(rasters.dem()), _infer(rasters.dem(), name="elevation_utm33.tif")
    assert named.confidence > plain.confidence


def test_subtypes_are_of_the_type() -> None:
    assert _infer(rasters.mask()).subtype is Subtype.MASK
    assert _infer(rasters.flags()).subtype is Subtype.BIT_FLAGS
    assert _infer(rasters.days()).subtype is Subtype.BIT_FLAGS
    assert _infer(rasters.dem()).subtype is None


def test_smoothness_alone_makes_nobody_sure() -> None:
    relief = rasters.dem(64)
    nowhere = _infer(relief, transform=None)
    hills = _infer(relief)
    flat = _infer(rasters.dem(64, low=120, high=121.5))
    assert nowhere.type is hills.type is RasterType.DEM
    assert nowhere.confidence < hills.confidence
    assert flat.type is not RasterType.DEM


def test_what_holds_nothing_is_unknown() -> None:
    assert _infer(np.full((64, 64), np.nan, np.float32)).type is RasterType.UNKNOWN
    assert _infer(np.zeros((64, 64), np.float32)).type is RasterType.UNKNOWN


def test_a_person_overrides() -> None:
    found = _infer(rasters.dem(), name="dem.tif")
    said = inference.overridden(found, "categorical")
    assert (said.type, said.overridden) == (RasterType.CATEGORICAL, True)
    assert said.conflict is not None
    assert "looks like dem" in said.conflict
    assert said.warnings[-1].code == "type_conflict"
    assert (said.confidence, said.candidates) == (found.confidence, found.candidates)


def test_a_person_who_agrees_is_not_warned() -> None:
    found = _infer(rasters.dem())
    said = inference.overridden(found, "dem")
    assert (said.type, said.overridden, said.conflict) == (RasterType.DEM, True, None)
    assert said.warnings == found.warnings


def test_a_subtype_overrides_with_its_type() -> None:
    said = inference.overridden(_infer(rasters.dem()), "hillshade")
    assert (said.type, said.subtype) == (RasterType.CONTINUOUS, Subtype.HILLSHADE)


def test_what_is_no_type_is_refused() -> None:
    with pytest.raises(ValueError, match="picture"):
        inference.overridden(_infer(rasters.dem()), "picture")


_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
           "float32", "float64", "complex64")  # fmt: skip


@st.composite
def _any_pixels(draw: st.DrawFn) -> np.ndarray:
    dtype = np.dtype(draw(st.sampled_from(_DTYPES)))
    shape = draw(st.tuples(st.integers(1, 7), st.integers(1, 24), st.integers(1, 24)))
    count = int(np.prod(shape)) * dtype.itemsize
    seed = draw(st.integers(0, 1000))
    kind = draw(st.sampled_from(("bits", "few", "one")))
    random = np.random.default_rng(seed)
    if kind == "bits":
        return np.frombuffer(random.bytes(count), dtype).reshape(shape)
    return random.integers(0, 3 if kind == "few" else 1, shape).astype(dtype)


@given(
    pixels=_any_pixels(),
    share=st.sampled_from((0.0, 0.5, 1.0)),
    name=st.text(max_size=20),
    colour=st.sampled_from(("undefined", "gray", "palette", "alpha", "red")),
    nodata=st.sampled_from((None, 0.0, -9999.0, float("nan"))),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_anything_gets_probabilities_that_sum_to_one(
    pixels: np.ndarray, share: float, name: str, colour: str, nodata: float | None
) -> None:
    valid = np.random.default_rng(1).random(pixels.shape) < share
    with np.errstate(all="ignore"):
        taken = sample(pixels, valid & np.isfinite(pixels))
    bands = [{"colour": colour, "nodata": nodata} for _ in pixels]
    found = inference.infer(facts(pixels, bands=bands), taken, name)
    assert sum(candidate.probability for candidate in found.candidates) == pytest.approx(1)
    assert 0 < found.confidence <= 1
    assert Inference.model_validate_json(found.model_dump_json()).type is found.type
    assert len(sampling.statistics(taken)) == len(pixels)
