"""What the endpoints of pipelines answer with, as JSON Schemas for the API's description."""

from __future__ import annotations

from typing import Final

from core.models.pipeline import RunStatus, StepStatus
from web_interfaces.api.schemas.parts import (
    ANYTHING,
    COUNT,
    FAULTS,
    FLAG,
    JOB_ID,
    LINKS,
    LOC,
    PERCENT,
    TEXT,
    TIME,
    Schema,
    an_object,
    list_of,
    map_of,
    one_of,
    or_null,
)

RUN_ID: Final = JOB_ID

_LAYERS: Final = list_of(list_of(TEXT))
_RUN_STATUS: Final = one_of(RunStatus)
_STEP_STATUS: Final = one_of(StepStatus)
_THING: Final = an_object(
    kind=TEXT, name=TEXT, title=TEXT, page=or_null(TEXT), picture=or_null(TEXT)
)

LISTED_PIPELINE: Final = an_object(
    name=TEXT,
    title=TEXT,
    description=TEXT,
    version=COUNT,
    steps=COUNT,
    job_types=list_of(TEXT),
    problems=COUNT,
    schedule=or_null(ANYTHING),
    next_run_at=or_null(TIME),
    last_run=or_null(
        an_object(run_id=RUN_ID, status=_RUN_STATUS, awaiting_approval=FLAG, created_at=TIME)
    ),
    created_at=TIME,
    updated_at=TIME,
    links=LINKS,
)

PIPELINE: Final = an_object(
    name=TEXT,
    version=COUNT,
    latest_version=COUNT,
    document=ANYTHING,
    problems=FAULTS,
    warnings=FAULTS,
    layers=_LAYERS,
    note=or_null(TEXT),
    saved_at=TIME,
    created_at=TIME,
    updated_at=TIME,
    links=LINKS,
)

VERSION: Final = an_object(
    version=COUNT,
    is_latest=FLAG,
    steps=COUNT,
    problems=COUNT,
    note=or_null(TEXT),
    created_at=TIME,
    links=LINKS,
)

DIFF: Final = an_object(
    **{
        "from": COUNT,
        "to": COUNT,
        "changes": list_of(
            an_object(
                change={"type": "string", "enum": ["added", "removed", "changed"]},
                loc=LOC,
                before={},
                after={},
            )
        ),
    }
)

CHECK: Final = an_object(
    valid=FLAG,
    errors=FAULTS,
    warnings=FAULTS,
    layers=_LAYERS,
    outputs=ANYTHING,
    dependencies=map_of(list_of(TEXT)),
)

STARTED_RUN: Final = an_object(
    run_id=RUN_ID, name=TEXT, version=COUNT, status=_RUN_STATUS, created=FLAG, links=LINKS
)

PLAN: Final = an_object(
    name=TEXT, version=COUNT, inputs=ANYTHING, layers=_LAYERS, steps=list_of(ANYTHING)
)

STARTED_RUN_OR_PLAN: Final[Schema] = {"anyOf": [STARTED_RUN, PLAN]}

LISTED_RUN: Final = an_object(
    run_id=RUN_ID,
    name=TEXT,
    version=COUNT,
    title=TEXT,
    status=_RUN_STATUS,
    awaiting_approval=FLAG,
    began_by={"type": "string", "enum": ["request", "schedule"]},
    due_at=or_null(TIME),
    error=or_null(ANYTHING),
    cancel_requested=FLAG,
    steps_total=COUNT,
    steps_ended=COUNT,
    created_at=TIME,
    started_at=or_null(TIME),
    finished_at=or_null(TIME),
    links=LINKS,
)

_JOB: Final = an_object(
    item_index=COUNT,
    attempt=COUNT,
    job_id=RUN_ID,
    job_type=TEXT,
    status=TEXT,
    progress_pct=PERCENT,
    links=LINKS,
)

STEP_JOB: Final[Schema] = {
    **_JOB,
    "properties": {**_JOB["properties"], "published": list_of(_THING), "error": or_null(ANYTHING)},
}

STEP: Final = an_object(
    id=TEXT,
    title=TEXT,
    kind={"type": "string", "enum": ["job", "gate"]},
    job_type=or_null(TEXT),
    status=_STEP_STATUS,
    reason=or_null(TEXT),
    items_total=or_null(COUNT),
    jobs_completed=COUNT,
    jobs_failed=COUNT,
    jobs_cancelled=COUNT,
    progress_pct=PERCENT,
    jobs=list_of(_JOB),
    outputs={},
    outputs_left_out=FLAG,
    error=or_null(ANYTHING),
    decision=or_null(ANYTHING),
    deadline=or_null(TIME),
    message=or_null(TEXT),
    started_at=or_null(TIME),
    finished_at=or_null(TIME),
    published=list_of(_THING),
    published_more=FLAG,
    links=LINKS,
)

RUN: Final = an_object(
    run_id=RUN_ID,
    name=TEXT,
    version=COUNT,
    title=TEXT,
    status=_RUN_STATUS,
    awaiting_approval=FLAG,
    inputs=ANYTHING,
    began_by=TEXT,
    due_at=or_null(TIME),
    error=or_null(ANYTHING),
    cancel_requested=FLAG,
    created_at=TIME,
    started_at=or_null(TIME),
    finished_at=or_null(TIME),
    progress_pct=PERCENT,
    layers=_LAYERS,
    steps=list_of(STEP),
    document=ANYTHING,
    links=LINKS,
)
