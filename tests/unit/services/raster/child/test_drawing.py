"""Pixels to pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rio_tiler.models import ImageData

from services.raster.child.drawing import png, transparent
from services.raster.rendering.model import RenderStyle
from tests.support.raster_catalog import read_png


def drawn(
    values: Any, style: RenderStyle, *, masked: Any = False, palette: Any = None
) -> NDArray[np.uint8]:
    array = np.ma.MaskedArray(np.asarray(values), mask=np.broadcast_to(masked, np.shape(values)))
    return read_png(png(ImageData(array), style, palette))


ROW = np.array([[[0.0, 50.0, 100.0, 150.0, -50.0]]], np.float32)


def test_values_are_stretched_and_cut_off() -> None:
    picture = drawn(ROW, RenderStyle(rescale=((0, 100),)))
    assert picture[0].tolist() == [[0, 128, 255, 255, 0]]


def test_what_is_not_valid_is_transparent() -> None:
    values = ROW.copy()
    values[0, 0, 1], values[0, 0, 2] = np.nan, np.inf
    masked = np.zeros(values.shape, bool)
    masked[0, 0, 0] = True
    picture = drawn(values, RenderStyle(rescale=((0, 100),)), masked=masked)
    assert picture[-1].tolist() == [[0, 0, 0, 255, 255]]


@pytest.mark.parametrize(
    "dtype", ["int8", "int16", "uint16", "int32", "uint32", "int64", "float64"]
)
def test_every_type_of_values_is_drawn(dtype: str) -> None:
    values = np.array([[[0, 50, 100]]], dtype)
    assert drawn(values, RenderStyle(rescale=((0, 100),)))[0].tolist() == [[0, 128, 255]]


def test_complex_values_are_drawn_by_their_magnitude() -> None:
    values = np.array([[[3 + 4j, 0]]], np.complex64)
    assert drawn(values, RenderStyle(rescale=((0, 5),)))[0].tolist() == [[255, 0]]


def test_a_ramp_colours_one_band() -> None:
    picture = drawn(ROW, RenderStyle(rescale=((0, 100),), colormap_name="viridis"))
    assert picture[:, 0, 0].tolist() == [68, 1, 84]
    assert picture[:, 0, 2].tolist() == [253, 231, 36]


def test_classes_have_their_colours_and_others_none() -> None:
    values = np.array([[[1, 2, 3, -7]]], np.int16)
    style = RenderStyle(colormap={1: "#ff0000", -7: "#0000ff80"})
    picture = drawn(values, style, palette={2: (9, 9, 9, 255)})
    assert picture[:, 0].T.tolist() == [
        [255, 0, 0, 255],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 255, 128],
    ]


def test_the_file_s_palette_holds_where_the_style_names_no_colours() -> None:
    palette = {1: (10, 20, 30, 255), 2: (40, 50, 60, 255)}
    values = np.array([[[1, 2]]], np.uint8)
    assert drawn(values, RenderStyle(), palette=palette)[:, 0].T.tolist() == [
        [10, 20, 30],
        [40, 50, 60],
    ]
    ramp = RenderStyle(rescale=((0, 2),), colormap_name="gray")
    assert drawn(values, ramp, palette=palette)[:, 0, 1].tolist() == [255, 255, 255]


def test_classes_in_floating_point_are_classes() -> None:
    values = np.array([[[1.0, 1.5, np.nan]]], np.float32)
    picture = drawn(values, RenderStyle(colormap={1: "#ff0000"}))
    assert picture[3].tolist() == [[255, 0, 0]]


def test_one_range_is_for_all_bands_and_each_may_have_its_own() -> None:
    values = np.array([[[10]], [[10]], [[10]]], np.uint16)
    assert drawn(values, RenderStyle(rescale=((0, 10),)))[:, 0, 0].tolist() == [255] * 3
    each = RenderStyle(rescale=((0, 10), (0, 20), (10, 20)))
    assert drawn(values, each)[:, 0, 0].tolist() == [255, 128, 0]


def test_a_tile_of_nothing_is_transparent() -> None:
    picture = read_png(transparent(256))
    assert picture.shape[1:] == (256, 256)
    assert picture[-1].max() == 0
