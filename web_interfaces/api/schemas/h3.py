"""Statistics by H3 cells."""

from __future__ import annotations

from typing import Final

from web_interfaces.api.schemas.parts import (
    ANYTHING,
    BBOX,
    COUNT,
    FLAG,
    LINKS,
    NUMBER,
    TEXT,
    TIME,
    Schema,
    an_object,
    list_of,
    map_of,
    or_null,
    page_of,
    with_more,
)

_RESOLUTION: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 15}

DATASET: Final = an_object(
    dataset=TEXT,
    theme=TEXT,
    title=or_null(TEXT),
    unit=or_null(TEXT),
    is_restricted=FLAG,
    source=ANYTHING,
    layers=list_of(
        an_object(
            resolution=_RESOLUTION,
            band=COUNT,
            weighting=TEXT,
            cells=COUNT,
            bbox=BBOX,
            statistics=map_of(an_object(min=or_null(NUMBER), max=or_null(NUMBER))),
            job_id=TEXT,
            updated_at=TIME,
        )
    ),
    created_at=TIME,
    updated_at=TIME,
    links=LINKS,
)
DATASETS: Final = page_of("datasets", DATASET)

_CELL: Final[Schema] = {
    "type": "object",
    "required": ["h3", "pixel_count", "nodata_count"],
    "properties": {
        "h3": {"type": "string", "description": "The cell"},
        "pixel_count": {"type": "number", "description": "Pixels with data, by their shares"},
        "nodata_count": {"type": "number", "description": "Pixels without data"},
    },
    "additionalProperties": {"type": ["number", "null"], "description": "A statistic"},
}
STATS: Final = with_more(
    page_of("cells", _CELL),
    dataset=TEXT,
    title=or_null(TEXT),
    theme=TEXT,
    resolution=_RESOLUTION,
    rolled_up_from=or_null(_RESOLUTION),
    band=COUNT,
    unit=or_null(TEXT),
    weighting=TEXT,
    statistics=list_of(TEXT),
    updated_at=TIME,
    numberReturned=COUNT,
)
