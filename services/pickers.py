"""What can be chosen in a field of a form: containers, blobs, datasets, collections, countries.

A field says by `x-picker` of its JSON Schema what it names, and by `x-picker-of` the field that
says within what: the container of a blob, the collection of an item.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TypedDict

from core.blob_names import check_container_name
from core.errors import InvalidParameters
from infrastructure import areas_repository, blob_browsing, database, pickers_repository
from services.data_container import check_data_container
from services.orchestration.paging import bad_query

MAX_TEXT = 300


class Picker(StrEnum):
    """What a field can name."""

    CONTAINER = "container"
    BLOB = "blob"
    DATASET = "dataset"
    STAC_COLLECTION = "stac_collection"
    STAC_ITEM = "stac_item"
    TABLE = "table"
    H3_DATASET = "h3_dataset"
    COUNTRY = "country"


class Option(TypedDict):
    """One thing to choose: what the field then holds, what people read, and a word beside it."""

    value: str
    label: str
    note: str | None


class Options(TypedDict):
    """The best matches, and whether there are more."""

    options: list[Option]
    more: bool


def options(
    picker: Picker,
    text: str = "",
    *,
    limit: int = 20,
    container: str | None = None,
    collection: str | None = None,
) -> Options:
    """What there is to choose that holds a text in its name or title, in any case.

    Blobs are found by how their paths begin, or else by a part of the path. Raises
    `InvalidParameters` where the container of a blob or the collection of an item is missing or
    is none that jobs may use, `NotFound` for a container that does not exist.
    """
    if picker is Picker.CONTAINER:
        return _containers(text, limit)
    if picker is Picker.BLOB:
        return _blobs(_data_container(container), text, limit)
    if picker is Picker.COUNTRY:
        return _countries(text, limit)
    if picker is Picker.STAC_ITEM and not collection:
        raise bad_query("collection_id", "is missing: it is the collection of the item")
    with database.transaction() as connection:
        rows = pickers_repository.options(
            connection, picker.value, text, limit=limit + 1, within=collection
        )
    return _first(
        (Option(value=row["value"], label=row["label"], note=row["note"]) for row in rows), limit
    )


def _containers(text: str, limit: int) -> Options:
    names = (name for name in blob_browsing.containers() if _is_for_data(name))
    return _best(({"value": name, "label": name, "note": None} for name in names), text, limit)


def _blobs(container: str, text: str, limit: int) -> Options:
    found, more = blob_browsing.blobs(container, text, limit=limit)
    return {
        "options": [
            {
                "value": blob.path,
                "label": blob.path,
                "note": f"{_size(blob.size)}, {blob.modified_at:%Y-%m-%d}",
            }
            for blob in found
        ],
        "more": more,
    }


def _countries(text: str, limit: int) -> Options:
    """Those of the published table of countries; none where it is not there."""
    with database.transaction() as connection:
        known = (
            areas_repository.country_names(connection)
            if areas_repository.has_countries(connection)
            else {}
        )
    listed = sorted(known.items(), key=lambda country: country[1])
    return _best(
        ({"value": code, "label": name, "note": code} for code, name in listed), text, limit
    )


def _best(found: Iterable[Option], text: str, limit: int) -> Options:
    """Those that hold the text in value or label; first those that begin with it."""
    wanted = text.lower()
    fitting = [each for each in found if wanted in f"{each['value']} {each['label']}".lower()]
    fitting.sort(
        key=lambda each: (
            not any(each[name].lower().startswith(wanted) for name in ("value", "label"))
        )
    )
    return _first(fitting, limit)


def _first(found: Iterable[Option], limit: int) -> Options:
    listed = list(found)
    return {"options": listed[:limit], "more": len(listed) > limit}


def _data_container(container: str | None) -> str:
    if not container:
        raise bad_query("container_name", "is missing: it is the container of the blob")
    try:
        return check_data_container(check_container_name(container))
    except ValueError as error:
        raise InvalidParameters(
            f"The container {error}.", [{"loc": ["query", "container_name"], "msg": str(error)}]
        ) from None


def _is_for_data(container: str) -> bool:
    """Whether jobs may read it; the account has others, as of its logs."""
    try:
        check_data_container(check_container_name(container))
    except ValueError:
        return False
    return True


def _size(size: float) -> str:
    """Bytes as people write them: '1.2 MB'."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
