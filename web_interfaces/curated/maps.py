"""What the map of a published dataset is made of, and what stands in for it without WebGL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import NotFound
from core.job_definition import JsonObject
from core.models.feature_table import TableName
from services.access import HOW_TO_BE_SHOWN, Caller, may_see_restricted
from services.features.links import collection_id
from services.styles import links
from services.styles.collections import styled
from services.styles.documents import entries
from services.tiles.tables import mapped_table
from web_interfaces.vector import drawing

Box = tuple[float, float, float, float]

_WHOLE_TURN = 360.0
# What has no extent is still to be seen, in pixels.
_LEAST = 4.0


@dataclass(frozen=True, slots=True)
class DatasetMap:
    """A map. `bounds` are west, south, east, north in degrees; east is beyond 180 where the data
    lie across the antimeridian.

    `styles` are {title, path}, the default first, and `legend` has the entries of that. `frame`
    and `extent` (x, y, width, height in its pixels) show where the data are without a script.
    `features` is the address of the single features. `how_to_be_shown` is None for who may see the
    data; for others only the extent and the legend are there.
    """

    bounds: Box
    version: int
    features: str
    how_to_be_shown: str | None
    attribution: str | None
    styles: Sequence[JsonObject]
    legend: Sequence[JsonObject]
    frame: drawing.Drawing
    extent: Box
    width: float = drawing.WIDTH
    height: float = drawing.HEIGHT


def of(dataset: Mapping[str, Any], reader: Caller) -> DatasetMap | None:
    """The map of what is published of a dataset; None where nothing has a place."""
    if dataset["version"] is None or dataset["bbox"] is None:
        return None
    collection = _collection(dataset)
    table, styles = styled(collection)
    is_withheld = table.restricted and not may_see_restricted(reader)
    bounds = unwrapped(dataset["bbox"])
    frame, extent = drawn(bounds)
    return DatasetMap(
        bounds=bounds,
        version=dataset["version"],
        features=dataset["links"]["features"],
        how_to_be_shown=HOW_TO_BE_SHOWN if is_withheld else None,
        attribution=table.attribution,
        styles=[
            {"title": each.title, "path": links.of_style(collection, each.style_id, "")["self"]}
            for each in styles
        ],
        legend=entries(styles[0].legend),
        frame=frame,
        extent=extent,
    )


def why_none(dataset: Mapping[str, Any]) -> str:
    """Why there is no map of what is published of a dataset."""
    try:
        mapped_table(_collection(dataset))
    except NotFound as nothing:
        if nothing.error_code == "no_geometry":
            return "The table has no geometry to draw."
        raise
    return "Nothing in it has a place yet."


def unwrapped(bbox: Sequence[float]) -> Box:
    """The box with its east to the right of its west."""
    west, south, east, north = bbox
    return west, south, east + _WHOLE_TURN if east < west else east, north


def drawn(bounds: Box) -> tuple[drawing.Drawing, Box]:
    """A drawing around some bounds, and these in its pixels: x, y, width, height."""
    west, south, east, north = bounds
    frame, ((left, bottom), (right, top)) = drawing.overview([(west, south), (east, north)])
    return frame, (left, top, max(right - left, _LEAST), max(bottom - top, _LEAST))


def _collection(dataset: Mapping[str, Any]) -> str:
    return collection_id(
        TableName(schema_name=dataset["target_schema"], table_name=dataset["target_table_name"])
    )
