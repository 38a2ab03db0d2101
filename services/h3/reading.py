"""Statistics by cells as they are asked for: of a dataset, at a resolution, in an area.

A dataset has layers, each of one resolution and band. What is asked for at a resolution that it
has is read; at a coarser one it is rolled up from the next finer layer (`rolling_up`). A cell is
in an area when its centre is (`areas.Area.contains`): in a rolled-up answer the large cell's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import shapely

from core.errors import Conflict, InvalidParameters, NotFound, PermanentTaskError
from core.h3_index import Range, all_cells, descendants, resolution_of
from infrastructure import h3_repository, h3_snapshot
from infrastructure.database import Connection
from infrastructure.h3_repository import Batch, Dataset
from infrastructure.h3_snapshot import Snapshot
from services.access import ANYONE, Caller, may_see_restricted, refusal
from services.h3 import areas, cells, covering
from services.h3.areas import Area
from services.h3.choosing import Choice, choose
from services.h3.model import Indices
from services.h3.rolling_up import FRACTION, rolled_up
from services.orchestration.paging import bad_query

# Rows of one statement, and their values: few enough to be held, many enough to be read at speed.
_ROWS = 65_536
_FEWEST_ROWS = 2_048
_VALUES = 1_048_576


@dataclass(frozen=True, slots=True)
class Room:
    """What an answer has room for: the `usual` number of cells, and the `most` that may be asked
    for; `values` of statistics in any case, of which a cell has one of each."""

    usual: int
    most: int
    values: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for.

    Of `resolution`, `band` and `statistics` (names, or "all") None takes the usual, see
    `choosing`. One of `bbox` (west, south, east, north in degrees, west beyond east across the
    antimeridian), `iso3` and `cell` may say where. `after` is the cell behind which a page begins,
    `limit` how many cells it has at most; None takes as many as there is `room` for.
    """

    dataset_id: str
    room: Room
    limit: int | None = None
    resolution: int | None = None
    band: int | None = None
    statistics: tuple[str, ...] | None = None
    bbox: tuple[float, float, float, float] | None = None
    iso3: str | None = None
    cell: int | None = None
    after: int | None = None


@dataclass(slots=True)
class Reading:
    """A page of cells that is being read.

    `version` names what the page will be, before anything of it is read. `next` is the cell
    behind which the next page begins, known when `batches` have been taken; None on the last page.
    """

    dataset: Dataset
    choice: Choice
    version: str
    next: int | None = field(default=None, init=False)
    _limit: int
    _source: Iterator[Batch]

    def batches(self) -> Iterator[Batch]:
        """The cells of the page, ascending, as columns: to be taken once, and to the end."""
        left, last = self._limit, None
        for batch in self._source:
            if len(batch) == 0:
                continue
            if left == 0:
                self.next = last
                return
            kept = _part(batch, slice(left))
            left -= len(kept)
            last = int(kept.cells[-1])
            yield kept
            if len(kept) < len(batch):
                self.next = last
                return


@contextmanager
def reading(wanted: Wanted, caller: Caller = ANYONE) -> Iterator[Reading]:
    """What is asked for, read while the context lasts, all of it as it is at one moment.

    Raises `NotFound` (dataset_not_found, no_statistics), `Forbidden` (restricted),
    `InvalidParameters` for what the dataset does not have, `Conflict` (curated_admin0_missing),
    `Unavailable` (h3_timeout).
    """
    with h3_snapshot.snapshot() as moment:
        dataset = find(moment.connection, wanted.dataset_id)
        if dataset.is_restricted and not may_see_restricted(caller):
            raise refusal(f"The statistics of {dataset.dataset_id!r}")
        choice = choose(dataset, _resolution(wanted), wanted.band, wanted.statistics)
        area = _area(moment.connection, wanted)
        limit = _limit(wanted, choice)
        ranges = _ranges(wanted, choice, area)
        found = _rows(moment, dataset, choice, ranges, limit=limit, after=_after(wanted, choice))
        if choice.is_rolled_up:
            found = rolled_up(found, choice.resolution, choice.statistics)
        if area is not None:
            found = (_within(batch, area) for batch in found)
        yield Reading(dataset, choice, _version(dataset, choice, wanted, area), limit, found)


def find(connection: Connection, dataset_id: str) -> Dataset:
    """A dataset by its name. Raises `NotFound` (dataset_not_found)."""
    found = h3_repository.dataset(connection, dataset_id)
    if found is None:
        raise NotFound(f"There is no H3 dataset {dataset_id!r}.", code="dataset_not_found")
    return found


