"""A style for a collection that nobody has made one for: one colour, by the kind of geometry."""

from __future__ import annotations

import zlib

from core.models.feature_table import GeometryColumn
from services.styles.model import LayerSpec, LegendEntry, MapStyle

STYLE_ID = "default"

# Okabe and Ito's colours that stand out from a pale map, which people tell apart whatever their
# colour vision: https://jfly.uni-koeln.de/color/
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b07d00", "#3f6fb5")

_AREAS, _LINES, _POINTS = "Polygon", "LineString", "Point"


def generated(collection_id: str, title: str, geometry: GeometryColumn) -> MapStyle:
    """The style of a collection without any; always the same for the same collection."""
    colour = _COLOURS[zlib.crc32(collection_id.encode()) % len(_COLOURS)]
    kinds = _kinds(geometry)
    layers = [layer for kind in kinds for layer in _layers(kind, colour, several=len(kinds) > 1)]
    drawn_as = {_AREAS: "fill", _LINES: "line", _POINTS: "circle"}[kinds[0]]
    legend: list[LegendEntry] = [{"label": title, "color": colour, "kind": drawn_as}]
    return MapStyle(STYLE_ID, title, None, layers, legend, is_default=True, is_stored=False)


def _kinds(geometry: GeometryColumn) -> tuple[str, ...]:
    """What the column can hold, what is drawn at the bottom first."""
    if geometry.type == "Geometry":
        return (_AREAS, _LINES, _POINTS)
    return (geometry.type.removeprefix("Multi"),)


def _layers(kind: str, colour: str, *, several: bool) -> list[LayerSpec]:
    only: LayerSpec = {"filter": ["==", ["geometry-type"], kind]} if several else {}
    if kind == _AREAS:
        return [
            {
                "id": "areas",
                "type": "fill",
                **only,
                "paint": {"fill-color": colour, "fill-opacity": 0.45},
            },
            {
                "id": "outlines",
                "type": "line",
                **only,
                "paint": {"line-color": colour, "line-width": _by_zoom(0.4, 1.4)},
            },
        ]
    if kind == _LINES:
        paint: LayerSpec = {"line-color": colour, "line-width": _by_zoom(0.8, 2.5)}
        return [{"id": "lines", "type": "line", **only, "paint": paint}]
    return [
        {
            "id": "points",
            "type": "circle",
            **only,
            "paint": {
                "circle-color": colour,
                "circle-opacity": 0.85,
                "circle-radius": _by_zoom(2, 6),
                "circle-stroke-color": "#ffffff",
                "circle-stroke-width": _by_zoom(0.3, 1),
            },
        }
    ]


def _by_zoom(far: float, near: float) -> list[object]:
    """A width in pixels that grows from the whole world to a town."""
    return ["interpolate", ["linear"], ["zoom"], 2, far, 12, near]
