"""The layers that an address of the map names, each as the page and its script need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from core.counting import counted
from core.errors import GeoforgeError, NotFound
from core.job_definition import JsonObject
from infrastructure import h3_snapshot, stac_repository
from services.access import HOW_TO_BE_SHOWN, Caller, may_see_restricted
from services.h3.choosing import choose
from services.h3.reading import find
from services.raster.rendering import browsing, published, views
from services.styles import links
from services.styles.collections import find as find_style
from services.styles.collections import styled
from services.styles.documents import entries
from web_interfaces.curated import maps
from web_interfaces.map import cells
from web_interfaces.map.refs import Kind, Ref
from web_interfaces.pages.registry import ROOT

_WEST, _SOUTH, _EAST, _NORTH = range(4)

_MAP: Final = f"{ROOT}/map"

_KINDS: Final = {
    Kind.VECTOR: "Vector data",
    Kind.ITEMS: "Outlines",
    Kind.RASTER: "Raster",
    Kind.CELLS: "H3 statistics",
}


@dataclass(frozen=True, slots=True)
class Link:
    """A way from a layer to where there is more about it."""

    text: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MapLayer:
    """A layer on the map.

    `bounds` are west, south, east, north in degrees, east beyond 180 where it lies over the
    antimeridian; None where nothing has a place. `note` says how much there is. `choices` are the
    ways to draw it, (layer, title) each, the present one `ref`. `legend` are entries as styles
    have them, `ramp` the colours of values from `low` to `high`. `trouble` says why there is
    nothing to see; then `data`, which is what the script draws of, is empty.
    """

    ref: Ref
    title: str
    bounds: maps.Box | None = None
    note: str | None = None
    choices: Sequence[tuple[Ref, str]] = ()
    legend: Sequence[Mapping[str, Any]] = ()
    ramp: Mapping[str, Any] | None = None
    channels: Sequence[str] = ()
    attribution: str | None = None
    links: Sequence[Link] = ()
    trouble: str | None = None
    data: JsonObject = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What it is, in words."""
        return _KINDS[self.ref.kind]

    @property
    def script(self) -> JsonObject:
        """What the script is told."""
        return {
            "ref": str(self.ref),
            "kind": self.ref.kind.value,
            "title": self.title,
            "bounds": self.bounds,
            **self.data,
        }


def described(refs: Sequence[Ref], caller: Caller) -> list[MapLayer]:
    """The layers in their order. One that cannot be shown says why, and the others stay."""
    return [_described(ref, caller) for ref in refs]


def around(layers: Sequence[MapLayer]) -> maps.Box | None:
    """The box around all of them; None where none has a place."""
    boxes = [each.bounds for each in layers if each.bounds is not None]
    if not boxes:
        return None
    return (
        min(box[_WEST] for box in boxes),
        min(box[_SOUTH] for box in boxes),
        max(box[_EAST] for box in boxes),
        max(box[_NORTH] for box in boxes),
    )


def _described(ref: Ref, caller: Caller) -> MapLayer:
    describe = {
        Kind.VECTOR: _vector,
        Kind.ITEMS: _items,
        Kind.RASTER: _raster,
        Kind.CELLS: _cells,
    }[ref.kind]
    try:
        return describe(ref, caller)
    except GeoforgeError as error:
        return MapLayer(ref, ref.part if ref.kind is Kind.RASTER and ref.part else ref.name,
                        trouble=error.message)  # fmt: skip


def _vector(ref: Ref, caller: Caller) -> MapLayer:
    table, styles = styled(ref.name)
    chosen = find_style(styles, ref.name, ref.part)
    path = links.of_style(ref.name, chosen.style_id, "")["self"]
    is_withheld = table.restricted and not may_see_restricted(caller)
    features = f"/api/features/collections/{quote(ref.name, safe='')}/items"
    more = [Link("About the table", f"{ROOT}/vector/tables/{quote(str(table.name), safe='')}")]
    if not is_withheld:
        more.append(Link("Features", features))
    return MapLayer(
        ref=ref,
        title=table.title or table.name.table_name,
        bounds=None if table.bbox is None else maps.unwrapped(table.bbox),
        note=counted(table.row_count, "feature"),
        choices=[(Ref(ref.kind, ref.name, each.style_id), each.title) for each in styles],
        legend=entries(chosen.legend),
        attribution=table.attribution,
        links=more,
        trouble=_restricted("its data") if is_withheld else _nowhere(table.bbox),
        data={} if is_withheld or table.bbox is None else {"style": path, "features": features},
    )


