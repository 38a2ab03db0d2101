"""How ACLED's events are drawn: a circle each, coloured by type and sized by fatalities.

The colours can be told apart by people of normal and of deficient colour vision, and every
outline stands out from a white map; the tests hold both in figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.curated.class_styles import Class, by_class
from services.curated.handler import Style

_FILL_OPACITY = 0.75
# How much smaller, and larger, circles are than in the legend, far away and close by.
_FAR_ZOOM, _FAR = 2, 0.6
_NEAR_ZOOM, _NEAR = 12, 2.0

# In the order of ACLED's codebook.
EVENT_TYPES = (
    Class("Battles", ("Battles",), "#b31a24", "#7d1219"),
    Class("Explosions and remote violence", ("Explosions/Remote violence",), "#fc8619", "#8f4603"),
    Class("Violence against civilians", ("Violence against civilians",), "#3d1a78", "#241047"),
    Class("Protests", ("Protests",), "#668dff", "#1f43a8"),
    Class("Riots", ("Riots",), "#d8f94d", "#66781c"),
    Class("Strategic developments", ("Strategic developments",), "#1b6f8c", "#114656"),
)
_OTHER = Class("Other types", (), "#b3b3b3", "#6b6b6b")


@dataclass(frozen=True, slots=True)
class Size:
    """Events with so many fatalities or more: their label and their radius in the legend, in
    pixels."""

    label: str
    fatalities: int
    radius: float


SIZES = (
    Size("No fatalities", 0, 2.0),
    Size("1 to 9 fatalities", 1, 3.2),
    Size("10 to 99 fatalities", 10, 4.8),
    Size("100 fatalities or more", 100, 6.5),
)
_SIZE_COLOUR = "#ffffff"
_SIZE_OUTLINE = "#4d4d4d"

_FATALITIES = ["to-number", ["get", "fatalities"], 0]


def _radius(scale: float) -> list[Any]:
    smallest, *larger = SIZES
    steps = [value for size in larger for value in (size.fatalities, size.radius * scale)]
    return ["step", _FATALITIES, smallest.radius * scale, *steps]


def _layer(style_id: str) -> dict[str, Any]:
    event_type = ["coalesce", ["get", "event_type"], ""]
    return {
        "id": f"{style_id}-events",
        "type": "circle",
        # The small ones lie on the large ones.
        "layout": {"circle-sort-key": ["-", 0, _FATALITIES]},
        "paint": {
            "circle-color": by_class(event_type, EVENT_TYPES, _OTHER, "fill"),
            "circle-opacity": _FILL_OPACITY,
            "circle-radius": [
                *("interpolate", ["linear"], ["zoom"]),
                *(_FAR_ZOOM, _radius(_FAR)),
                *(_NEAR_ZOOM, _radius(_NEAR)),
            ],
            "circle-stroke-color": by_class(event_type, EVENT_TYPES, _OTHER, "outline"),
            "circle-stroke-width": ["interpolate", ["linear"], ["zoom"], 2, 0.3, 12, 1.0],
        },
    }


def _legend() -> tuple[dict[str, Any], ...]:
    types = [{**each.legend_entry, "kind": "circle"} for each in (*EVENT_TYPES, _OTHER)]
    sizes = [
        {
            "label": size.label,
            "color": _SIZE_COLOUR,
            "outline": _SIZE_OUTLINE,
            "kind": "circle",
            "radius": size.radius,
        }
        for size in SIZES
    ]
    return (*types, *sizes)


BY_EVENT_TYPE = Style(
    style_id="event-type",
    title="Type of event",
    description="Events by their type, larger where more people died",
    layers=(_layer("event-type"),),
    legend=_legend(),
)
