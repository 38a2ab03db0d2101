"""What need not be made, since the catalog has it of the same sources already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from core.errors import PermanentTaskError
from core.job_definition import JsonObject
from services.fathom.parameters import FathomOptions
from services.fathom.wanted import Wanted
from services.raster import catalog

SOURCES_DIGEST = "fathom:sources_digest"
"""The property in which an Item keeps `Wanted.digest`."""

_AT_ONCE = 500


def left_over(
    wanted: Iterable[Wanted],
    collection_id: str,
    parameters: FathomOptions,
    check: Callable[[], None],
) -> Iterator[tuple[Wanted, bool]]:
    """Each of those wanted, and whether it is to be made.

    Raises `PermanentTaskError` (item_of_another_source) where the collection has an Item of the
    same id that no job of these has made.
    """
    remaining = iter(wanted)
    for chunk in iter(lambda: list(islice(remaining, _AT_ONCE)), []):
        check()
        stored = catalog.stored_items(collection_id, [each.item_id for each in chunk])
        for each in chunk:
            predecessor = stored.get(each.item_id)
            refuse_foreign(predecessor)
            yield each, is_to_be_made(each, predecessor, parameters)


def is_to_be_made(
    wanted: Wanted, predecessor: JsonObject | None, parameters: FathomOptions
) -> bool:
    """Whether a COG is to be made, `predecessor` being the Item of its id, if there is one."""
    if predecessor is None or parameters.force_reprocess or not parameters.skip_existing:
        return True
    return bool(predecessor["properties"].get(SOURCES_DIGEST) != wanted.digest)


def refuse_foreign(predecessor: JsonObject | None) -> None:
    """Raise `PermanentTaskError` for an Item that must not be replaced: nobody's of these."""
    if predecessor is None or SOURCES_DIGEST in predecessor["properties"]:
        return
    raise PermanentTaskError(
        f"The item {predecessor['id']!r} of collection {predecessor['collection']!r} was not made "
        "of FATHOM's maps by geoforge, and would be replaced: give another collection_id.",
        code="item_of_another_source",
        field="collection_id",
        item_id=predecessor["id"],
    )
