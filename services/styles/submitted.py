"""A style as a user sends it: checked, and reduced to what is kept.

It may be the layers alone, or a whole style as `GET /api/styles/...` gives it and editors such
as Maputnik save it. What a map would have to fetch from elsewhere (other sources, sprites,
glyphs) is refused, so a style cannot make a reader's browser ask another host.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core import jsonb
from core.errors import FieldError, InvalidParameters
from services.styles.model import LayerSpec, LegendEntry

# https://maplibre.org/maplibre-style-spec/layers/: those that draw a vector tile's features
# without sprites and glyphs.
LAYER_TYPES = ("fill", "line", "circle", "heatmap", "fill-extrusion")
LEGEND_KINDS = ("fill", "line", "circle")

MAX_BYTES = 256 * 1024
_MAX_LAYERS = 200
_MAX_LEGEND = 200
_MAX_DEPTH = 40

_STYLE_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_RESERVED_IDS = ("legend",)
_COLOUR = re.compile(
    r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})|[a-z]{3,24}|(?:rgb|hsl)a?\([\d\s.,%/]{5,40}\)",
    re.IGNORECASE,
)

_OWN_KEYS = ("title", "description", "layers", "legend", "is_default")
# What a whole style has beside; of these the name, and the legend in the metadata, are taken.
_STYLE_KEYS = ("version", "name", "metadata", "sources", "id")
_LAYER_KEYS = (
    "id", "type", "filter", "paint", "layout", "minzoom", "maxzoom", "metadata",
    "source", "source-layer",
)  # fmt: skip
_LEGEND_KEYS = ("label", "color", "kind", "outline", "radius", "description")
# Of a circle, in pixels: what has its place in a line of a legend.
_MAX_RADIUS = 7

Loc = list[str | int]


@dataclass(frozen=True, slots=True)
class SubmittedStyle:
    """What is kept of a style. `is_default` makes it the default one; else that is as it was."""

    title: str | None
    description: str | None
    layers: Sequence[LayerSpec]
    legend: Sequence[LegendEntry]
    is_default: bool


def check_style_id(style_id: str) -> None:
    """Raise `InvalidParameters` where a style cannot be called that."""
    if not _STYLE_ID.fullmatch(style_id) or style_id in _RESERVED_IDS:
        message = (
            "must be 1 to 63 small letters, digits, - and _, beginning with a letter or digit, "
            f"and not {', '.join(_RESERVED_IDS)}"
        )
        raise _invalid([{"loc": ["path", "style_id"], "msg": message}])


def submitted(body: Mapping[str, Any], collection: str) -> SubmittedStyle:
    """The style out of a request's body. Raises `InvalidParameters` naming all that is wrong."""
    errors = list(_size_errors(body)) or list(_errors(body, collection))
    if errors:
        raise _invalid(errors)
    metadata = body.get("metadata") or {}
    layers = [_kept(layer) for layer in body["layers"]]
    legend = body.get("legend", metadata.get("legend"))
    return SubmittedStyle(
        title=body.get("title", body.get("name")),
        description=body.get("description", metadata.get("description")),
        layers=layers,
        legend=list(_plain_legend(layers) if legend is None else legend),
        is_default=bool(body.get("is_default")),
    )


def _kept(layer: Mapping[str, Any]) -> LayerSpec:
    return {key: value for key, value in layer.items() if key not in ("source", "source-layer")}


def _plain_legend(layers: Sequence[LayerSpec]) -> Iterator[LegendEntry]:
    """An entry for each layer that has one colour, where the user sent no legend."""
    for layer in layers:
        colour = (layer.get("paint") or {}).get(f"{layer['type']}-color")
        if isinstance(colour, str) and layer["type"] in LEGEND_KINDS:
            yield {"label": layer["id"], "color": colour, "kind": layer["type"]}


def _size_errors(body: Mapping[str, Any]) -> Iterator[FieldError]:
    try:
        size = len(jsonb.encode(dict(body)))
        depth = _depth(body)
    except (ValueError, RecursionError) as error:
        yield {"loc": [], "msg": f"cannot be kept: {error}"}
        return
    if size > MAX_BYTES:
        yield {"loc": [], "msg": f"has {size} bytes; at most {MAX_BYTES} are accepted"}
    if depth > _MAX_DEPTH:
        yield {
            "loc": [],
            "msg": f"is nested {depth} levels deep; at most {_MAX_DEPTH} are accepted",
        }


def _depth(value: Any) -> int:
    if isinstance(value, Mapping):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _errors(body: Mapping[str, Any], collection: str) -> Iterator[FieldError]:
    yield from _unknown_keys([], body, (*_OWN_KEYS, *_STYLE_KEYS))
    for key in ("title", "description", "name"):
        yield from _text([key], body.get(key), most=4000 if key == "description" else 200)
    if not isinstance(body.get("is_default"), bool | None):
        yield {"loc": ["is_default"], "msg": "must be true or false"}
    if body.get("version", 8) != 8:
        yield {"loc": ["version"], "msg": "must be 8, the version of MapLibre's style format"}
    yield from _sources(body.get("sources"), collection)
    metadata = body.get("metadata")
    if not isinstance(metadata, dict | None):
        yield {"loc": ["metadata"], "msg": "must be an object"}
        metadata = None
    if "legend" in body:
        yield from _legend(["legend"], body["legend"])
    elif metadata and "legend" in metadata:
        yield from _legend(["metadata", "legend"], metadata["legend"])
    if metadata:
        yield from _text(["metadata", "description"], metadata.get("description"), most=4000)
    yield from _layers(body.get("layers"), collection)


