"""What a caller wants drawn otherwise than the item's style has it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pydantic import Field

from core.errors import FieldError, InvalidParameters
from services.raster.model import RasterModel
from services.raster.rendering import ramps
from services.raster.rendering.model import RenderStyle
from services.raster.rendering.pictures import Inspected
from services.raster.rendering.styles import bands_style

_MOST_NUMBERS = 6


class Choices(RasterModel):
    """Bands, the range of stored values of each (or one for all), and the ramp of colours."""

    bidx: tuple[int, ...] = ()
    rescale: tuple[tuple[float, float], ...] = Field(default=())
    colormap: str | None = None

    def __bool__(self) -> bool:
        return bool(self.bidx or self.rescale or self.colormap)


def parse(query: Mapping[str, str]) -> Choices:
    """The choices of a query string: bidx=4,3,2, rescale=0,3000 (or low,high of each band),
    colormap=viridis.

    Raises `InvalidParameters` naming what is wrong.
    """
    errors: list[FieldError] = []
    bidx = [int(each) for each in _numbers(query, "bidx", errors)]
    if bidx and (len(bidx) not in (1, 3) or min(bidx) < 1):
        errors.append(_fault("bidx", "must name one band, or three, by their numbers from 1"))
    bounds = _numbers(query, "rescale", errors)
    pairs = tuple(zip(bounds[::2], bounds[1::2], strict=False))
    if bounds and (len(bounds) not in (2, 6) or any(not low < high for low, high in pairs)):
        errors.append(
            _fault("rescale", "must be low,high, the lower first: once, or for each of three bands")
        )
    colormap = query.get("colormap")
    if colormap is not None and colormap not in ramps.NAMES:
        errors.append(_fault("colormap", f"must be one of {', '.join(ramps.NAMES)}"))
    if errors:
        raise InvalidParameters(_message(errors), errors)
    return Choices(bidx=tuple(bidx), rescale=pairs, colormap=colormap)


def applied(choices: Choices, style: RenderStyle, raster: Inspected) -> RenderStyle:
    """The style with the choices in place of what it says.

    Bands without a chosen range are stretched as their statistics have it. Raises
    `InvalidParameters` for bands that the raster does not have, more ranges than bands, or a
    ramp for three bands.
    """
    facts = raster.survey.facts
    if choices.bidx:
        if max(choices.bidx) > len(facts.bands):
            raise _invalid("bidx", f"must be among the raster's bands, 1 to {len(facts.bands)}")
        style = bands_style(choices.bidx, style, raster.survey.statistics, facts)
    drawn = 1 if style.expression is not None else max(1, len(style.bidx))
    if choices.colormap is not None:
        if drawn != 1:
            raise _invalid("colormap", "is for a single band, and three are drawn: choose one")
        bounds = (
            style.rescale
            or bands_style(
                style.bidx or (1,), RenderStyle(), raster.survey.statistics, facts, always=True
            ).rescale
        )
        style = style.model_copy(
            update={"colormap": None, "colormap_name": choices.colormap, "rescale": bounds}
        )
    if choices.rescale:
        if len(choices.rescale) not in (1, drawn):
            raise _invalid("rescale", "must have one range, or one for each band that is drawn")
        style = style.model_copy(update={"colormap": None, "rescale": choices.rescale})
    return style


def _numbers(query: Mapping[str, str], name: str, errors: list[FieldError]) -> list[float]:
    text = query.get(name)
    if text is None:
        return []
    kind = int if name == "bidx" else float
    try:
        numbers = [kind(each) for each in text.split(",")]
        are_usable = len(numbers) <= _MOST_NUMBERS and all(map(math.isfinite, numbers))
    except (ValueError, OverflowError):
        # An integer of hundreds of digits is none that a computer's numbers reach.
        are_usable = False
    if not are_usable:
        errors.append(_fault(name, f"must be numbers with commas between them, not {text[:80]!r}"))
        return []
    return list(numbers)


def _fault(name: str, message: str) -> FieldError:
    return {"loc": ["query", name], "msg": message}


def _message(errors: list[FieldError]) -> str:
    return " ".join(f"The parameter {each['loc'][1]!r} {each['msg']}." for each in errors)


def _invalid(name: str, message: str) -> InvalidParameters:
    error = _fault(name, message)
    return InvalidParameters(_message([error]), [error])
