"""A job's tasks as people look for them: pages, one task, and the causes of failures.

A list of all tasks, of one stage's or of the failed ones is read by keys. For other states and
for texts the tasks are looked through, so many at a time: a request begins no further look after
a second, says how far it came, and gives the cursor to go on. So a job of a million tasks can be
searched without one long query.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import Any

from core.addresses import without_secrets
from core.errors import NotFound
from core.models.metrics import JobState
from core.models.task import TaskStatus
from infrastructure import error_groups_repository, status_repository
from infrastructure.database import Connection, Row
from infrastructure.status_repository import Window
from services.orchestration.paging import bad_query, cause_key, cursor_after, one_of, task_key

JsonObject = dict[str, Any]

# Tasks that are looked through by one query: more at a time while that is quick. Results may be
# of a quarter of a megabyte each.
_FIRST_WINDOW, _LARGEST_WINDOW = 100, 2000
_QUICK_SECONDS = 0.2
_PATIENCE_SECONDS = 1.0

# How far before the tasks that were sent last one looks for those that are queued or running.
_NEAR = 5000

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_INDEX = re.compile(r"[0-9][0-9,]{0,12}")
_LARGEST_INDEX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """Which tasks: of one stage, in one state, failed of one cause, with a text in parameters,
    result or error (a number finds the task of that index as well).

    `start` begins with that index. A request looks through `most_seen` tasks at most. With
    `nearby` a look for tasks that are queued or running begins near those that were sent last,
    in place of the first.
    """

    stage: int | None = None
    status: str | None = None
    cause: str | None = None
    text: str | None = None
    start: int = 0
    nearby: bool = False
    limit: int = 100
    most_seen: int = 50_000
    cursor: str | None = None


def page(connection: Connection, state: JobState, query: TaskQuery) -> JsonObject:
    """{tasks, next, searched}. `searched` is None where nothing had to be looked through, else
    {tasks, first, last, complete}: how many tasks, from which to which {stage, task_index}, and
    whether that was the rest of them. While it is not, `next` goes on, however few were found.

    Raises `InvalidParameters` for a stage that the job does not have, a state that does not
    exist, a cause that is none, or a cursor that no page gave.
    """
    status = one_of(TaskStatus, "status", query.status)
    after = None if query.cursor is None else task_key(query.cursor)
    stages = state.job.total_stages
    if query.stage is not None and not 0 <= query.stage < stages:
        raise bad_query("stage", f"must be between 0 and {stages - 1}")
    if query.cause is not None and not _FINGERPRINT.fullmatch(query.cause):
        raise bad_query("error", "is not the fingerprint of an error")
    if after is None and query.start:
        after = (query.stage or 0, query.start - 1)
    of_failed = query.cause is not None or status is TaskStatus.FAILED
    job_id = state.job.job_id
    of_a_cause = query.cause is not None and status not in (None, TaskStatus.FAILED)
    if of_a_cause or (status is not None and not _can_have(state, query.stage, status)):
        return {"tasks": [], "next": None, "searched": None}
    if query.text or (status is not None and not of_failed):
        return _looked_for(connection, job_id, query, status, after)
    rows = (
        _failed(connection, job_id, query, after, query.limit + 1)
        if of_failed
        else (
            status_repository.tasks(
                connection, job_id, limit=query.limit + 1, stage=query.stage, after=after
            )
        )
    )
    shown = rows[: query.limit]
    following = cursor_after(*_key(shown[-1])) if len(rows) > query.limit else None
    return {"tasks": [_task(row) for row in shown], "next": following, "searched": None}


def find(connection: Connection, job_id: str, stage: int, task_index: int) -> JsonObject:
    """All that the ledger has of one task. Raises `NotFound`."""
    row = None
    if all(0 <= number <= _LARGEST_INDEX for number in (stage, task_index)):
        row = status_repository.task(connection, job_id, stage, task_index)
    if row is None:
        raise NotFound(
            f"The job has no task {task_index} in stage {stage}.",
            code="unknown_task",
            stage=stage,
            task_index=task_index,
        )
    return _task(row)


def causes(
    connection: Connection, job_id: str, *, limit: int, cursor: str | None = None
) -> JsonObject:
    """What the job's failed tasks failed with, each cause once, the most frequent first:
    {errors: [{fingerprint, code, message, stage, stage_name, count, example {task_index,
    parameters}, first_at, last_at}], next}. The message is that of the example.

    Raises `InvalidParameters` for a cursor that no page gave.
    """
    after = None if cursor is None else cause_key(cursor)
    rows = error_groups_repository.groups(connection, job_id, limit=limit + 1, after=after)
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    return {
        "errors": [_cause(row) for row in shown],
        "next": last and cursor_after(last["count"], last["stage"], last["fingerprint"]),
    }


def _cause(row: Row) -> JsonObject:
    example = {
        "task_index": row["task_index"],
        "parameters": without_secrets(row["parameters"]),
    }
    names = ("fingerprint", "code", "message", "stage", "stage_name", "count")
    return {
        **{name: row[name] for name in names},
        "example": example,
        "first_at": row["first_at"],
        "last_at": row["last_at"],
    }


def _can_have(state: JobState, index: int | None, wanted: TaskStatus) -> bool:
    """Whether the counters leave room for tasks in a state: without them, looking for what there
    is not would mean looking through all."""
    stages = [stage for stage in state.stages if index in (None, stage.stage)]
    match wanted:
        case TaskStatus.COMPLETED:
            return any(stage.tasks_completed for stage in stages)
        case TaskStatus.FAILED:
            return any(stage.tasks_failed for stage in stages)
        case TaskStatus.CANCELLED:
            return any(stage.tasks_cancelled for stage in stages)
        case _:
            return any(
                (stage.tasks_total or 0)
                > stage.tasks_completed + stage.tasks_failed + stage.tasks_cancelled
                for stage in stages
            )


def _looked_for(
    connection: Connection,
    job_id: str,
    query: TaskQuery,
    status: TaskStatus | None,
    after: tuple[int, int] | None,
) -> JsonObject:
    text = query.text or None
    if after is None and query.nearby and status in (TaskStatus.QUEUED, TaskStatus.RUNNING):
        after = _near(connection, job_id, query.stage)
    # Of one cause the number is a text like every other: it finds no task by itself.
    index = None if query.cause else _index(text)
    numbered = []
    if index is not None:
        numbered = status_repository.numbered(connection, job_id, index, stage=query.stage)
    found: list[Row] = []
    began, first, seen, complete = time.monotonic(), after, 0, False
    size = _FIRST_WINDOW if text else _LARGEST_WINDOW
    while not complete:
        asked = time.monotonic()
        room = query.limit - len(found)
        size = min(size, query.most_seen - seen)
        window = _window(
            connection, job_id, query, status, after, size=size, most=room + 1 + len(numbered)
        )
        # The tasks of this number come first, on the first page.
        others = [row for row in window.matches if row["task_index"] != index]
        found += others[:room]
        seen += window.seen
        if len(others) > room:
            # What there was no room for is found again from here.
            after = _key(found[-1])
            break
        after = window.last or after
        complete = window.seen < size
        if len(found) == query.limit or seen >= query.most_seen:
            break
        now = time.monotonic()
        if now - began > _PATIENCE_SECONDS:
            break
        if now - asked < _QUICK_SECONDS:
            size = min(size * 2, _LARGEST_WINDOW)
    shown = [row for row in numbered if query.cursor is None and _is_in(row, query, status)]
    return {
        "tasks": [_task(row) for row in (*shown, *found)],
        "next": None if complete or after is None else cursor_after(*after),
        "searched": {
            "tasks": seen,
            "first": _place(_following(first, query.stage)) if seen else None,
            "last": _place(after) if seen and after else None,
            "complete": complete,
        },
    }


def _window(
    connection: Connection,
    job_id: str,
    query: TaskQuery,
    status: TaskStatus | None,
    after: tuple[int, int] | None,
    *,
    size: int,
    most: int,
) -> Window:
    """The next tasks that come into question, and the first of those that match."""
    if query.cause is None and status is not TaskStatus.FAILED:
        return status_repository.window(
            connection,
            job_id,
            size=size,
            most=most,
            stage=query.stage,
            status=status,
            text=query.text or None,
            after=after,
        )
    rows = _failed(connection, job_id, query, after, size)
    matches = [row for row in rows if _holds(row, query.text or "")]
    return Window(matches, len(rows), _key(rows[-1]) if rows else None)


def _failed(
    connection: Connection,
    job_id: str,
    query: TaskQuery,
    after: tuple[int, int] | None,
    limit: int,
) -> list[Row]:
    return status_repository.tasks(
        connection,
        job_id,
        limit=limit,
        stage=query.stage,
        status=TaskStatus.FAILED,
        cause=query.cause,
        after=after,
    )


def _holds(row: Row, text: str) -> bool:
    parts = without_secrets([row["parameters"], row["result"], row["error"]])
    wanted = json.dumps(text.lower(), ensure_ascii=False)[1:-1]
    return any(wanted in json.dumps(part, ensure_ascii=False).lower() for part in parts)


def _is_in(row: Row, query: TaskQuery, status: TaskStatus | None) -> bool:
    """Whether a task of the number that is looked for is in the wanted state. Of one cause only
    its text tells, so that the number alone finds none."""
    return query.cause is None and status in (None, row["status"])


def _near(connection: Connection, job_id: str, stage: int | None) -> tuple[int, int] | None:
    """Where to begin to look for tasks that are in the window; None for the first task."""
    sent = status_repository.window_start(connection, job_id, stage)
    if sent is None:
        return None
    return (sent[0], max(sent[1] - _NEAR, 0) - 1)


def _index(text: str | None) -> int | None:
    """The number that a text is, as people write it: 12,345."""
    if text is None or not _INDEX.fullmatch(text.strip()):
        return None
    number = int(text.replace(",", ""))
    return number if number <= _LARGEST_INDEX else None


def _key(row: Row) -> tuple[int, int]:
    return row["stage"], row["task_index"]


def _following(key: tuple[int, int] | None, stage: int | None) -> tuple[int, int]:
    return (stage or 0, 0) if key is None else (key[0], key[1] + 1)


def _place(key: tuple[int, int]) -> JsonObject:
    return {"stage": key[0], "task_index": key[1]}


def _task(row: Row) -> JsonObject:
    said = {name: without_secrets(row[name]) for name in ("parameters", "result", "error")}
    return {**row, **said, "status": TaskStatus(row["status"])}
