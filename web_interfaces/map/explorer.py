"""The map of layers: what can be chosen, what is chosen, and where each choice leads.

The address says everything: ?layers= those that are chosen (see `refs`), ?view= where the map
looks, ?q= what is looked for among those to choose, ?more= of which kind more is listed. So it can
be shared, and the page works without a script, which only keeps the map while it follows links.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import azure.functions as func

from core.registry import registry
from web_interfaces.api.callers import caller
from web_interfaces.curated import maps
from web_interfaces.map import background, catalog, layers, refs
from web_interfaces.map.layers import MapLayer
from web_interfaces.map.refs import Kind, Ref
from web_interfaces.pages.rendering import auth_level
from web_interfaces.vector import drawing

_WORLD: Final = (-170.0, -58.0, 190.0, 78.0)
_CLOSEST: Final = 22.0
# The map may be a turn away from where longitudes are counted.
_FARTHEST: Final = 540.0


def context(req: func.HttpRequest) -> dict[str, Any]:
    """What the template needs."""
    chosen, unknown = refs.parse(req.params.get("layers", ""))
    shown = layers.described(chosen, caller(req, auth_level()))
    text, more = req.params.get("q", "").strip(), req.params.get("more")
    groups = catalog.groups(text, Kind(more) if more in set(Kind) else None)
    bounds = layers.around(shown) or _WORLD
    frame, extents = _drawn(bounds, shown)
    jobs = {each.name: each for each in registry}
    return {
        "refs": refs,
        "chosen": chosen,
        "unknown": unknown,
        # The topmost first, as one sees them.
        "shown": shown[::-1],
        "groups": groups,
        "jobs": jobs,
        "text": text,
        "more": more,
        "view": view_of(req.params.get("view")),
        "bounds": bounds,
        "background": background.countries(),
        "frame": frame,
        "extents": extents,
        "width": drawing.WIDTH,
        "height": drawing.HEIGHT,
        "is_full": len(chosen) >= refs.MOST,
        "is_chosen": lambda ref: any(each.draws_as(ref) for each in chosen),
    }


def view_of(text: str | None) -> str | None:
    """`longitude,latitude,zoom` where it is a place to look at, else None."""
    try:
        longitude, latitude, zoom = (float(each) for each in (text or "").split(","))
    except ValueError:
        return None
    if not all(map(math.isfinite, (longitude, latitude, zoom))):
        return None
    if abs(longitude) > _FARTHEST or abs(latitude) > 90 or not 0 <= zoom <= _CLOSEST:
        return None
    return f"{longitude:.5f},{latitude:.5f},{zoom:.2f}"


def _drawn(
    bounds: maps.Box, shown: Sequence[MapLayer]
) -> tuple[drawing.Drawing, list[tuple[Ref, maps.Box]]]:
    """A drawing of where the layers are, and the box of each in its pixels."""
    corners = [(bounds[0], bounds[1]), (bounds[2], bounds[3])]
    placed = [each for each in shown if each.bounds is not None]
    for each in placed:
        if each.bounds is not None:
            west, south, east, north = each.bounds
            corners += [(west, south), (east, north)]
    frame, pixels = drawing.overview(corners)
    boxes = []
    for number, each in enumerate(placed, start=1):
        (left, bottom), (right, top) = pixels[2 * number], pixels[2 * number + 1]
        boxes.append((each.ref, (left, top, max(right - left, 4.0), max(bottom - top, 4.0))))
    return frame, boxes