def _resolution(wanted: Wanted) -> int | None:
    """The resolution that is asked for: a cell's own, if nothing else is said."""
    if wanted.cell is None:
        return wanted.resolution
    own = resolution_of(wanted.cell)
    if wanted.resolution is not None and wanted.resolution < own:
        raise bad_query("resolution", f"must not be coarser than the cell, which is of {own}")
    return own if wanted.resolution is None else wanted.resolution


def _limit(wanted: Wanted, choice: Choice) -> int:
    """How many cells the page has at most: with many statistics it has room for fewer."""
    count = len(choice.statistics)
    fitting = wanted.room.values // count
    if wanted.limit is None:
        return min(wanted.room.usual, fitting)
    if wanted.limit > fitting:
        raise bad_query(
            "limit",
            f"must be {fitting:,} at most with {count} statistics: an answer has room for "
            f"{wanted.room.values:,} values",
        )
    return wanted.limit


def _area(connection: Connection, wanted: Wanted) -> Area | None:
    if wanted.bbox is not None:
        return areas.of_bbox(wanted.bbox)
    if wanted.iso3 is None:
        return None
    try:
        return areas.of_country(connection, wanted.iso3)
    except PermanentTaskError as error:
        if error.error_code == "country_not_found":
            raise InvalidParameters(
                error.message, [{"loc": ["query", "iso3"], "msg": "is no country that is known"}]
            ) from None
        raise Conflict(error.message, code=error.error_code) from error


def _ranges(wanted: Wanted, choice: Choice, area: Area | None) -> list[Range]:
    """Where the rows are that are read: all cells in the area, or below the larger ones in it."""
    stored = choice.layer.resolution
    if wanted.cell is not None:
        return [descendants(wanted.cell, stored)]
    if area is None:
        return [all_cells(stored)]
    return covering.ranges(covering.cover(area, choice.resolution), stored)


def _rows(
    moment: Snapshot,
    dataset: Dataset,
    choice: Choice,
    ranges: Sequence[Range],
    *,
    limit: int,
    after: int | None,
) -> Iterator[Batch]:
    """The rows in the ranges, some at a time, so that the connection is free between them."""
    some = min(_ROWS, max(_VALUES // len(choice.read), _FEWEST_ROWS))
    if not choice.is_rolled_up:
        some = min(max(limit + 1, _FEWEST_ROWS), some)
    while True:
        batches = h3_repository.rows(
            moment.connection,
            dataset.theme,
            dataset.dataset_id,
            choice.layer.band,
            choice.read,
            ranges,
            after=after,
            limit=some,
            check=moment.check,
        )
        batch = _joined(list(batches), choice.read)
        if len(batch):
            after = int(batch.cells[-1])
            yield _with_absent_classes(batch)
        if len(batch) < some:
            return


def _after(wanted: Wanted, choice: Choice) -> int | None:
    """The stored cell behind which a page begins."""
    if wanted.after is None:
        return None
    if resolution_of(wanted.after) != choice.resolution:
        raise bad_query("cursor", f"is not one of a page of resolution {choice.resolution}")
    return descendants(wanted.after, choice.layer.resolution)[1] - 1


def _within(batch: Batch, area: Area) -> Batch:
    longitudes, latitudes = cells.centres(batch.cells.astype(np.uint64))
    return _part(batch, np.flatnonzero(area.contains(longitudes, latitudes)))


def _with_absent_classes(batch: Batch) -> Batch:
    """A class that a cell does not have is kept by no row: its share is 0."""
    values = {
        name: np.nan_to_num(each) if name.startswith(FRACTION) else each
        for name, each in batch.values.items()
    }
    return replace(batch, values=values)


def _part(batch: Batch, which: slice | Indices) -> Batch:
    return Batch(
        cells=batch.cells[which],
        pixel_count=batch.pixel_count[which],
        nodata_count=batch.nodata_count[which],
        values={name: each[which] for name, each in batch.values.items()},
    )


def _joined(batches: Sequence[Batch], names: Sequence[str]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    none = np.empty(0, np.float64)
    return Batch(
        cells=np.concatenate([np.empty(0, np.int64), *(each.cells for each in batches)]),
        pixel_count=np.concatenate([none, *(each.pixel_count for each in batches)]),
        nodata_count=np.concatenate([none, *(each.nodata_count for each in batches)]),
        values={
            name: np.concatenate([none, *(each.values[name] for each in batches)]) for name in names
        },
    )


def _version(dataset: Dataset, choice: Choice, wanted: Wanted, area: Area | None) -> str:
    parts = [
        dataset.dataset_id,
        dataset.updated_at.isoformat(),
        choice.layer.job_id,
        choice.layer.updated_at.isoformat(),
        repr(replace(wanted, bbox=None, iso3=None)),
        repr((choice.resolution, choice.statistics)),
        "" if area is None else shapely.to_wkb(area.geometry, hex=True),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
