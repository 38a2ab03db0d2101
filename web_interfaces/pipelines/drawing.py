"""A pipeline as a drawing: where each step stands, and how the edges go.

Steps stand in layers from top to bottom, each below all that it waits for. An edge that passes
layers has a place of its own in each of them, so that it runs beside the steps and not behind
them. Where somebody has put the steps elsewhere (`layout` of the document), that holds.

An edge that others imply (a -> c, where a -> b -> c) is left out: a hundred steps that each wait
for all before them are a chain, and not five thousand lines. It stays where it carries a value,
unless there are too many of these.

static/js/pipelines/layout.js computes the same for the builder, which shows the implied edges too,
so that they can be removed; tests/unit/web_interfaces/pipelines/layouts.json holds both against
one table. All lengths are pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from core.models.pipeline import GateStep, JobStep, Pipeline
from core.pipelines import graph

WIDTH, HEIGHT = 224, 88
"""Of a step."""
GAP_ACROSS, GAP_DOWN = 32, 56
MARGIN = 24
_LANE = 24
"""Width of the place that a passing edge has in a layer."""
_LEAST_BEND = 40
_MOST_IMPLIED = 40
"""Edges that carry a value and that others imply: with more of them nobody could follow one."""

Point = tuple[float, float]
Lanes = dict[tuple[str, str], list[Point]]
Sources = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Card:
    """A step by its id, and its upper left corner."""

    step: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Edge:
    """From a step to one that waits for it: through `lanes`, the middles of the places that it has
    in the layers between. `carries`: the later step uses what the earlier one gives."""

    source: str
    target: str
    carries: bool
    lanes: tuple[Point, ...]
    path: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """All of it, and how much room it takes."""

    cards: tuple[Card, ...]
    edges: tuple[Edge, ...]
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class _Lane:
    """Where an edge passes a layer."""

    source: str
    target: str
    layer: int


_Place = str | _Lane


def draw(pipeline: Pipeline) -> Drawing:
    """The drawing of a pipeline; also of one whose steps wait for each other in a circle."""
    waits_for = graph.dependencies(pipeline)
    return _drawn(
        tuple(waits_for.items()),
        tuple((step.id, _carried(step)) for step in pipeline.steps),
        tuple((step, (at.x, at.y)) for step, at in pipeline.layout.items() if step in waits_for),
    )


# Live pages ask for the same drawings again every few seconds.
@lru_cache(maxsize=64)
def _drawn(
    waiting: tuple[tuple[str, frozenset[str]], ...],
    carrying: tuple[tuple[str, frozenset[str]], ...],
    given: tuple[tuple[str, Point], ...],
) -> Drawing:
    waits_for, carried = dict(waiting), dict(carrying)
    layers = graph.layers(waits_for)
    sources = _shown(waits_for, carried, layers)
    corners, lanes = _beside(dict(given), waits_for) if given else _in_layers(sources, layers)
    return Drawing(
        cards=tuple(Card(step, *corners[step]) for step in waits_for),
        edges=tuple(
            _edge(source, target, source in carried[target], corners, lanes.get((source, target)))
            for target in waits_for
            for source in sources[target]
        ),
        width=max(
            [x + WIDTH for x, _ in corners.values()]
            + [x + _LANE / 2 for way in lanes.values() for x, _ in way],
            default=WIDTH,
        )
        + MARGIN,
        height=max((y for _, y in corners.values()), default=0) + HEIGHT + MARGIN,
    )


def _carried(step: JobStep | GateStep) -> frozenset[str]:
    return frozenset(name for each in graph.expressions_of(step) for name in each.steps)


def _shown(
    waits_for: graph.Dependencies, carried: graph.Dependencies, layers: Sequence[Sequence[str]]
) -> Sources:
    """Of each step those of the steps it waits for from which an edge is drawn, in the document's
    order."""
    implied = _implied(waits_for, layers)
    carrying = sum(len(implied[step] & carried[step]) for step in waits_for)
    place = {step: index for index, step in enumerate(waits_for)}
    shown: Sources = {}
    for step, sources in waits_for.items():
        left_out = implied[step] - carried[step] if carrying <= _MOST_IMPLIED else implied[step]
        shown[step] = tuple(sorted(sources - left_out, key=place.__getitem__))
    return shown


def _implied(
    waits_for: graph.Dependencies, layers: Sequence[Sequence[str]]
) -> dict[str, frozenset[str]]:
    """Of each step those of the steps it waits for that another of them waits for, also through
    others. Only ways down the layers count: within a circle each edge would imply the others."""
    before: dict[str, frozenset[str]] = {}
    implied: dict[str, frozenset[str]] = {}
    for layer in layers:
        above = {step: [each for each in waits_for[step] if each in before] for step in layer}
        behind = {
            step: frozenset[str]().union(*(before[each] for each in above[step])) for step in layer
        }
        implied |= {step: waits_for[step] & behind[step] for step in layer}
        before |= {step: behind[step].union(above[step]) for step in layer}
    return implied


def _in_layers(sources: Sources, layers: Sequence[Sequence[str]]) -> tuple[dict[str, Point], Lanes]:
    """The corners of the steps, and the lanes of the edges that pass layers."""
    layer_of = {step: index for index, layer in enumerate(layers) for step in layer}
    rows: list[list[_Place]] = [list(layer) for layer in layers]
    for target in sources:
        for source in sources[target]:
            for layer in range(layer_of[source] + 1, layer_of[target]):
                rows[layer].append(_Lane(source, target, layer))

    middles: dict[_Place, float] = {}
    for index, row in enumerate(rows):
        pulls = {place: _pull(place, index, sources, middles) for place in row}
        row.sort(key=pulls.__getitem__)
        x = -_row_width(row) / 2
        for place in row:
            middles[place] = x + _width(place) / 2
            x += _width(place) + GAP_ACROSS
    left = min((middles[place] - _width(place) / 2 for place in middles), default=0) - MARGIN

    def top(layer: int) -> float:
        return MARGIN + layer * (HEIGHT + GAP_DOWN)

    corners = {step: (middles[step] - WIDTH / 2 - left, top(layer_of[step])) for step in sources}
    lanes: Lanes = {}
    for row in rows:
        for place in row:
            if isinstance(place, _Lane):
                middle = (middles[place] - left, top(place.layer) + HEIGHT / 2)
                lanes.setdefault((place.source, place.target), []).append(middle)
    return corners, lanes


def _width(place: _Place) -> float:
    return _LANE if isinstance(place, _Lane) else WIDTH


def _row_width(row: Sequence[_Place]) -> float:
    return sum(map(_width, row)) + GAP_ACROSS * (len(row) - 1)


def _pull(place: _Place, layer: int, sources: Sources, middles: Mapping[_Place, float]) -> float:
    """Where a place would stand for its edges to be straight: below what it follows."""
    edges = (
        [(place.source, place.target)]
        if isinstance(place, _Lane)
        else [(source, place) for source in sources[place]]
    )
    above = [
        middles[each]
        for source, target in edges
        for lane in [_Lane(source, target, layer - 1)]
        for each in [lane if lane in middles else source]
        # In a circle a step stands beside what it waits for.
        if each in middles
    ]
    return sum(above) / len(above) if above else 0


def _beside(
    given: Mapping[str, Point], waits_for: graph.Dependencies
) -> tuple[dict[str, Point], Lanes]:
    """The corners where somebody has put steps, and no lanes. Steps that nobody has put anywhere
    stand below the others, under what they wait for."""
    corners = dict(given)
    for step in waits_for:
        if step in corners:
            continue
        above = [corners[source][0] for source in waits_for[step] if source in corners]
        bottom = max(y for _, y in corners.values()) + HEIGHT + GAP_DOWN
        corners[step] = (sum(above) / len(above) if above else MARGIN, bottom)
    return corners, {}


def _edge(
    source: str,
    target: str,
    carries: bool,
    corners: Mapping[str, Point],
    lanes: Sequence[Point] | None,
) -> Edge:
    x, y = corners[source]
    end_x, end_y = corners[target]
    at = (x + WIDTH / 2, y + HEIGHT)
    path = f"M{_n(at[0])} {_n(at[1])}"
    for lane_x, lane_y in lanes or ():
        path += _curve(at, (lane_x, lane_y - HEIGHT / 2))
        at = (lane_x, lane_y + HEIGHT / 2)
        path += f"L{_n(at[0])} {_n(at[1])}"
    path += _curve(at, (end_x + WIDTH / 2, end_y))
    return Edge(source, target, carries, tuple(lanes or ()), path)


def _curve(start: Point, end: Point) -> str:
    """A curve that leaves downwards and arrives from above."""
    bend = max(_LEAST_BEND, abs(end[1] - start[1]) / 2) if start[0] != end[0] else 0
    if end[1] <= start[1]:
        bend = max(_LEAST_BEND, abs(end[1] - start[1]) / 2)
    numbers = (start[0], start[1] + bend, end[0], end[1] - bend, end[0], end[1])
    return "C" + " ".join(map(_n, numbers))


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