def _items(ref: Ref, caller: Caller) -> MapLayer:
    with stac_repository.snapshot() as catalog:
        document = catalog.collection(ref.name)
    if document is None:
        raise NotFound(f"There is no collection {ref.name!r}.", code="collection_not_found")
    boxes = document.get("extent", {}).get("spatial", {}).get("bbox") or [None]
    bounds = _flat(boxes[0])
    producers = [str(each["name"]) for each in document.get("providers") or () if each.get("name")]
    return MapLayer(
        ref=ref,
        title=document.get("title") or ref.name,
        bounds=bounds,
        legend=[{"label": "Outline of an item", "color": "#8a3ffc33", "outline": "#6929c4",
                 "kind": "fill"}],
        attribution=", ".join(producers) or None,
        links=[
            Link("All items", _MAP, {"collection": ref.name}),
            Link("STAC Collection", f"/api/stac/collections/{quote(ref.name, safe='')}"),
        ],
        data={"collection": ref.name},
    )  # fmt: skip


def _raster(ref: Ref, caller: Caller) -> MapLayer:
    raster = published.find(ref.name, ref.part or "", caller=caller)
    info = views.info(raster, views.usual_style(raster), "")
    legend, bounds = info["legend"], info["bounds"]
    ramp = None
    if not legend.get("channels") and not legend.get("classes"):
        ramp = {name: legend.get(name) for name in ("ramp", "low", "high", "unit")}
    return MapLayer(
        ref=ref,
        title=str(raster.item["properties"].get("title") or raster.item_id),
        bounds=None if bounds is None else maps.unwrapped(bounds),
        note=browsing.days(raster.item),
        channels=legend.get("channels") or (),
        legend=[
            {"label": str(each["label"]), "color": each["colour"][:7], "kind": "fill"}
            for each in legend.get("classes") or ()
        ],
        ramp=ramp,
        links=[
            Link("About the raster", _MAP, {"collection": ref.name, "item": raster.item_id}),
            Link("STAC Item", info["links"]["item"]),
        ],
        trouble=_nowhere(bounds),
        data={}
        if bounds is None
        else {
            "address": views.address(raster, ""),
            "query": f"v={quote(info['version'], safe='')}",
            "asset": info["asset"],
            "tileBounds": bounds,
            "zooms": [info["minzoom"], info["maxzoom"]],
            "resampling": "nearest" if info["style"]["resampling"] == "nearest" else "linear",
        },
    )


def _cells(ref: Ref, caller: Caller) -> MapLayer:
    with h3_snapshot.snapshot() as moment:
        dataset = find(moment.connection, ref.name)
    title = dataset.title or dataset.dataset_id
    more = [Link("About the dataset", _MAP, {"dataset": ref.name})]
    if not dataset.layers:
        return MapLayer(ref, title, links=more, trouble="No cell of it has a pixel with data.")
    choice = choose(dataset, None, None, None if ref.part is None else [ref.part])
    may_see = not dataset.is_restricted or may_see_restricted(caller)
    shown = cells.map_of(dataset, choice, may_see=may_see)
    low, high = shown.range
    return MapLayer(
        ref=ref,
        title=f"{title}: {shown.title}",
        bounds=shown.bounds,
        note=counted(shown.layer.cells, "cell"),
        choices=[(Ref(ref.kind, ref.name, name), words) for name, words in shown.statistics],
        ramp=None
        if shown.is_of_classes or not may_see
        else {"ramp": shown.ramp, "low": low, "high": high, "unit": shown.unit},
        attribution=shown.credit or None,
        links=more,
        trouble=None if may_see else _restricted("its statistics"),
        data=shown.script if may_see else {},
    )


def _flat(box: Sequence[float] | None) -> maps.Box | None:
    """A box of two dimensions out of one of two or three."""
    if not box:
        return None
    return maps.unwrapped([box[0], box[1], *box[len(box) // 2 :][:2]])


def _nowhere(bounds: object) -> str | None:
    return "Nothing in it has a place on the Earth." if bounds is None else None


def _restricted(what: str) -> str:
    return f"The terms of the source do not allow to show {what} to everyone. {HOW_TO_BE_SHOWN}"
