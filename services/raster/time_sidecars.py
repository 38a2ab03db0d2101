"""The JSON file beside a raster that says when it was taken: a STAC Item, or a plain object."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

import orjson

from core.errors import NotFound
from infrastructure import blob_storage
from services.raster.model import Caveat
from services.raster.time_texts import Span, moment, range_of

MAX_BYTES = 1024 * 1024
# What a plain object calls it; an Item has the first.
_FIELDS = ("datetime", "acquired", "acquisition_datetime", "acquisition_date", "date")


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What a sidecar says: `span`, None where that is nothing. `warnings` tell of one that
    cannot be understood."""

    path: str
    span: Span | None
    warnings: tuple[Caveat, ...] = ()


def read(container: str, path: str) -> Sidecar | None:
    """The sidecar of the raster at this path: the same name, with .json in place of its ending
    or behind it. None where there is none. Raises `Unavailable` when storage is down.
    """
    for candidate in (f"{posixpath.splitext(path)[0]}.json", f"{path}.json"):
        try:
            data = blob_storage.read_bytes(container, candidate, limit=MAX_BYTES)
        except NotFound:
            continue
        except ValueError as error:
            return _not_understood(candidate, str(error))
        return parse(candidate, data)
    return None


def parse(path: str, data: bytes) -> Sidecar:
    """What the bytes of a sidecar say."""
    try:
        document = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        return _not_understood(path, f"is not valid JSON ({error})")
    if not isinstance(document, dict):
        return _not_understood(path, "is not a JSON object")
    properties = document.get("properties")
    fields = properties if isinstance(properties, dict) else document
    try:
        return Sidecar(path, _span(fields))
    except ValueError as error:
        return _not_understood(path, str(error))


def _span(fields: dict[str, object]) -> Span | None:
    """A time and a range as one; one end of a range alone says nothing."""
    when = next((text for name in _FIELDS if (text := _text(fields.get(name)))), None)
    begin, finish = _text(fields.get("start_datetime")), _text(fields.get("end_datetime"))
    span = None if when is None else moment(when)
    if begin is None or finish is None:
        return span
    around = range_of(begin, finish)
    return around if span is None else Span(span.nominal or span.first, around.first, around.last)


def _text(value: object) -> str | None:
    return (value.strip() or None) if isinstance(value, str) else None


def _not_understood(path: str, why: str) -> Sidecar:
    message = f"The sidecar {path} was not used: {why}."
    return Sidecar(path, None, (Caveat(code="sidecar_not_understood", message=message),))
