"""What need not be made, since the catalog has it of the same sources already; and what must not
be, since the catalog has more of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from core.errors import PermanentTaskError
from core.job_definition import JsonObject
from services.fathom.model import band_name
from services.fathom.parameters import FathomOptions
from services.fathom.wanted import Failure, Wanted
from services.raster import catalog
from services.raster.rendering.published import RESTRICTED

SOURCES_DIGEST = "fathom:sources_digest"
"""The property in which an Item keeps `Wanted.digest`."""

PRESENT = "fathom:return_periods"
"""The property in which an Item keeps the return periods, in years, that it has depths of."""

_AT_ONCE = 500


class Judged(NamedTuple):
    """A COG that is wanted, and what is to become of it: it is made, or there already, or must
    not be made because of its `refusal`."""

    wanted: Wanted
    is_to_be_made: bool
    refusal: Failure | None = None


def left_over(
    wanted: Iterable[Wanted],
    collection_id: str,
    parameters: FathomOptions,
    check: Callable[[], None],
) -> Iterator[Judged]:
    """Each of those wanted, and whether it is to be made. What the catalog has as restricted is
    wanted so.

    Raises `PermanentTaskError` (item_of_another_source) where the collection has an Item of the
    same id that no job of these has made.
    """
    remaining = iter(wanted)
    for chunk in iter(lambda: list(islice(remaining, _AT_ONCE)), []):
        check()
        stored = catalog.stored_items(collection_id, [each.item_id for each in chunk])
        for each in chunk:
            yield _judged(each, stored.get(each.item_id), parameters)


def _judged(wanted: Wanted, predecessor: JsonObject | None, parameters: FathomOptions) -> Judged:
    refuse_foreign(predecessor)
    if predecessor is not None and predecessor["properties"].get(RESTRICTED):
        wanted = wanted.model_copy(update={"is_restricted": True})
    if not is_to_be_made(wanted, predecessor, parameters):
        return Judged(wanted, is_to_be_made=False)
    refusal = None if parameters.force_reprocess else _loss(wanted, predecessor)
    return Judged(wanted, is_to_be_made=refusal is None, refusal=refusal)


def _loss(wanted: Wanted, predecessor: JsonObject | None) -> Failure | None:
    """Why a COG must not take the place of its predecessor: that one has return periods which it
    lacks. A listing of some of the files only looks the same as a delivery of them."""
    before = [] if predecessor is None else predecessor["properties"].get(PRESENT, ())
    lost = [name for name in map(band_name, before) if name in wanted.missing]
    if not lost:
        return None
    return Failure(
        item_id=wanted.item_id,
        code="return_periods_lost",
        message=f"{wanted.item_id} would lose {', '.join(lost)}, which the catalog has and of "
        "which there are no files now. Give what holds them too, another collection_id, or "
        "force_reprocess to do without them.",
    )


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
