"""A record from the element of a placemark (or of an overlay that has a footprint)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from xml.etree.ElementTree import Element

from services.vector.batch import Fault
from services.vector.formats.kml.geometry import FOOTPRINTS, GEOMETRIES, Shape, read_shape
from services.vector.formats.kml.names import local_name
from services.vector.formats.kml.plain import Plain
from services.vector.formats.kml.times import Period, parse_time
from services.vector.geometry.building import RawGeometry
from services.vector.model import Reason, RepairKind

# The prefixes of the keys of attributes that the file's author has named; those of the second
# kind are lists, as JSON.
CUSTOM: Final = "data:"
CUSTOM_LIST: Final = "list:"

_TEXTS: Final = {
    "name": "name",
    "address": "address",
    "phoneNumber": "phone_number",
    "snippet": "snippet",
    "visibility": "visibility",
    "styleUrl": "style_id",
}
# What says how a feature is shown and not what it is.
_PRESENTATION: Final = frozenset({"LookAt", "Camera", "Region", "open", "balloonVisibility"})
_OF_OVERLAYS: Final = frozenset({"altitude", "altitudeMode", "color", "drawOrder"})


@dataclass(slots=True)
class Feature:
    """A record: texts and times by key, and its geometry.

    Keys are those of the fixed columns (`name`, `time_begin`, ...), or begin with `data:` or
    `list:`.
    `bad_times` are texts that are no time; `raw_markup` says that a text has elements in it.
    """

    texts: dict[str, str] = field(default_factory=dict)
    times: dict[str, Period] = field(default_factory=dict)
    bad_times: list[tuple[str, str]] = field(default_factory=list)
    geometry: RawGeometry | Plain | None = None
    fault: Fault | None = None
    mended: list[RepairKind] = field(default_factory=list)
    raw_markup: bool = False


@dataclass(slots=True)
class Observations:
    """What is worth a note, over all features.

    `labels` are displayNames by key, `schemas` the ids of the Schemas that are referred to.
    """

    counts: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    labels: dict[str, str] = field(default_factory=dict)
    schemas: set[str] = field(default_factory=set)


def read_feature(element: Element, seen: Observations) -> Feature:
    """The record that an element stands for; what is not kept of it is counted in `seen`."""
    feature = Feature()
    if identifier := element.get("id") or _qualified(element, "id"):
        feature.texts["kml_id"] = identifier
    geometries: list[Element] = []
    is_overlay = local_name(element.tag) == "GroundOverlay"
    for child in element:
        name = local_name(child.tag)
        if name in GEOMETRIES or (name in FOOTPRINTS and is_overlay):
            geometries.append(child)
        elif name in _TEXTS:
            _keep(feature, _TEXTS[name], child)
        elif name == "description":
            _keep(feature, name, child, strip=False)
        elif name == "ExtendedData" or name == "Metadata":
            for key, text in _extended(child, seen):
                _keep_custom(feature, key, text)
        elif name in ("TimeStamp", "TimeSpan", "TimePrimitive"):
            _keep_times(feature, child, seen)
        elif name == "author" or name == "AddressDetails":
            joined = ", ".join(text for _, text in _leaves(child, ""))
            _keep_text(feature, "address_details" if name == "AddressDetails" else name, joined)
        elif name == "link":
            _keep_text(feature, name, child.get("href") or child.text or "")
        elif name == "Icon":
            href = next((each.text for each in child if local_name(each.tag) == "href"), None)
            _keep_text(feature, "overlay_href", href or "")
        elif name in ("Style", "StyleMap"):
            seen.counts["inline_styles"] += 1
        elif name in _PRESENTATION or (name in _OF_OVERLAYS and is_overlay):
            seen.counts["presentation"] += 1
        elif name:
            seen.unknown[name] += 1
    if "style_id" in feature.texts:
        feature.texts["style_id"] = feature.texts["style_id"].removeprefix("#")
    _take_shape(feature, geometries, seen)
    return feature


def _take_shape(feature: Feature, geometries: list[Element], seen: Observations) -> None:
    if not geometries:
        feature.fault = Fault(Reason.EMPTY_PLACEMARK, "the placemark has no geometry")
        return
    shape = read_shape(geometries)
    feature.geometry, feature.fault = shape.plain or shape.raw, shape.fault
    feature.mended = shape.mended
    for key in ("altitude_mode", "extrude", "tessellate"):
        _keep_text(feature, key, getattr(shape, key) or "")
    if shape.whens:
        _keep_track_times(feature, shape, seen)
    if shape.unwrapped:
        seen.counts["redundant_multigeometry"] += shape.unwrapped
    if shape.models:
        seen.counts["models"] += shape.models
    if len(geometries) > 1:
        seen.counts["several_geometries"] += 1
    seen.unknown.update(shape.unknown)


# Texts.


def _keep(feature: Feature, key: str, element: Element, *, strip: bool = True) -> None:
    if len(element):
        feature.raw_markup = True
    text = "".join(element.itertext())
    _keep_text(feature, key, text.strip() if strip else text)


def _keep_text(feature: Feature, key: str, text: str) -> None:
    """The first one that is not blank stands."""
    if key not in feature.texts and text and not text.isspace():
        feature.texts[key] = text


def _keep_custom(feature: Feature, key: str, text: str) -> None:
    """A key that is there twice keeps both values, the second under a number."""
    base, number = key, 1
    while key in feature.texts:
        number += 1
        key = f"{base}_{number}"
    feature.texts[key] = text


def _qualified(element: Element, name: str) -> str | None:
    """An attribute in a namespace, as Google Earth writes kml:id."""
    for key, value in element.items():
        if key.endswith("}" + name):
            return value
    return None


# Attributes that the author has named.


def _extended(element: Element, seen: Observations) -> Iterator[tuple[str, str]]:
    """Keys and values; where there is no value there is no key."""
    for child in element:
        name = local_name(child.tag)
        if name == "Data":
            yield from _data(child, seen)
        elif name == "SchemaData":
            yield from _schema_data(child, seen)
        elif name:
            for path, text in _leaves(child, name):
                yield CUSTOM + path, text


def _data(element: Element, seen: Observations) -> Iterator[tuple[str, str]]:
    key = CUSTOM + (element.get("name") or "value").strip()
    for child in element:
        name = local_name(child.tag)
        if name == "displayName" and child.text and child.text.strip():
            seen.labels.setdefault(key, child.text.strip())
        elif name == "value":
            text = "".join(child.itertext())
            if text and not text.isspace():
                yield key, text.strip()
    if not len(element) and element.text and not element.text.isspace():
        yield key, element.text.strip()


def _schema_data(element: Element, seen: Observations) -> Iterator[tuple[str, str]]:
    seen.schemas.add((element.get("schemaUrl") or "").rpartition("#")[2])
    for child in element:
        name = local_name(child.tag)
        key = (child.get("name") or name).strip()
        if name == "SimpleArrayData":
            values = ["".join(each.itertext()) for each in child if local_name(each.tag) == "value"]
            yield CUSTOM_LIST + key, json.dumps(values, ensure_ascii=False)
        elif name:
            text = "".join(child.itertext())
            if text and not text.isspace():
                yield CUSTOM + key, text.strip()


def _leaves(element: Element, path: str) -> Iterator[tuple[str, str]]:
    """The texts below an element, each with the names on the way to it."""
    waiting = [(element, path)]
    while waiting:
        parent, way = waiting.pop()
        if parent.text and not parent.text.isspace():
            yield way, parent.text.strip()
        children = [(each, f"{way}.{local_name(each.tag)}".strip(".")) for each in parent]
        waiting += children[::-1]


# Times.


def _keep_times(feature: Feature, element: Element, seen: Observations) -> None:
    for child in element:
        text = "".join(child.itertext()).strip()
        name = local_name(child.tag)
        if not text or name not in ("when", "begin", "end"):
            continue
        keys = ("time_begin", "time_end") if name == "when" else (f"time_{name}",)
        period = parse_time(text)
        for key in keys:
            if period is None:
                feature.bad_times.append((key, text))
            else:
                feature.times.setdefault(key, period)
        seen.counts["times_without_zone"] += period is not None and period.assumed_utc


def _keep_track_times(feature: Feature, shape: Shape, seen: Observations) -> None:
    """When a track begins and ends, and its times one by one as a list."""
    periods = [period for when in shape.whens if (period := parse_time(when)) is not None]
    if len(periods) < len(shape.whens):
        feature.bad_times.append(("track_times", f"{len(shape.whens) - len(periods)} texts"))
    feature.texts["track_times"] = json.dumps(shape.whens, ensure_ascii=False)
    if periods:
        feature.times.setdefault("time_begin", min(periods, key=_first))
        feature.times.setdefault("time_end", max(periods, key=_first))
        seen.counts["times_without_zone"] += any(period.assumed_utc for period in periods)


def _first(period: Period) -> datetime:
    return period.first
