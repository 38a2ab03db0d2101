"""From parsed JSON to features: properties, a raw geometry, and what is wrong with them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from services.vector.batch import Fault
from services.vector.formats.geojson_outline import is_faithful, outline
from services.vector.formats.json_scan import Found, Scanner, Span
from services.vector.geometry.building import RawGeometry
from services.vector.model import Note, Reason

ID_COLUMN: Final = "id"
_OTHER_ID_COLUMN: Final = "feature_id"
_GEOMETRY_TYPES: Final = frozenset(
    {
        "point",
        "linestring",
        "polygon",
        "multipoint",
        "multilinestring",
        "multipolygon",
        "geometrycollection",
    }
)
_KNOWN_MEMBERS: Final = frozenset({"type", "id", "bbox", "properties", "geometry"})
_MESSAGES: Final = {
    "bare_geometry": "geometries that are not wrapped in a Feature: loaded without attributes",
    "letter_case": "records whose type is spelt in other letter case than Feature",
    "no_properties": "features without the member properties: loaded without attributes",
    "invalid_id": "features whose id is neither a text nor a number: the id is left out",
    "invalid_bbox": "features whose bbox is not 4 or 6 numbers: it is left out, as every bbox is",
    "foreign_members": "members of features beside properties and geometry are left out, such as",
    "lenient_json": "features with NaN, Infinity or numbers beyond a double's range",
    "not_utf8": "features that are not UTF-8: read as Windows-1252",
    "lone_surrogates": "features with half a surrogate pair: replaced by U+FFFD",
}


@dataclass(slots=True)
class Features:
    """A batch: of each record its properties, geometry and id, or a fault.

    `texts` are the records as they stand in the file.
    """

    properties: list[dict[str, Any]] = field(default_factory=list)
    geometries: list[RawGeometry | None] = field(default_factory=list)
    ids: list[str | int | float | None] = field(default_factory=list)
    faults: dict[int, Fault] = field(default_factory=dict)
    texts: list[bytes] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.texts)

    def fail(self, text: bytes, fault: Fault) -> None:
        """Add a record that cannot be read."""
        self.faults[len(self)] = fault
        self.add(text, {}, None, None)

    def add(
        self,
        text: bytes,
        properties: dict[str, Any],
        geometry: RawGeometry | None,
        identifier: str | int | float | None,
    ) -> None:
        """Add a record that can."""
        self.texts.append(text)
        self.properties.append(properties)
        self.geometries.append(geometry)
        self.ids.append(identifier)


class FeatureParser:
    """Parses the scanner's runs; `notes` is what was worth knowing.

    `encoding` is that of texts which are no UTF-8; `alone` says that the file has one record;
    with `outlined` geometries have only a position of theirs, to tell their type by.
    """

    def __init__(
        self,
        scanner: Scanner,
        encoding: str = "cp1252",
        *,
        alone: bool = False,
        outlined: bool = False,
    ) -> None:
        self._scanner = scanner
        self._encoding = encoding
        self._alone = alone
        self._outlined = outlined
        self._counts: Counter[str] = Counter()
        self._foreign: dict[str, None] = {}

    @property
    def notes(self) -> list[Note]:
        """What was found so far."""
        return [
            Note(code=code, message=self._message(code), count=count)
            for code, count in self._counts.items()
        ]

    def _message(self, code: str) -> str:
        message = _MESSAGES[code]
        return f"{message} {', '.join(self._foreign)}" if code == "foreign_members" else message

    def parse(self, run: Sequence[Span]) -> Features:
        """The records of a run, each one either good or at fault."""
        features = Features()
        values = _parse_outlines(run) if self._outlined else _parse_all(run)
        for number, span in enumerate(run):
            if values is not None:
                self._add(features, span.text, values[number])
            elif span.found is Found.BROKEN:
                features.fail(span.text, _malformed(span, "is no JSON"))
            elif not self._parse_one(features, span):
                break
        return features

    def _parse_one(self, features: Features, span: Span) -> bool:
        """False where what follows in the run is void."""
        try:
            value = self._loads(span.text)
        except (ValueError, RecursionError) as error:
            lost = self._scanner.broken(span)
            features.fail(lost.text, _malformed(lost, _json_error(error)))
            return not self._scanner.resumes
        self._add(features, span.text, value)
        return True

    def _loads(self, text: bytes) -> Any:
        """JSON, with what orjson is right to refuse and files nevertheless hold."""
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass
        try:
            decoded = text.decode()
        except UnicodeDecodeError:
            decoded = text.decode(self._encoding, errors="replace")
            self._counts["not_utf8"] += 1
        value = json.loads(decoded)
        clean = decoded.encode(errors="replace")
        if clean != decoded.encode(errors="surrogatepass") or _has_surrogates(value):
            self._counts["lone_surrogates"] += 1
            value = _without_surrogates(value)
        else:
            self._counts["lenient_json"] += 1
        return value

    def _add(self, features: Features, text: bytes, value: Any) -> None:
        if not isinstance(value, dict):
            features.fail(text, _not_a_feature(f"it is {_named(value)}, not an object"))
            return
        kind = value.get("type")
        if kind != "Feature":
            self._add_other(features, text, kind, value)
            return
        self._add_feature(features, text, value)

    def _add_other(
        self, features: Features, text: bytes, kind: object, value: dict[str, Any]
    ) -> None:
        """What is not plainly a feature."""
        folded = kind.casefold() if isinstance(kind, str) else None
        if folded == "feature":
            self._counts["letter_case"] += 1
            self._add_feature(features, text, value)
        elif folded in _GEOMETRY_TYPES:
            if not self._alone:
                self._counts["bare_geometry"] += 1
            if "bbox" in value and not _is_bbox(value["bbox"]):
                self._counts["invalid_bbox"] += 1
            features.add(text, {}, value, None)
        elif kind is None:
            features.fail(text, _not_a_feature("it has no type"))
        elif folded == "featurecollection":
            listed = value.get("features")
            said = (
                f"its features are {_named(listed)}, not a list"
                if not isinstance(listed, list)
                else "it is a FeatureCollection where a Feature belongs"
            )
            features.fail(text, _not_a_feature(said))
        else:
            features.fail(text, _not_a_feature(f"its type is {_named(kind)}, not 'Feature'"))

    def _add_feature(self, features: Features, text: bytes, value: dict[str, Any]) -> None:
        if "geometry" not in value:
            features.fail(text, _not_a_feature("it has no member geometry"))
            return
        properties = value.get("properties")
        if properties is None:
            if "properties" not in value:
                self._counts["no_properties"] += 1
            properties = {}
        elif not isinstance(properties, dict):
            said = f"its properties are {_named(properties)}, not an object"
            features.fail(text, _not_a_feature(said))
            return
        identifier = value.get("id")
        if identifier is not None and type(identifier) not in (str, int, float):
            self._counts["invalid_id"] += 1
            identifier = None
        if "bbox" in value and not _is_bbox(value["bbox"]):
            self._counts["invalid_bbox"] += 1
        if not value.keys() <= _KNOWN_MEMBERS:
            self._counts["foreign_members"] += 1
            for key in value.keys() - _KNOWN_MEMBERS:
                if len(self._foreign) < 5:
                    self._foreign[key] = None
        geometry = value["geometry"]
        if geometry is not None and not isinstance(geometry, dict):
            said = f"its geometry is {_named(geometry)}, not an object"
            features.fail(text, _not_a_feature(said))
            return
        features.add(text, properties, geometry, identifier)


def id_column(names: Sequence[str]) -> str:
    """The column that features' ids go to, beside the properties of these names."""
    column = ID_COLUMN
    if column in names:
        column = _OTHER_ID_COLUMN
    number = 2
    while column in names:
        column = f"{_OTHER_ID_COLUMN}_{number}"
        number += 1
    return column


