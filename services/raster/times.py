"""When a raster was taken: from who says so best, and never made up.

In this order: the job's parameters, a JSON sidecar beside the file, a tag that is labelled as
the time of acquisition, the file's name. What says only when the file was written
(TIFFTAG_DATETIME, for one) does not count. Where a day is known, the time is its beginning, and
the range is the day; where a month or years are, there is a range and no time. Times without a
zone are taken as UTC.

Where nothing is known: STAC wants a time or a range from each Item
(https://github.com/radiantearth/stac-spec/blob/v1.1.0/item-spec/item-spec.md#datetime), and no
open end in it. The range is then as wide as it has to be to be true, `BEGINNING` to when the
file was found in storage, and `source` says that it is unknown.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from infrastructure import blob_storage
from services.raster import time_names, time_sidecars
from services.raster.model import Caveat, RasterModel
from services.raster.time_sidecars import Sidecar
from services.raster.time_texts import Span, moment, range_of

UNKNOWN = "unknown"
# Before anything was surveyed that rasters are made of, and within what the nanoseconds of
# pandas and Arrow reach.
BEGINNING = datetime(1700, 1, 1, tzinfo=UTC)

# Tags that say when a picture was taken, without letters' case and anything but letters, and
# which other one ends what they begin. GDAL's IMAGERY domain, Landsat's MTL, Sentinel's SAFE,
# EXIF, MODIS' core metadata, NITF, and the convention of netCDF.
_TAGS: tuple[tuple[str, str | None], ...] = (
    ("acquisitiondatetime", None),
    ("acquisitiontime", None),
    ("acquisitiondate", None),
    ("accisitiondate", None),  # As a producer of Sentinel-2 chips writes it.
    ("acquired", None),
    ("acquiredat", None),
    ("dateacquired", None),
    ("sensingtime", None),
    ("datatakedatatakesensingstart", None),
    ("firstlinetime", None),
    ("nitfidatim", None),
    ("exifdatetimeoriginal", None),
    ("productstarttime", "productstoptime"),
    ("rangebeginningdate", "rangeendingdate"),
    ("timecoveragestart", "timecoverageend"),
    ("startdatetime", "enddatetime"),
)
_NOT_LETTERS = re.compile(r"[^a-z]")
# Two sayings that lie further apart than this, all zones allowed for, are of two pictures.
_SAME = timedelta(days=1)


class ItemTime(RasterModel):
    """The times of an Item: `nominal` becomes its datetime, with a range beside or in place of
    it. `source` is "parameter", "sidecar", "tag:<name>", "filename" or "unknown"."""

    nominal: datetime | None
    start: datetime | None
    end: datetime | None
    source: str
    warnings: tuple[Caveat, ...] = ()

    @property
    def is_known(self) -> bool:
        return self.source != UNKNOWN


def resolve(
    *,
    name: str,
    tags: Mapping[str, str],
    sidecar: Sidecar | None = None,
    acquired: datetime | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    known_by: datetime,
) -> ItemTime:
    """The times of a raster of this file name and these tags.

    `acquired`, `start` and `end` are the job's parameters, the last two given together;
    `known_by` is a time at which the file was there already.
    """
    given = _given(acquired, start, end)
    if given is not None:
        return _item_time(given, "parameter")
    found: list[tuple[str, Span]] = []
    if sidecar is not None and sidecar.span is not None:
        found.append(("sidecar", sidecar.span))
    found += [(source, span) for source, span in _labelled(tags) if _is_believable(span, known_by)]
    named = time_names.span_of(posixpath.basename(name), known_by)
    if named is not None:
        found.append(("filename", named))
    warnings = () if sidecar is None else sidecar.warnings
    if not found:
        return ItemTime(
            nominal=None, start=BEGINNING, end=known_by, source=UNKNOWN, warnings=warnings
        )
    source, span = found[0]
    return _item_time(span, source, (*warnings, *_disagreements(found)))


def of_blob(
    container: str,
    path: str,
    *,
    tags: Mapping[str, str],
    acquired: datetime | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> ItemTime:
    """The times of a raster in storage, by all that `resolve` asks, its sidecar among it.

    Raises `Unavailable` when storage is down.
    """
    properties = blob_storage.properties(container, path)
    return resolve(
        name=path,
        tags=tags,
        sidecar=time_sidecars.read(container, path),
        acquired=acquired,
        start=start,
        end=end,
        known_by=datetime.now(UTC) if properties is None else properties.last_modified,
    )


def _given(acquired: datetime | None, start: datetime | None, end: datetime | None) -> Span | None:
    if start is not None and end is not None:
        return Span(acquired, start, end)
    return None if acquired is None else Span(acquired, acquired, acquired)


def _labelled(tags: Mapping[str, str]) -> list[tuple[str, Span]]:
    """What tags say that name themselves a time of acquisition; the best label first."""
    by_label: dict[str, str] = {}
    for tag in tags:
        # netCDF's global attributes come as NC_GLOBAL#<name>.
        by_label.setdefault(_NOT_LETTERS.sub("", tag.rpartition("#")[2].lower()), tag)
    found = []
    for label, ending in _TAGS:
        if label not in by_label:
            continue
        tag = by_label[label]
        last = by_label.get(ending or "", tag)
        try:
            span = moment(tags[tag]) if last == tag else range_of(tags[tag], tags[last])
        except ValueError:
            continue  # Somebody's own format; other tags, and the name, may say it in another.
        found.append((f"tag:{tag}", span))
    return found


def _is_believable(span: Span, known_by: datetime) -> bool:
    """Whether a tag's time lies before the file: some writers fill in zeros or nines."""
    return BEGINNING <= span.first <= known_by + _SAME


def _item_time(span: Span, source: str, warnings: Iterable[Caveat] = ()) -> ItemTime:
    is_moment = span.first == span.last and span.nominal == span.first
    return ItemTime(
        nominal=span.nominal,
        start=None if is_moment else span.first,
        end=None if is_moment else span.last,
        source=source,
        warnings=tuple(warnings),
    )


def _disagreements(found: list[tuple[str, Span]]) -> list[Caveat]:
    chosen, span = found[0]
    return [
        Caveat(
            code="times_disagree",
            message=f"The time is {span.text} by its {chosen}, but {other.text} by its {source}.",
        )
        for source, other in found[1:]
        if other.first - span.last > _SAME or span.first - other.last > _SAME
    ]
