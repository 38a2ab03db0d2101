"""Jobs, their tasks, and what submitting one answers with."""

from __future__ import annotations

from typing import Final

from core.models.cost import Cost
from core.models.job import JobStatus, StageStatus
from core.models.metrics import Rates
from core.models.task import TaskStatus
from web_interfaces.api.schemas.parts import (
    ANYTHING,
    COUNT,
    ERROR,
    FAULTS,
    FLAG,
    JOB_ID,
    JSON_SCHEMA,
    LINKS,
    PERCENT,
    TEXT,
    TIME,
    Schema,
    an_object,
    either,
    list_of,
    of_type,
    one_of,
    or_null,
    page_of,
    with_more,
)

STAGE: Final[Schema] = an_object(
    index=COUNT,
    name=TEXT,
    status=one_of(StageStatus),
    tasks_total=or_null(COUNT),
    tasks_completed=COUNT,
    tasks_failed=COUNT,
    tasks_cancelled=COUNT,
    started_at=or_null(TIME),
    finished_at=or_null(TIME),
)

JOB: Final[Schema] = an_object(
    job_id=JOB_ID,
    job_type=TEXT,
    run=COUNT,
    status=one_of(JobStatus),
    stage=COUNT,
    total_stages=COUNT,
    cancel_requested=FLAG,
    parameters=ANYTHING,
    result=or_null(ANYTHING),
    error=ERROR,
    created_at=TIME,
    started_at=or_null(TIME),
    updated_at=TIME,
    finished_at=or_null(TIME),
    stages=list_of(STAGE),
    progress_pct=PERCENT,
    rates=of_type(Rates),
    cost=of_type(Cost),
    links=LINKS,
)

JOBS: Final = page_of("jobs", JOB)

_TASK_OF_A_LIST: Final = an_object(
    stage=COUNT,
    stage_name=TEXT,
    task_index=COUNT,
    task_type=TEXT,
    status=one_of(TaskStatus),
    attempt=COUNT,
    parameters=ANYTHING,
    result=or_null(ANYTHING),
    error=ERROR,
    queued_at=or_null(TIME),
    started_at=or_null(TIME),
    finished_at=or_null(TIME),
    lease_expires_at=or_null(TIME),
)
TASK: Final = with_more(
    _TASK_OF_A_LIST,
    not_before=or_null(TIME),
    attempts_before=COUNT,
    max_attempts=COUNT,
    tasks_total=or_null(COUNT),
)

_PLACE: Final = or_null(an_object(stage=COUNT, task_index=COUNT))
TASKS: Final = with_more(
    page_of("tasks", _TASK_OF_A_LIST),
    searched=or_null(an_object(tasks=COUNT, first=_PLACE, last=_PLACE, complete=FLAG)),
)

ERRORS: Final = page_of(
    "errors",
    an_object(
        fingerprint=TEXT,
        code=or_null(TEXT),
        message=or_null(TEXT),
        stage=COUNT,
        stage_name=TEXT,
        count=COUNT,
        example=an_object(task_index=COUNT, parameters=ANYTHING),
        first_at=or_null(TIME),
        last_at=or_null(TIME),
    ),
)

CHECKED: Final = an_object(valid=FLAG, errors=FAULTS)

TYPES: Final = an_object(
    job_types=list_of(
        an_object(
            name=TEXT,
            description=TEXT,
            stages=list_of(an_object(name=TEXT, description=TEXT)),
            parameters_schema=JSON_SCHEMA,
            outputs_schema=or_null({**JSON_SCHEMA, "description": "JSON Schema of its result"}),
        )
    )
)

STEERED: Final = an_object(job_id=JOB_ID, status=TEXT, links=LINKS)
RESUMED: Final = with_more(STEERED, tasks_put_back=COUNT)
SUBMITTED: Final = an_object(
    job_id=JOB_ID, job_type=TEXT, status=one_of(JobStatus), created=FLAG, links=LINKS
)
PLAN: Final = an_object(
    job_type=TEXT,
    parameters=ANYTHING,
    plan=an_object(
        stages=list_of(
            an_object(
                index=COUNT,
                name=TEXT,
                description=TEXT,
                queue=TEXT,
                max_parallel=COUNT,
                tasks_total=or_null(COUNT),
            )
        )
    ),
)
SUBMITTED_BEFORE_OR_PLAN: Final = either(SUBMITTED, PLAN)
