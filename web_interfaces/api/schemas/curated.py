"""Curated datasets, their updates and their versions."""

from __future__ import annotations

from typing import Final

from core.models.curated import CuratedDataset, UpdateStatus, UpdateType
from core.models.job import JobStatus
from services.curated.views import State
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
    of_type,
    one_of,
    or_null,
    page_of,
    with_more,
)

# Null as a whole of a dataset that was never published.
_CHANGES: Final = or_null(ANYTHING)
_GATES: Final = or_null(list_of(an_object(passed=FLAG, message=TEXT)))

_LOG_ENTRY: Final = an_object(
    log_id=COUNT,
    dataset_id=TEXT,
    job_id=or_null(JOB_ID),
    update_type=one_of(UpdateType),
    action=TEXT,
    actor=or_null(TEXT),
    due_at=or_null(TIME),
    dry_run=FLAG,
    forced=FLAG,
    source_version=or_null(TEXT),
    source_bytes=or_null(COUNT),
    base_version=or_null(COUNT),
    published_version=or_null(COUNT),
    records_added=or_null(COUNT),
    records_updated=or_null(COUNT),
    records_deleted=or_null(COUNT),
    records_unchanged=or_null(COUNT),
    records_total=or_null(COUNT),
    records_quarantined=or_null(COUNT),
    status=one_of(UpdateStatus),
    error_code=or_null(TEXT),
    error_message=or_null(TEXT),
    details=ANYTHING,
    started_at=TIME,
    completed_at=or_null(TIME),
    duration_seconds=or_null(NUMBER),
    links=LINKS,
)
HISTORY: Final = page_of("history", _LOG_ENTRY)

DATASET: Final = with_more(
    of_type(CuratedDataset),
    etag=TEXT,
    state=one_of(State),
    reason=or_null(TEXT),
    handler_known=FLAG,
    options=list_of(TEXT),
    credentials=an_object(names=list_of(TEXT), missing=list_of(TEXT)),
    next_run=or_null(TIME),
    version=or_null(COUNT),
    rows=or_null(COUNT),
    bbox=or_null(BBOX),
    published_at=or_null(TIME),
    age_seconds=or_null(SECONDS),
    held=or_null(an_object(version_id=COUNT, source_version=or_null(TEXT), gates=_GATES)),
    last_update=or_null(_LOG_ENTRY),
    running_job=or_null(ANYTHING),
    links=LINKS,
)
DATASETS: Final = page_of("datasets", DATASET)
DELETED: Final = an_object(dataset_id=TEXT, deleted=FLAG, table=TEXT, table_dropped=FLAG)

BEGUN: Final = an_object(
    job_id=JOB_ID,
    job_type=TEXT,
    status=one_of(JobStatus),
    created=FLAG,
    log_id=or_null(COUNT),
    links=LINKS,
)

# What a version that was published and one that is held have in common.
_VERSION: Final = an_object(
    version_id=or_null(COUNT),
    source_version=or_null(TEXT),
    delivers=or_null(TEXT),
    rows=or_null(COUNT),
    bbox=or_null(BBOX),
    read=or_null(COUNT),
    loaded=or_null(COUNT),
    quarantined=or_null(COUNT),
    changes=_CHANGES,
    gates=_GATES,
    licence=or_null(TEXT),
    files=or_null(list_of(ANYTHING)),
    job_id=or_null(JOB_ID),
    log_id=or_null(COUNT),
    report=or_null(TEXT),
)
VERSIONS: Final = with_more(
    page_of(
        "versions",
        with_more(
            _VERSION,
            version=COUNT,
            current=FLAG,
            restorable=FLAG,
            change=TEXT,
            restores=or_null(COUNT),
            actor=or_null(TEXT),
            published_at=TIME,
            retired_at=or_null(TIME),
        ),
    ),
    dataset_id=TEXT,
    current=or_null(COUNT),
    held=list_of(
        with_more(_VERSION, base_version=or_null(COUNT), superseded=FLAG, created_at=TIME)
    ),
)

ROLLED_BACK: Final = an_object(
    dataset_id=TEXT,
    version=COUNT,
    restores=COUNT,
    source_version=or_null(TEXT),
    rejected_version=or_null(TEXT),
    rows=COUNT,
    bbox=or_null(BBOX),
    changes=_CHANGES,
    log_id=COUNT,
)
DISCARDED: Final = an_object(dataset_id=TEXT, version_id=COUNT, source_version=TEXT, state=TEXT)
