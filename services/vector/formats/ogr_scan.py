"""One pass over a layer, geometries only, as far as the driver can be brought to go.

It costs about 1 microsecond a record: so the types of geometries and the bounds of the chunks
are known, and not guessed from a header that may be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from services.vector.formats import ogr_source, wkb_types
from services.vector.formats.ogr_access import Access, Fids, Seek, between, quoted
from services.vector.formats.ogr_source import OGR_ERRORS, Description
from services.vector.formats.reader import UnreadableFile
from services.vector.model import Note, ReadOptions

_BATCH: Final = 4_096
_SAMPLE_ROWS: Final = 20_000
# By how much smaller batches are tried where the driver fails in one, and how often at all.
_FINER: Final = 16
_MOST_ATTEMPTS: Final = 500


@dataclass(slots=True)
class Scan:
    """What one pass over the geometries of a layer found."""

    schema: pa.Schema
    types: wkb_types.TypeCounts = field(default_factory=wkb_types.TypeCounts)
    batches: list[Fids] = field(default_factory=list)
    records: int = 0
    complete: bool = True
    failure: str | None = None
    unreadable: int = 0
    notes: list[Note] = field(default_factory=list)

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in a batch of fids and geometries."""
        # A copy: a view of one column would keep the whole batch in memory.
        self.batches.append(np.array(batch.column(0), dtype=np.int64))
        self.records += batch.num_rows
        if batch.num_columns > 1:
            self.types.add(batch.column(1))
        else:
            self.types.by_name[wkb_types.NO_GEOMETRY] += batch.num_rows

    def fids(self) -> Fids:
        """The fids of all records, in the order in which they came."""
        if len(self.batches) != 1:
            self.batches = [np.concatenate([np.empty(0, dtype=np.int64), *self.batches])]
        return self.batches[0]

    def sort(self) -> None:
        """Bring the fids in order, each once: a damaged tree leads to some of them twice."""
        self.batches = [np.unique(self.fids())]
        self.records = len(self.batches[0])


def scan_layer(access: Access, about: Description, options: ReadOptions) -> Scan:
    """Go through the layer, geometries only, as far as the driver can: where it fails in a
    batch, with smaller ones, and beyond what it fails at where fids can be looked up."""
    with ogr_source.stream(access.origin, batch_rows=1, geometry_only=True) as opened:
        scan = Scan(schema=opened.schema)
    limit = _SAMPLE_ROWS if options.sample else None
    where = everything(access, about)
    rows = _BATCH
    while _go_on(access, scan, rows, limit, skip=scan.records, where=where) and rows > 1:
        rows = max(1, rows // _FINER)
    if access.seek is not Seek.FID_INDEX or options.sample or not about.fid_column:
        return scan
    last = access.last_fid()
    if last is not None and (not scan.records or last > scan.fids()[-1]):
        scan.failure = scan.failure or f"the driver stopped before record {last}"
        _go_beyond(access, scan, about.fid_column, last)
    return scan


def everything(access: Access, about: Description) -> str | None:
    """A condition that is always true, where records are found by fid: without any condition
    OGR believes the number of records that a GeoPackage says it has, and where that is too
    high it returns some of them again."""
    if access.seek is not Seek.FID_INDEX or not about.fid_column:
        return None
    return f"{quoted(about.fid_column)} IS NOT NULL"


def _go_on(
    access: Access,
    scan: Scan,
    rows: int,
    limit: int | None = None,
    *,
    skip: int = 0,
    where: str | None = None,
) -> bool:
    """Add what a stream has; whether it failed."""
    try:
        with ogr_source.stream(
            access.origin, batch_rows=rows, geometry_only=True, skip=skip, where=where
        ) as opened:
            for batch in opened.batches():
                scan.add(batch)
                if limit is not None and scan.records >= limit:
                    scan.complete = False
                    return False
            scan.notes += [note for note in opened.notes if note not in scan.notes]
    except (*OGR_ERRORS, UnreadableFile) as error:
        scan.failure = ogr_source.said(error)
        return True
    return False


def _go_beyond(access: Access, scan: Scan, column: str, last: int) -> None:
    """What can be read behind a damaged place, by halving the fids that are left."""
    spans = [(int(scan.fids()[-1]) + 1 if scan.records else 0, last)]
    attempts = 0
    while spans and attempts < _MOST_ATTEMPTS:
        first, end = spans.pop()
        if not _go_on(access, scan, _BATCH, where=between(column, first, end)):
            continue
        attempts += 1
        reached = max(int(scan.fids()[-1]) + 1 if scan.records else 0, first)
        if reached < end:
            middle = (reached + end) // 2
            spans += [(middle + 1, end), (reached, middle)]
        else:
            scan.unreadable += 1
    scan.sort()
