"""Styles as users send them."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import InvalidParameters
from services.styles.submitted import MAX_BYTES, check_style_id, submitted

FILL = {"id": "areas", "type": "fill", "paint": {"fill-color": "#0072b2"}}


def faults(body: Any) -> list[tuple[str, str]]:
    """Where the style is at fault, and why."""
    with pytest.raises(InvalidParameters) as caught:
        submitted(body, "parks")
    assert caught.value.error_code == "bad_style"
    return [(".".join(map(str, error["loc"])), error["msg"]) for error in caught.value.errors]


def test_layers_alone_are_a_style() -> None:
    style = submitted({"layers": [FILL]}, "parks")
    assert style.layers == [FILL]
    assert style.legend == [{"label": "areas", "color": "#0072b2", "kind": "fill"}]
    assert style.title is None
    assert not style.is_default


def test_a_whole_style_is_reduced_to_what_is_kept() -> None:
    style = submitted(
        {
            "version": 8,
            "name": "Parks by size",
            "metadata": {
                "legend": [{"label": "Large", "color": "navy", "kind": "fill", "outline": "#000"}],
                "description": "Hectares",
                "maputnik:renderer": "mlgljs",
            },
            "sources": {"parks": {"type": "vector", "tiles": ["https://x.test/{z}/{x}/{y}.pbf"]}},
            "layers": [{**FILL, "source": "parks", "source-layer": "parks"}],
        },
        "parks",
    )
    assert style.layers == [FILL]
    assert style.title == "Parks by size"
    assert style.description == "Hectares"
    assert [entry["label"] for entry in style.legend] == ["Large"]


def test_a_legend_is_made_of_the_layers_with_one_colour() -> None:
    by_value = {"id": "b", "type": "line", "paint": {"line-color": ["get", "colour"]}}
    style = submitted({"layers": [FILL, by_value, {"id": "c", "type": "circle"}]}, "parks")
    assert [entry["label"] for entry in style.legend] == ["areas"]
    assert submitted({"layers": [FILL], "legend": []}, "parks").legend == []


@pytest.mark.parametrize(
    ("body", "where", "why"),
    [
        ({}, "layers", "an array"),
        ({"layers": []}, "layers", "1 to 200"),
        ({"layers": "all"}, "layers", "an array"),
        ({"layers": ["fill"]}, "layers.0", "an object"),
        ({"layers": [{"type": "fill"}]}, "layers.0.id", "a text"),
        ({"layers": [{"id": "a"}]}, "layers.0.type", "fill, line"),
        ({"layers": [{"id": "a", "type": "symbol"}]}, "layers.0.type", "fill, line"),
        ({"layers": [{"id": "a", "type": "raster"}]}, "layers.0.type", "fill, line"),
        ({"layers": [FILL, FILL]}, "layers.1.id", "another layer"),
        ({"layers": [{**FILL, "source": "osm"}]}, "layers.0.source", "'parks'"),
        ({"layers": [{**FILL, "source-layer": "x"}]}, "layers.0.source-layer", "'parks'"),
        ({"layers": [{**FILL, "ref": "x"}]}, "layers.0.ref", "not known"),
        ({"layers": [{**FILL, "filter": {"a": 1}}]}, "layers.0.filter", "an expression"),
        ({"layers": [{**FILL, "minzoom": 25}]}, "layers.0.minzoom", "0 to 24"),
        ({"layers": [{**FILL, "minzoom": True}]}, "layers.0.minzoom", "0 to 24"),
        ({"layers": [{**FILL, "paint": []}]}, "layers.0.paint", "an object"),
        ({"layers": [{**FILL, "paint": {"line-color": "red"}}]}, "layers.0.paint.line-color", "no"),
        (
            {"layers": [{**FILL, "paint": {"fill-pattern": "https://x.test/a.png"}}]},
            "layers.0.paint.fill-pattern",
            "sprite",
        ),
        ({"layers": [FILL], "sprite": "https://x.test/sprite"}, "sprite", "not known"),
        ({"layers": [FILL], "glyphs": "https://x.test/{range}"}, "glyphs", "not known"),
        ({"layers": [FILL], "sources": {"osm": {"url": "https://x"}}}, "sources.osm", "'parks'"),
        ({"layers": [FILL], "sources": []}, "sources", "an object"),
        ({"layers": [FILL], "version": 7}, "version", "8"),
        ({"layers": [FILL], "title": 7}, "title", "a text"),
        ({"layers": [FILL], "title": "x" * 201}, "title", "200"),
        ({"layers": [FILL], "is_default": "yes"}, "is_default", "true or false"),
        ({"layers": [FILL], "metadata": []}, "metadata", "an object"),
        ({"layers": [FILL], "legend": {}}, "legend", "an array"),
        ({"layers": [FILL], "legend": [7]}, "legend.0", "an object"),
        ({"layers": [FILL], "legend": [{"color": "red", "kind": "fill"}]}, "legend.0.label", ""),
        (
            {"layers": [FILL], "legend": [{"label": "a", "color": "red", "kind": "blob"}]},
            "legend.0.kind",
            "fill, line, circle",
        ),
        (
            {
                "layers": [FILL],
                "legend": [{"label": "a", "color": "url(https://x.test)", "kind": "fill"}],
            },
            "legend.0.color",
            "a colour",
        ),
        (
            {
                "layers": [FILL],
                "metadata": {"legend": [{"label": "a", "color": 7, "kind": "fill"}]},
            },
            "metadata.legend.0.color",
            "a colour",
        ),
        (
            {
                "layers": [FILL],
                "legend": [{"label": "a", "color": "red", "kind": "fill", "radius": 3}],
            },
            "legend.0.radius",
            "is for circles",
        ),
        *(
            (
                {
                    "layers": [FILL],
                    "legend": [{"label": "a", "color": "red", "kind": "circle", "radius": radius}],
                },
                "legend.0.radius",
                "at most 7",
            )
            for radius in (0, 7.5, "3", True, None)
        ),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], where: str, why: str) -> None:
    found = faults(body)
    assert where in [each for each, _ in found]
    assert why in dict(found)[where]


def test_all_faults_are_named_at_once() -> None:
    assert len(faults({"layers": [{"id": 7, "type": "x"}], "version": 1, "glyphs": "x"})) == 4


def test_a_style_has_a_size() -> None:
    long = {**FILL, "metadata": {"note": "x" * MAX_BYTES}}
    assert "bytes" in faults({"layers": [long]})[0][1]


def test_a_style_has_a_depth() -> None:
    deep: Any = "#fff"
    for _ in range(60):
        deep = ["coalesce", deep]
    assert "deep" in faults({"layers": [{**FILL, "paint": {"fill-color": deep}}]})[0][1]


def test_what_the_database_cannot_hold_is_refused() -> None:
    assert "NUL" in faults({"layers": [{**FILL, "id": "a\0"}]})[0][1]


@pytest.mark.parametrize("name", ["a", "by-size_2", "0", "x" * 63])
def test_a_style_may_be_called(name: str) -> None:
    check_style_id(name)


@pytest.mark.parametrize("name", ["", "legend", "A", "a b", "-a", "x" * 64, "ä", "a/b", "a\n"])
def test_a_style_may_not_be_called(name: str) -> None:
    with pytest.raises(InvalidParameters):
        check_style_id(name)