def _parse_all(run: Sequence[Span]) -> list[Any] | None:
    """All at once, where every record is good JSON; None otherwise."""
    if any(span.found is Found.BROKEN for span in run):
        return None
    try:
        values: list[Any] = orjson.loads(b"[" + b",".join(span.text for span in run) + b"]")
    except orjson.JSONDecodeError:
        return None
    # Two wrongs (an object that lacks its end, and one its beginning) may look right together.
    return values if len(values) == len(run) else None


def _parse_outlines(run: Sequence[Span]) -> list[Any] | None:
    """As `_parse_all`, with geometries cut down to one position where that changes nothing."""
    if any(span.found is Found.BROKEN for span in run):
        return None
    try:
        values: list[Any] = orjson.loads(
            outline(b"[" + b",".join(span.text for span in run) + b"]")
        )
    except orjson.JSONDecodeError:
        return None
    if len(values) != len(run):
        return None
    for position, value in enumerate(values):
        if isinstance(value, dict) and not is_faithful(value.get("geometry")):
            values[position] = orjson.loads(run[position].text)
    return values


def _malformed(span: Span, said: str) -> Fault:
    return Fault(Reason.MALFORMED, f"the text from byte {span.start:,} to {span.end:,} {said}")


def _not_a_feature(said: str) -> Fault:
    return Fault(Reason.NOT_A_FEATURE, said)


def _json_error(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"is no JSON: {error.msg} at its character {error.pos:,}"
    return "is no JSON: it is nested too deeply"


def _is_bbox(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) in (4, 6)
        and all(type(number) in (int, float) for number in value)
    )


def _named(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return repr(value[:40])
        case int() | float():
            return f"the number {value}"
        case list():
            return "a list"
        case _:
            return "an object"


def _has_surrogates(value: object) -> bool:
    return bool(_without_surrogates(value) != value)


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode() if not value.isascii() else value
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(each) for each in value]
    return value
