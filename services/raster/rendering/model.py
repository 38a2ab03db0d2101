"""How a raster is drawn, in the words of STAC's render extension.

https://github.com/stac-extensions/render/tree/v2.0.0
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_serializer
from pydantic_core.core_schema import SerializerFunctionWrapHandler

from services.raster.model import RasterModel

EXTENSION = "https://stac-extensions.github.io/render/v2.0.0/schema.json"

# Under which name an item's `renders` hold the style that process_raster has chosen.
DEFAULT = "default"

Resampling = Literal["nearest", "bilinear", "cubic", "average", "mode"]


class RenderStyle(RasterModel):
    """A Render Object: what titiler, and others who read `renders`, draw in the same way.

    `bidx` are the bands in the order red, green, blue, or the one that is coloured; with an
    `expression` of b1, b2, ... they say nothing. `rescale` holds the stored values that become
    0 and 255: one pair for all bands or one for each; without it 8 bits are drawn as they are.
    A `colormap` gives a colour (#rrggbb or #rrggbbaa) to single values, `colormap_name` names a
    ramp of rio-tiler's. Without either a single band is gray, or has the file's own palette.
    """

    title: str = "Preview"
    assets: tuple[str, ...] = ("data",)
    bidx: tuple[int, ...] = ()
    expression: str | None = None
    rescale: tuple[tuple[float, float], ...] | None = None
    colormap_name: str | None = None
    colormap: dict[int, str] | None = Field(default=None, max_length=256)
    resampling: Resampling = "bilinear"
    nodata: float | None = None
    minmax_zoom: tuple[int, int] | None = None

    @model_serializer(mode="wrap")
    def _without_what_is_not_said(
        self, handler: SerializerFunctionWrapHandler
    ) -> dict[str, object]:
        """The extension knows no nulls."""
        return {name: value for name, value in handler(self).items() if value not in (None, [])}
