"""How a raster is drawn, in the words of STAC's render extension.

https://github.com/stac-extensions/render/tree/v2.0.0
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, FiniteFloat, StringConstraints, model_serializer
from pydantic_core.core_schema import SerializerFunctionWrapHandler

from services.raster.model import RasterModel
from services.raster.rendering import expressions, ramps

EXTENSION = "https://stac-extensions.github.io/render/v2.0.0/schema.json"

# Under which name an item's `renders` hold the style that process_raster has chosen.
DEFAULT = "default"

Resampling = Literal["nearest", "bilinear", "cubic", "average", "mode"]

Colour = Annotated[str, StringConstraints(pattern=r"^#([0-9a-fA-F]{6}|[0-9a-fA-F]{8})$")]


def _gray_or_colours(numbers: tuple[int, ...]) -> tuple[int, ...]:
    if len(numbers) not in (0, 1, 3) or any(number < 1 for number in numbers):
        raise ValueError("must name one band, or three, by their numbers from 1")
    return numbers


def _band_math(expression: str) -> str:
    expressions.bands(expression)
    return expression


def _drawn_ramp(name: str) -> str:
    if name not in ramps.drawn():
        raise ValueError("must be a ramp of rio-tiler's")
    return name


class RenderStyle(RasterModel):
    """A Render Object: what titiler, and others who read `renders`, draw in the same way.

    `bidx` are the bands in the order red, green, blue, or the one that is coloured; with an
    `expression` of b1, b2, ... they say nothing. `rescale` holds the stored values that become
    0 and 255: one pair for all bands or one for each; without it 8 bits are drawn as they are.
    A `colormap` gives a colour (#rrggbb or #rrggbbaa) to single values, `colormap_name` names a
    ramp of rio-tiler's. Without either a single band is gray, or has the file's own palette.

    What could not be drawn of any raster is no style; `bands` are what it demands of one.
    """

    title: str = "Preview"
    assets: tuple[str, ...] = ("data",)
    bidx: Annotated[tuple[int, ...], AfterValidator(_gray_or_colours)] = ()
    expression: Annotated[str, AfterValidator(_band_math)] | None = None
    rescale: tuple[tuple[FiniteFloat, FiniteFloat], ...] | None = Field(default=None, min_length=1)
    colormap_name: Annotated[str, AfterValidator(_drawn_ramp)] | None = None
    colormap: dict[int, Colour] | None = Field(default=None, min_length=1, max_length=256)
    resampling: Resampling = "bilinear"
    nodata: float | None = None
    minmax_zoom: tuple[int, int] | None = None

    @property
    def bands(self) -> frozenset[int]:
        """The numbers of the bands that it draws."""
        if self.expression is not None:
            return expressions.bands(self.expression)
        return frozenset(self.bidx or (1,))

    @model_serializer(mode="wrap")
    def _without_what_is_not_said(
        self, handler: SerializerFunctionWrapHandler
    ) -> dict[str, object]:
        """The extension knows no nulls."""
        return {name: value for name, value in handler(self).items() if value not in (None, [])}