def _sources(sources: Any, collection: str) -> Iterator[FieldError]:
    if sources is None:
        return
    if not isinstance(sources, dict):
        yield {"loc": ["sources"], "msg": "must be an object"}
        return
    for name in sources:
        if name != collection:
            message = f"is not this collection: a style draws {collection!r} alone"
            yield {"loc": ["sources", str(name)], "msg": message}


def _layers(layers: Any, collection: str) -> Iterator[FieldError]:
    if not isinstance(layers, list) or not 1 <= len(layers) <= _MAX_LAYERS:
        yield {"loc": ["layers"], "msg": f"must be an array of 1 to {_MAX_LAYERS} layers"}
        return
    seen: set[str] = set()
    for number, layer in enumerate(layers):
        loc: Loc = ["layers", number]
        if not isinstance(layer, dict):
            yield {"loc": loc, "msg": "must be an object"}
            continue
        yield from _layer(loc, layer, collection)
        name = layer.get("id")
        if isinstance(name, str):
            if name in seen:
                yield {"loc": [*loc, "id"], "msg": f"is {name!r} as that of another layer"}
            seen.add(name)


def _layer(loc: Loc, layer: Mapping[str, Any], collection: str) -> Iterator[FieldError]:
    yield from _unknown_keys(loc, layer, _LAYER_KEYS)
    name, kind = layer.get("id"), layer.get("type")
    if not isinstance(name, str) or not 1 <= len(name) <= 200:
        yield {"loc": [*loc, "id"], "msg": "must be a text of 1 to 200 characters"}
    if kind not in LAYER_TYPES:
        yield {"loc": [*loc, "type"], "msg": f"must be one of {', '.join(LAYER_TYPES)}"}
        return
    for key in ("source", "source-layer"):
        if layer.get(key, collection) != collection:
            yield {"loc": [*loc, key], "msg": f"must be {collection!r}, or be left away"}
    if not isinstance(layer.get("filter"), list | None):
        yield {"loc": [*loc, "filter"], "msg": "must be an expression, which is an array"}
    if not isinstance(layer.get("metadata"), dict | None):
        yield {"loc": [*loc, "metadata"], "msg": "must be an object"}
    for key in ("minzoom", "maxzoom"):
        zoom = layer.get(key)
        if zoom is not None and (not _is_number(zoom) or not 0 <= zoom <= 24):
            yield {"loc": [*loc, key], "msg": "must be a number from 0 to 24"}
    yield from _properties([*loc, "paint"], layer.get("paint"), str(kind))
    yield from _properties([*loc, "layout"], layer.get("layout"), str(kind))


def _properties(loc: Loc, properties: Any, kind: str) -> Iterator[FieldError]:
    if properties is None:
        return
    if not isinstance(properties, dict):
        yield {"loc": loc, "msg": "must be an object"}
        return
    for name in properties:
        if name.endswith("-pattern"):
            yield {"loc": [*loc, name], "msg": "needs images of a sprite, which styles here lack"}
        elif not name.startswith(f"{kind}-") and name != "visibility":
            yield {"loc": [*loc, name], "msg": f"is not a property of a layer of type {kind}"}


def _legend(loc: Loc, legend: Any) -> Iterator[FieldError]:
    if not isinstance(legend, list) or len(legend) > _MAX_LEGEND:
        yield {"loc": loc, "msg": f"must be an array of at most {_MAX_LEGEND} entries"}
        return
    for number, entry in enumerate(legend):
        at = [*loc, number]
        if not isinstance(entry, dict):
            yield {"loc": at, "msg": "must be an object"}
            continue
        yield from _unknown_keys(at, entry, _LEGEND_KEYS)
        if not entry.get("label"):
            yield {"loc": [*at, "label"], "msg": "is missing"}
        for key in ("label", "description"):
            yield from _text([*at, key], entry.get(key), most=200)
        if entry.get("kind") not in LEGEND_KINDS:
            yield {"loc": [*at, "kind"], "msg": f"must be one of {', '.join(LEGEND_KINDS)}"}
        if "radius" in entry:
            yield from _radius([*at, "radius"], entry["radius"], entry.get("kind"))
        for key in ("color", "outline"):
            colour = entry.get(key)
            if key == "outline" and colour is None:
                continue
            if not isinstance(colour, str) or not _COLOUR.fullmatch(colour):
                message = "must be a colour such as #0072b2, rgb(0, 114, 178) or navy"
                yield {"loc": [*at, key], "msg": message}


def _radius(loc: Loc, radius: Any, kind: Any) -> Iterator[FieldError]:
    if kind != "circle":
        yield {"loc": loc, "msg": "is for circles"}
    elif not _is_number(radius) or not 0 < radius <= _MAX_RADIUS:
        yield {"loc": loc, "msg": f"must be a number above 0, and at most {_MAX_RADIUS}, in pixels"}


def _unknown_keys(loc: Loc, value: Mapping[str, Any], known: Sequence[str]) -> Iterator[FieldError]:
    for key in value:
        if key not in known:
            yield {"loc": [*loc, key], "msg": f"is not known here; these are: {', '.join(known)}"}


def _text(loc: Loc, value: Any, *, most: int) -> Iterator[FieldError]:
    if value is not None and (not isinstance(value, str) or len(value) > most):
        yield {"loc": loc, "msg": f"must be a text of at most {most} characters"}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _invalid(errors: list[FieldError]) -> InvalidParameters:
    return InvalidParameters("The style is not one that can be kept.", errors, code="bad_style")
