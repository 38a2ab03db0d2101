"""Styles that are made up, and those that handlers bring, as MapLibre judges them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from core.models.feature_table import GeometryColumn
from services.curated import handlers
from services.curated.handler import Style
from services.styles.generated import generated
from services.styles.submitted import submitted
from tests.support.handler_runs import dataset
from tests.support.map_styles import faults

GEOMETRIES = get_args(GeometryColumn.model_fields["type"].annotation)
# Several handlers may bring one style.
HANDLERS_STYLES = list(
    {
        id(style): style
        for handler in handlers.known()
        for style in handler.describe(dataset()).styles
    }.values()
)


def as_document(layers: Any) -> dict[str, Any]:
    return {
        "version": 8,
        "sources": {"a": {"type": "vector", "tiles": ["https://x.test/{z}/{x}/{y}.pbf"]}},
        "layers": [{**layer, "source": "a", "source-layer": "a"} for layer in layers],
    }


@pytest.mark.parametrize("kind", GEOMETRIES)
def test_a_style_is_made_up_for_every_geometry(kind: Any, tmp_path: Path) -> None:
    style = generated("parks", "Parks", GeometryColumn(type=kind, srid=4326))
    assert faults(as_document(style.layers), tmp_path) == []
    assert [entry["label"] for entry in style.legend] == ["Parks"]
    # What we make up is what we would take.
    assert submitted({"layers": style.layers, "legend": style.legend}, "parks").layers


def test_a_collection_keeps_its_colour() -> None:
    geometry = GeometryColumn(type="Point", srid=4326)
    assert generated("parks", "Parks", geometry) == generated("parks", "Parks", geometry)
    colours = {generated(f"table_{n}", "", geometry).legend[0]["color"] for n in range(40)}
    assert len(colours) > 3


@pytest.mark.parametrize("style", HANDLERS_STYLES, ids=lambda style: style.title)
def test_styles_of_handlers_are_good(style: Style, tmp_path: Path) -> None:
    assert faults(as_document(style.layers), tmp_path) == []
    body = {"layers": list(style.layers), "legend": list(style.legend)}
    assert submitted(body, "parks").legend == body["legend"]


def test_there_are_styles_of_handlers() -> None:
    assert len(HANDLERS_STYLES) >= 8


def test_the_validator_finds_faults(tmp_path: Path) -> None:
    [fault] = faults(as_document([{"id": "a", "type": "fill", "paint": {"fill-hue": 1}}]), tmp_path)
    assert "fill-hue" in fault
