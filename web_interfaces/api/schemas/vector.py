"""Published tables, and the quality reports of what was loaded into them."""

from __future__ import annotations

from typing import Final

from core.models.feature_table import ColumnType
from web_interfaces.api.schemas.parts import (
    ANYTHING,
    BBOX,
    COUNT,
    FLAG,
    JOB_ID,
    LINKS,
    NUMBER,
    SECONDS,
    TEXT,
    TIME,
    an_object,
    list_of,
    map_of,
    one_of,
    or_null,
    page_of,
    with_more,
)

TABLE: Final = an_object(
    table=TEXT,
    title=or_null(TEXT),
    description=or_null(TEXT),
    attribution=or_null(TEXT),
    restricted=FLAG,
    version=COUNT,
    rows=COUNT,
    size_bytes=or_null(COUNT),
    geometry=or_null(an_object(type=TEXT, srid=COUNT, has_z=FLAG)),
    columns=list_of(an_object(name=TEXT, type=one_of(ColumnType))),
    key_columns=list_of(TEXT),
    datetime_column=or_null(TEXT),
    bbox=or_null(BBOX),
    source=or_null(TEXT),
    job_id=or_null(JOB_ID),
    created_at=TIME,
    updated_at=TIME,
    links=LINKS,
)
TABLES: Final = page_of("tables", TABLE)

VERSIONS: Final = with_more(
    page_of(
        "versions",
        an_object(
            version=COUNT,
            current=FLAG,
            change=TEXT,
            restores=or_null(COUNT),
            rows=COUNT,
            bbox=or_null(BBOX),
            source=or_null(TEXT),
            job_id=or_null(JOB_ID),
            report=or_null(TEXT),
            details=ANYTHING,
            published_at=TIME,
            retired_at=or_null(TIME),
            restorable=FLAG,
        ),
    ),
    table=TEXT,
)

_COUNTS: Final = an_object(read=COUNT, loaded=COUNT, quarantined=COUNT, repaired=COUNT)
_ALL_COUNTS: Final = with_more(
    _COUNTS,
    quarantined_by_reason=map_of(COUNT),
    repairs_by_kind=map_of(COUNT),
    steps=map_of(COUNT),
    value_faults=list_of(an_object(column=TEXT, reason=TEXT, values=COUNT)),
    balanced=FLAG,
)
_LISTED_REPORT: Final = an_object(
    job_id=JOB_ID,
    status=TEXT,
    summary=TEXT,
    source=an_object(name=TEXT),
    tables=list_of(an_object(table=TEXT)),
    counts=_COUNTS,
    created_at=TIME,
    finished_at=or_null(TIME),
    elapsed_seconds=or_null(SECONDS),
    links=LINKS,
)
REPORTS: Final = page_of("reports", _LISTED_REPORT)
REPORT: Final = with_more(
    _LISTED_REPORT,
    counts=_ALL_COUNTS,
    error=or_null(ANYTHING),
    rows_withheld=FLAG,
    layers=list_of(an_object(counts=_ALL_COUNTS)),
    notes={"type": "array"},
)

REPAIRS: Final = page_of(
    "repairs",
    an_object(
        repair_id=COUNT,
        layer=COUNT,
        source_row=COUNT,
        kinds=list_of(TEXT),
        detail=or_null(TEXT),
        area_before=or_null(NUMBER),
        area_after=or_null(NUMBER),
        length_before=or_null(NUMBER),
        length_after=or_null(NUMBER),
        area_change=or_null(NUMBER),
        length_change=or_null(NUMBER),
        drawn=FLAG,
        fault_at=or_null(list_of(NUMBER)),
    ),
)

QUARANTINE: Final = page_of(
    "quarantine",
    an_object(
        quarantine_id=COUNT,
        layer=COUNT,
        source_row=COUNT,
        reason=TEXT,
        detail=or_null(TEXT),
        properties=or_null(ANYTHING),
        raw=or_null(TEXT),
        raw_truncated=FLAG,
        drawn=or_null(FLAG),
    ),
)
