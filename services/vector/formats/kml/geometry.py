"""The geometry of a placemark: its elements as coordinates that can be built."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final
from xml.etree.ElementTree import Element

import shapely

from services.vector.batch import Fault
from services.vector.formats.kml.coordinates import Tuple, parse_coordinates, parse_position
from services.vector.formats.kml.names import local_name
from services.vector.formats.kml.plain import Plain
from services.vector.geometry.building import RawGeometry
from services.vector.model import Reason, RepairKind

_SIMPLE: Final = frozenset({"Point", "LineString", "LinearRing", "Polygon", "Track", "Model"})
# KML has MultiGeometry and gx:MultiTrack; the others are what some writers take from GeoJSON.
_MULTIPLE: Final = frozenset(
    {
        "MultiGeometry",
        "MultiTrack",
        "MultiPoint",
        "MultiLineString",
        "MultiPolygon",
        "GeometryCollection",
    }
)
GEOMETRIES: Final = _SIMPLE | _MULTIPLE
# What the footprint of a GroundOverlay is given by.
FOOTPRINTS: Final = frozenset({"LatLonQuad", "LatLonBox"})
_EXPECTED: Final = GEOMETRIES | {"altitudeMode", "extrude", "tessellate", "interpolate", ""}
_MIN_POSITIONS: Final = {"Point": 1, "LineString": 2, "Polygon": 3}


@dataclass(slots=True)
class Shape:
    """What the geometry elements of a placemark say: `plain` where their coordinates can be
    read later, many at once, else `raw` or a fault.

    `whens` are the times of its tracks, as they are written. `unwrapped` counts the
    MultiGeometries with one child, `models` the Models that became points, `unknown` are the
    elements in MultiGeometries that are no geometry.
    """

    plain: Plain | None = None
    raw: RawGeometry | None = None
    fault: Fault | None = None
    mended: list[RepairKind] = field(default_factory=list)
    altitude_mode: str | None = None
    extrude: str | None = None
    tessellate: str | None = None
    whens: list[str] = field(default_factory=list)
    unwrapped: int = 0
    models: int = 0
    unknown: list[str] = field(default_factory=list)

    def mend(self, kind: RepairKind) -> None:
        if kind not in self.mended:
            self.mended.append(kind)


@dataclass(frozen=True, slots=True)
class _Part:
    """A point, a line or a polygon (a list of rings)."""

    type: str
    coordinates: Sequence[Any]

    @property
    def positions(self) -> Sequence[Any]:
        """Those of the line or the outer ring; the ordinates of a point."""
        return self.coordinates[0] if self.type == "Polygon" else self.coordinates

    @property
    def enough(self) -> bool:
        return len(self.positions) >= _MIN_POSITIONS[self.type]


def read_shape(elements: Iterable[Element]) -> Shape:
    """The geometry of these elements together: one, or the multi-geometry that holds all."""
    shape = Shape()
    simple = list(_simple_elements(elements, shape))
    for element in simple:
        _read_attributes(element, shape)
    shape.plain = _plain(simple)
    if shape.plain is None:
        _combine([part for element in simple for part in _parts(element, shape)], shape)
    return shape


def read_plain(plain: Plain) -> Shape:
    """As `read_shape`, of a geometry that has a flaw after all."""
    shape = Shape()
    tuples = [parse_coordinates(text) for text in plain.texts]
    if plain.kind == "Point":
        parts = [_point(each, shape) for each in tuples]
    elif plain.kind == "LineString":
        parts = [_Part("LineString", each) for each in tuples]
    else:
        rest = iter(tuples)
        polygons = [list(islice(rest, rings)) for rings in plain.rings]
        parts = [_Part("Polygon", rings) for rings in polygons]
    _combine(parts, shape)
    return shape


def _plain(elements: list[Element]) -> Plain | None:
    """These geometries, if they are of one kind and have the elements that they should."""
    kinds = {local_name(element.tag) for element in elements}
    if len(kinds) != 1:
        return None
    (kind,) = kinds
    texts: list[str] = []
    rings: list[int] = []
    for element in elements:
        found = _ring_texts(element) if kind == "Polygon" else _own_text(element, kind)
        if not found:
            return None
        texts += found
        rings.append(len(found))
    return Plain(kind, texts, rings)


def _own_text(element: Element, kind: str) -> list[str]:
    """The coordinates of a point or a line, where they are a single text."""
    if kind not in ("Point", "LineString"):
        return []
    found = [child for child in element if local_name(child.tag) == "coordinates"]
    return [found[0].text or ""] if len(found) == 1 and not len(found[0]) else []


def _ring_texts(polygon: Element) -> list[str]:
    """The coordinates of the outer ring and of the holes, each in a boundary of its own."""
    shell: list[str] = []
    holes: list[str] = []
    for child in polygon:
        name = local_name(child.tag)
        if name == "outerBoundaryIs" or name == "innerBoundaryIs":
            rings = [each for each in child if local_name(each.tag) == "LinearRing"]
            own = _own_text(rings[0], "LineString") if len(rings) == len(child) == 1 else []
            if not own or (shell and name == "outerBoundaryIs"):
                return []
            (shell if name == "outerBoundaryIs" else holes).append(own[0])
        elif name == "LinearRing" or name == "coordinates":
            return []
    return [*shell, *holes] if shell else []


def _combine(parts: list[_Part], shape: Shape) -> None:
    """Leave out the parts that are too short, if there are others, and put the rest together."""
    if not any(len(part.positions) for part in parts):
        detail = "it has a geometry without any coordinates"
        shape.fault = Fault(Reason.TOO_FEW_POINTS, detail)
        return
    whole = [part for part in parts if part.enough]
    if whole and len(whole) < len(parts):
        shape.mend(RepairKind.EMPTY_PART)
        parts = whole
    shape.raw = _combined(parts)


def _simple_elements(elements: Iterable[Element], shape: Shape) -> Iterable[Element]:
    """The geometries in all these, in document order, however deep they are nested."""
    waiting = list(elements)[::-1]
    while waiting:
        element = waiting.pop()
        name = local_name(element.tag)
        if name in _MULTIPLE:
            children = [child for child in element if local_name(child.tag) in GEOMETRIES]
            shape.unwrapped += len(children) == 1
            names = [local_name(child.tag) for child in element]
            shape.unknown += [each for each in names if each not in _EXPECTED]
            waiting += children[::-1]
        else:
            yield element


def _parts(element: Element, shape: Shape) -> list[_Part]:
    match local_name(element.tag):
        case "Point":
            return [_point(tuples, shape) for tuples in _coordinates(element)]
        case "LineString":
            return [_Part("LineString", tuples) for tuples in _coordinates(element)]
        case "LinearRing":
            return [_closed_line(tuples, shape) for tuples in _coordinates(element)]
        case "Polygon":
            return _polygons(element)
        case "LatLonQuad":
            return [_Part("Polygon", [_closed(tuples)]) for tuples in _coordinates(element)]
        case "LatLonBox":
            return _box(element)
        case "Track":
            return _track(element, shape)
        case _:
            return _model(element, shape)


def _read_attributes(element: Element, shape: Shape) -> None:
    for child in element:
        name = local_name(child.tag)
        if name == "altitudeMode":
            shape.altitude_mode = shape.altitude_mode or _text(child)
        elif name == "extrude":
            shape.extrude = shape.extrude or _text(child)
        elif name == "tessellate":
            shape.tessellate = shape.tessellate or _text(child)


def _coordinates(element: Element) -> list[list[Tuple]]:
    """The tuples of each coordinates element below; one for one that is missing."""
    found = [
        parse_coordinates(child.text or "" if not len(child) else "".join(child.itertext()))
        for child in element.iter()
        if local_name(child.tag) == "coordinates"
    ]
    return [tuples for tuples in found if tuples] or [[]]


def _point(tuples: list[Tuple], shape: Shape) -> _Part:
    """A Point has one position; the first is taken of several that have two ordinates."""
    if len(tuples) > 1:
        shape.mend(RepairKind.TUPLES_COMPLETED)
        tuples = [each for each in tuples if len(each) > 1][:1] or tuples[:1]
    return _Part("Point", tuples[0] if tuples else ())


def _closed(tuples: list[Tuple]) -> list[Tuple]:
    return [*tuples, tuples[0]] if tuples and tuples[0][:2] != tuples[-1][:2] else tuples


def _closed_line(tuples: list[Tuple], shape: Shape) -> _Part:
    """A LinearRing on its own is a closed line; from two positions it is a line."""
    if len(tuples) == 2:
        shape.mend(RepairKind.RETYPED)
    elif (closed := _closed(tuples)) is not tuples:
        shape.mend(RepairKind.RING_CLOSED)
        tuples = closed
    return _Part("LineString", tuples)


def _polygons(element: Element) -> list[_Part]:
    """One polygon for each outer ring, with the holes that lie in it."""
    shells: list[list[Tuple]] = []
    holes: list[list[Tuple]] = []
    for child in element:
        match local_name(child.tag):
            case "outerBoundaryIs":
                shells += _coordinates(child)
            case "innerBoundaryIs":
                holes += [tuples for tuples in _coordinates(child) if tuples]
            case "LinearRing" | "coordinates":  # not in a boundary, as it should be
                (holes if shells else shells).extend(_coordinates(child))
    if len(shells) <= 1:
        return [_Part("Polygon", [*(shells or [[]]), *holes])]
    owned: list[list[list[Tuple]]] = [[shell] for shell in shells]
    areas = [_area(shell) for shell in shells]
    for hole in holes:
        owners = [at for at, area in enumerate(areas) if _lies_in(hole, area)]
        owned[owners[0] if owners else 0].append(hole)
    return [_Part("Polygon", rings) for rings in owned]


def _area(ring: list[Tuple]) -> shapely.Geometry | None:
    try:
        return shapely.Polygon([each[:2] for each in ring])
    except (ValueError, TypeError, shapely.errors.GEOSException):
        return None  # building it will say what is wrong


def _lies_in(hole: list[Tuple], area: shapely.Geometry | None) -> bool:
    try:
        return area is not None and bool(shapely.intersects_xy(area, *hole[0][:2]))
    except (ValueError, TypeError, shapely.errors.GEOSException):
        return False


def _track(element: Element, shape: Shape) -> list[_Part]:
    """A line along the positions, a point where there is one. Blank positions are left out."""
    coords = [_text(child) for child in element if local_name(child.tag) == "coord"]
    whens = [_text(child) for child in element if local_name(child.tag) == "when"]
    shape.whens += [when for when in whens if when]
    positions = [parse_position(coord) for coord in coords if coord]
    if positions and len(positions) < len(coords):
        shape.mend(RepairKind.TUPLES_COMPLETED)
    if len(positions) == 1:
        return [_Part("Point", positions[0])]
    return [_Part("LineString", positions)]


def _model(element: Element, shape: Shape) -> list[_Part]:
    """The place of a three-dimensional model, whose shape is in another file."""
    for child in element:
        if local_name(child.tag) == "Location":
            found = {local_name(each.tag): _text(each) for each in child}
            texts = [found.get("longitude"), found.get("latitude"), found.get("altitude") or "0"]
            shape.models += 1
            return [_Part("Point", parse_position(",".join(text or "-" for text in texts)))]
    return []


def _box(element: Element) -> list[_Part]:
    """The footprint of an overlay, turned counter-clockwise about its centre (KML 2.3, 11.3)."""
    found = {local_name(child.tag): _text(child) for child in element}
    sides = [found.get(side) for side in ("west", "south", "east", "north")]
    if None in sides:
        return []
    try:
        west, south, east, north = (float(side or "") for side in sides)
        turn = math.radians(float(found.get("rotation") or 0))
    except ValueError:
        return [_Part("Polygon", [[tuple(sides[:2]), tuple(sides[2:]), tuple(sides[:2])]])]
    if east < west:  # across the antimeridian
        east += 360
    x, y = (west + east) / 2, (south + north) / 2
    narrowing = math.cos(math.radians(y)) if turn else 1.0
    ring: list[Tuple] = []
    for lon, lat in ((west, south), (east, south), (east, north), (west, north)):
        dx, dy = (lon - x) * narrowing, lat - y
        ring.append(
            (
                x + (dx * math.cos(turn) - dy * math.sin(turn)) / narrowing,
                y + dx * math.sin(turn) + dy * math.cos(turn),
            )
            if turn
            else (lon, lat)
        )
    return [_Part("Polygon", [_closed(ring)])]


def _combined(parts: list[_Part]) -> RawGeometry:
    if len(parts) == 1:
        return {"type": parts[0].type, "coordinates": parts[0].coordinates}
    families: dict[str, list[Sequence[Any]]] = {}
    for part in parts:
        families.setdefault(part.type, []).append(part.coordinates)
    members = [
        {"type": f"Multi{kind}", "coordinates": several}
        if len(several) > 1
        else {"type": kind, "coordinates": several[0]}
        for kind, several in families.items()
    ]
    if len(members) == 1:
        return members[0]
    return {"type": "GeometryCollection", "geometries": members}


def _text(element: Element) -> str | None:
    return (element.text or "").strip() or None
