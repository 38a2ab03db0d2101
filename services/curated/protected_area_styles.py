"""How protected areas and Key Biodiversity Areas are drawn, with their legends.

The colours of a style can be told apart by people of normal and of deficient colour vision, and
every outline stands out from a white map; the tests hold both in figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.curated.class_styles import Class, by_class, by_zoom
from services.curated.handler import Style

_FILL_OPACITY = 0.7
_NARROW_OUTLINE, _WIDE_OUTLINE = 0.4, 1.2
_SMALL_CIRCLE, _LARGE_CIRCLE = 2.5, 6


# What a feature without a class is drawn as. One that is small may have lost its attributes to the
# room in a crowded tile.
_TOO_SMALL = "or too small to tell"

# From strict protection to sustainable use, then what has no category.
IUCN_CATEGORIES = (
    Class("Ia", ("Ia",), "#4f137a", "#380d57", "Strict nature reserve"),
    Class("Ib", ("Ib",), "#196f78", "#114d54", "Wilderness area"),
    Class("II", ("II",), "#064f36", "#043626", "National park"),
    Class("III", ("III",), "#9846ce", "#6d2a99", "Natural monument or feature"),
    Class("IV", ("IV",), "#c26c0c", "#834808", "Habitat or species management area"),
    Class("V", ("V",), "#ffb241", "#996106", "Protected landscape or seascape"),
    Class("VI", ("VI",), "#0baef0", "#076b94", "Protected area with sustainable use"),
    Class("Not Reported", ("Not Reported",), "#8c8c8c", "#595959"),
    Class("Not Assigned", ("Not Assigned",), "#b8b8b8", "#6e6e6e"),
    Class("Not Applicable", ("Not Applicable",), "#dbdbdb", "#808080"),
)
_NO_CATEGORY = Class(f"No category, {_TOO_SMALL}", (), "#ffffff", "#4d4d4d")

REALMS = (
    Class("Terrestrial", ("Terrestrial",), "#009e73", "#00664b"),
    Class("Coastal", ("Coastal",), "#e69f00", "#8f6300"),
    Class("Marine", ("Marine",), "#00508a", "#003459"),
)
_NO_REALM = Class(f"No realm, {_TOO_SMALL}", (), "#ffffff", "#4d4d4d")

# In small letters: releases differ in the case of the values too.
KBA_STATUSES = (
    Class("Confirmed", ("confirmed",), "#064f36", "#043626"),
    Class("Proposed", ("proposed", "candidate"), "#ffb241", "#996106"),
    Class("Superseded", ("superseded",), "#9846ce", "#6d2a99"),
    Class("Delisted", ("delisted",), "#bdbdbd", "#6e6e6e"),
)
_NO_STATUS = Class(f"Other, none, {_TOO_SMALL}", (), "#ffffff", "#4d4d4d")


def _style(
    style_id: str,
    title: str,
    description: str,
    value: list[Any],
    classes: Sequence[Class],
    other: Class,
) -> Style:
    """Polygons filled and outlined, points as circles, both coloured by class.

    The circles' legend is that of the fills.
    """
    fill = by_class(value, classes, other, "fill")
    outline = by_class(value, classes, other, "outline")
    areas = ["==", ["geometry-type"], "Polygon"]
    points = ["==", ["geometry-type"], "Point"]
    return Style(
        style_id=style_id,
        title=title,
        description=description,
        layers=(
            {
                "id": f"{style_id}-fill",
                "type": "fill",
                "filter": areas,
                "paint": {"fill-color": fill, "fill-opacity": _FILL_OPACITY},
            },
            {
                "id": f"{style_id}-outline",
                "type": "line",
                "filter": areas,
                "layout": {"line-join": "round"},
                "paint": {
                    "line-color": outline,
                    "line-width": by_zoom(_NARROW_OUTLINE, _WIDE_OUTLINE),
                },
            },
            {
                "id": f"{style_id}-points",
                "type": "circle",
                "filter": points,
                "paint": {
                    "circle-color": fill,
                    "circle-radius": by_zoom(_SMALL_CIRCLE, _LARGE_CIRCLE),
                    "circle-stroke-color": outline,
                    "circle-stroke-width": by_zoom(_NARROW_OUTLINE, _WIDE_OUTLINE),
                },
            },
        ),
        legend=tuple(each.legend_entry for each in (*classes, other)),
    )


WDPA_BY_CATEGORY = _style(
    "iucn-category",
    "IUCN management category",
    "Protected areas by their IUCN management category, from strict protection to sustainable use",
    ["coalesce", ["get", "iucn_cat"], ""],
    IUCN_CATEGORIES,
    _NO_CATEGORY,
)
WDPA_BY_REALM = _style(
    "realm",
    "Realm",
    "Protected areas on land, along coasts and at sea",
    ["coalesce", ["get", "realm"], ""],
    REALMS,
    _NO_REALM,
)
KBA_BY_STATUS = _style(
    "kba-status",
    "KBA status",
    "Key Biodiversity Areas by the state of their assessment",
    ["downcase", ["coalesce", ["get", "kba_status"], ""]],
    KBA_STATUSES,
    _NO_STATUS,
)
