"""How Natural Earth's boundaries are drawn, with their legends."""

from __future__ import annotations

from services.curated.class_styles import Class, by_class, by_zoom
from services.curated.handler import Style

_FILL_OPACITY = 0.7
_LINE = "#33475b"
_FAINT = "#dfe6ec"
_LAND, _SHORE = "#d9cfae", "#7d6f43"

# By Natural Earth's own names.
CONTINENTS = (
    Class("Africa", ("Africa",), "#ffb241", "#996106"),
    Class("Antarctica", ("Antarctica",), "#dbdbdb", "#808080"),
    Class("Asia", ("Asia",), "#c26c0c", "#834808"),
    Class("Europe", ("Europe",), "#196f78", "#114d54"),
    Class("North America", ("North America",), "#9846ce", "#6d2a99"),
    Class("Oceania", ("Oceania",), "#0baef0", "#076b94"),
    Class("South America", ("South America",), "#064f36", "#043626"),
    Class("Open ocean", ("Seven seas (open ocean)",), "#8c8c8c", "#595959"),
)
_NO_CONTINENT = Class("No continent, or too small to tell", (), "#ffffff", "#4d4d4d")
_CONTINENT = ["coalesce", ["get", "continent"], ""]

COUNTRIES_BY_CONTINENT = Style(
    style_id="continent",
    title="Continents",
    description="Countries by their continent",
    layers=(
        {
            "id": "continent-fill",
            "type": "fill",
            "paint": {
                "fill-color": by_class(_CONTINENT, CONTINENTS, _NO_CONTINENT, "fill"),
                "fill-opacity": _FILL_OPACITY,
            },
        },
        {
            "id": "continent-outline",
            "type": "line",
            "layout": {"line-join": "round"},
            "paint": {
                "line-color": by_class(_CONTINENT, CONTINENTS, _NO_CONTINENT, "outline"),
                "line-width": by_zoom(0.4, 1.2),
            },
        },
    ),
    legend=tuple(each.legend_entry for each in (*CONTINENTS, _NO_CONTINENT)),
)


def _boundaries(style_id: str, title: str, label: str, *, width: float) -> Style:
    """Outlines over a fill that is hardly seen, and can be clicked; the width is in pixels."""
    return Style(
        style_id=style_id,
        title=title,
        layers=(
            {
                "id": f"{style_id}-fill",
                "type": "fill",
                "paint": {"fill-color": _FAINT, "fill-opacity": 0.3},
            },
            {
                "id": f"{style_id}-outline",
                "type": "line",
                "layout": {"line-join": "round"},
                "paint": {"line-color": _LINE, "line-width": by_zoom(width / 2, width * 2)},
            },
        ),
        legend=({"label": label, "color": _FAINT, "outline": _LINE, "kind": "fill"},),
    )


COUNTRY_BOUNDARIES = _boundaries("boundaries", "Boundaries", "Country", width=1.0)
STATE_BOUNDARIES = _boundaries("boundaries", "Boundaries", "State or province", width=0.6)

COASTLINE = Style(
    style_id="coastline",
    title="Coastline",
    layers=(
        {
            "id": "coastline",
            "type": "line",
            "layout": {"line-join": "round", "line-cap": "round"},
            "paint": {"line-color": _LINE, "line-width": by_zoom(0.6, 1.6)},
        },
    ),
    legend=({"label": "Coastline", "color": _LINE, "kind": "line"},),
)

LAND = Style(
    style_id="land",
    title="Land",
    layers=(
        {
            "id": "land-fill",
            "type": "fill",
            "paint": {"fill-color": _LAND, "fill-opacity": _FILL_OPACITY},
        },
        {
            "id": "land-outline",
            "type": "line",
            "layout": {"line-join": "round"},
            "paint": {"line-color": _SHORE, "line-width": by_zoom(0.3, 1.0)},
        },
    ),
    legend=({"label": "Land", "color": _LAND, "outline": _SHORE, "kind": "fill"},),
)
