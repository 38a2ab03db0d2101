"""What a style is: MapLibre layers without their source, and a legend in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# https://maplibre.org/maplibre-style-spec/layers/
LayerSpec = dict[str, Any]
# {label, color, kind: fill|line|circle}
LegendEntry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MapStyle:
    """One way to draw a collection. One that is not stored was made up for want of any."""

    style_id: str
    title: str
    description: str | None
    layers: Sequence[LayerSpec]
    legend: Sequence[LegendEntry]
    is_default: bool
    is_stored: bool = True
