"""Reading STAC documents: JSON, then the specification, then what pgSTAC can hold.

stac-pydantic 3 models STAC 1.0; what 1.1 adds (bands, item_assets, more common metadata) it
lets pass as extra fields, so both versions go through the same models.
"""

from __future__ import annotations

import re
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError
from stac_pydantic import Collection, Item

from core.errors import NotFound, PermanentTaskError
from infrastructure import blob_storage
from infrastructure.stac_loader import check_loadable

JsonObject = dict[str, Any]

MAX_DOCUMENT_BYTES = 32 * 1024 * 1024
_MAX_ID_LENGTH = 512
_STAC_VERSION = re.compile(r"1\.[01]\.\d+(-(rc|beta)\.\d+)?")
# The JSON escape of NUL, which PostgreSQL's jsonb cannot hold, behind an even number of
# backslashes: an odd one would make it the text '\u0000'.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class DocumentError(ValueError):
    """The document is not what it should be; the message says which field, and why."""


def parse(data: bytes) -> JsonObject:
    """The JSON object in the bytes. Raises `DocumentError`."""
    try:
        document = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise DocumentError(f"is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise DocumentError("is not a JSON object")
    return document


def check_item(item: JsonObject) -> None:
    """Raise `DocumentError` unless it is a STAC Item, 1.0 or 1.1, that pgSTAC can hold."""
    if item.get("type") != "Feature":
        raise DocumentError(f"type: is {item.get('type')!r}, an Item has 'Feature'")
    _check_version(item)
    _check_text(item)
    _validate(Item, item)
    if len(item["id"]) > _MAX_ID_LENGTH:
        raise DocumentError(f"id: is longer than {_MAX_ID_LENGTH} characters")
    try:
        check_loadable(item)
    except ValueError as error:
        raise DocumentError(str(error)) from None


def check_collection(collection: JsonObject) -> None:
    """Raise `DocumentError` unless it is a STAC Collection, 1.0 or 1.1."""
    if collection.get("type") != "Collection":
        raise DocumentError(
            f"type: is {collection.get('type')!r}, a STAC Collection has 'Collection'"
        )
    _check_version(collection)
    _check_text(collection)
    _validate(Collection, collection)
    if len(collection["id"]) > _MAX_ID_LENGTH or "/" in collection["id"]:
        raise DocumentError(
            f"id: {collection['id'][:80]!r} cannot be used in the API's addresses; "
            "give collection_id"
        )


def read_collection(container: str, path: str) -> JsonObject:
    """The Collection at container/path. Raises `PermanentTaskError` naming what is wrong."""
    where = f"{container}/{path}"
    try:
        collection = parse(blob_storage.read_bytes(container, path, limit=MAX_DOCUMENT_BYTES))
        check_collection(collection)
    except NotFound as error:
        raise PermanentTaskError(
            error.message, code=error.error_code, container=container, path=path
        ) from error
    except DocumentError as error:
        raise PermanentTaskError(
            f"{where}: {error}", code="invalid_collection", container=container, path=path
        ) from None
    except ValueError:
        raise PermanentTaskError(
            f"{where} is larger than {MAX_DOCUMENT_BYTES >> 20} MiB, the limit for a document.",
            code="invalid_collection",
            container=container,
            path=path,
        ) from None
    return collection


def _check_version(document: JsonObject) -> None:
    version = document.get("stac_version")
    if not isinstance(version, str) or not _STAC_VERSION.fullmatch(version):
        raise DocumentError(f"stac_version: is {version!r}, supported are 1.0 and 1.1")


def _check_text(document: JsonObject) -> None:
    if _NUL.search(orjson.dumps(document)):
        raise DocumentError("holds a NUL character (\\u0000), which the database cannot keep")


def _validate(model: type[BaseModel], document: JsonObject) -> None:
    try:
        model.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        raise DocumentError(f"{where}: {first['msg']}") from None
