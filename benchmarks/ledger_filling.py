"""A ledger as a year of work leaves it, made by the database itself: thousands of jobs with
stages, tasks, snapshots and events, and one job of very many tasks that is half done.

Nothing repairs what is made up here: each stage that runs has its window full of tasks whose
leases last for a day.
"""

from __future__ import annotations

import psycopg

BIG_JOB = f"{0:064x}"
"""The id of the job of very many tasks."""

_TYPES = """ARRAY['hello_fan_out', 'process_vector', 'process_raster', 'ingest_collection',
                   'h3_raster_aggregation', 'process_fathom_stack', 'curated_update']"""

# Of a hundred jobs one in 200 runs, one in 60 waits, 3% failed, 4% have errors, 1% was cancelled.
_JOBS = f"""
INSERT INTO app.jobs (job_id, job_type, parameters, submission_key, status, current_stage,
                      total_stages, result, error, created_at, started_at, finished_at, updated_at)
SELECT encode(sha256(n::text::bytea), 'hex'), ({_TYPES})[1 + n %% 7],
       jsonb_build_object('container_name', 'bronze', 'blob_name', 'files/source_' || n || '.gpkg',
                          'table_name', 'table_' || n, 'options', repeat('x', 200)),
       'made-up ' || n, s.status, CASE WHEN s.status = 'queued' THEN 0 ELSE 1 END, 3,
       CASE WHEN s.status LIKE 'completed%%'
            THEN json_build_object('rows', n, 'report', repeat('y', 400)) END,
       CASE WHEN s.status = 'failed'
            THEN jsonb_build_object('code', 'bad_file',
                                    'message', 'The file ' || n || ' cannot be read.') END,
       t.began, CASE WHEN s.status <> 'queued' THEN t.began + interval '1 second' END,
       CASE WHEN s.status NOT IN ('queued', 'running') THEN t.began + interval '5 minutes' END,
       clock_timestamp() + interval '1 day'
FROM generate_series(1, %(jobs)s) AS n
CROSS JOIN LATERAL (
    SELECT CASE WHEN n %% 200 = 0 THEN 'running' WHEN n %% 60 = 7 THEN 'queued'
                WHEN n %% 33 = 0 THEN 'failed' WHEN n %% 25 = 0 THEN 'completed_with_errors'
                WHEN n %% 100 = 1 THEN 'cancelled' ELSE 'completed' END AS status
) AS s
CROSS JOIN LATERAL (
    SELECT clock_timestamp() - CASE s.status
               WHEN 'running' THEN interval '10 minutes'
               WHEN 'queued' THEN interval '1 minute'
               ELSE interval '6 minutes' + n * interval '50 seconds' END AS began
) AS t
"""

_BIG_JOB = """
INSERT INTO app.jobs (job_id, job_type, parameters, submission_key, status, current_stage,
                      total_stages, created_at, started_at, updated_at)
VALUES (%(big)s, 'hello_fan_out', jsonb_build_object('n', %(tasks)s::integer), 'made-up big',
        'running', 1, 3, clock_timestamp() - interval '2 hours',
        clock_timestamp() - interval '2 hours', clock_timestamp() + interval '1 day')
"""

_STAGES = """
INSERT INTO app.job_stages (job_id, stage, name, status, queue, max_parallel, tasks_per_message,
                            max_attempts, lease_seconds, max_failed_share, stop_early, tasks_total,
                            tasks_completed, tasks_failed, in_flight, next_index, planned_at,
                            started_at, finished_at)
SELECT j.job_id, stage, (ARRAY['inspect', 'process', 'publish'])[stage + 1], s.status,
       CASE WHEN stage = 1 THEN 'heavy' ELSE 'light' END, 8, 1, 4, 86400, 1, false, s.total,
       CASE s.status WHEN 'completed' THEN s.total
                     WHEN 'running' THEN s.total * 2 / 5 - s.total / 100 ELSE 0 END,
       CASE s.status WHEN 'running' THEN s.total / 100 ELSE 0 END,
       CASE s.status WHEN 'running' THEN 8 ELSE 0 END, coalesce(s.total, 0),
       CASE WHEN s.total IS NOT NULL THEN j.created_at END,
       CASE WHEN s.total IS NOT NULL THEN j.created_at END,
       CASE s.status WHEN 'completed' THEN j.created_at + interval '1 minute' END
FROM app.jobs AS j
CROSS JOIN generate_series(0, 2) AS stage
CROSS JOIN LATERAL (
    SELECT CASE WHEN j.finished_at IS NOT NULL OR stage < j.current_stage THEN 'completed'
                WHEN j.status = 'running' AND stage = j.current_stage THEN 'running'
                ELSE 'pending' END AS status
) AS progress
CROSS JOIN LATERAL (
    SELECT progress.status,
           CASE WHEN progress.status = 'pending' THEN NULL
                WHEN j.job_id = %(big)s AND stage = 1 THEN %(tasks)s::integer
                WHEN stage = 1 THEN 20 ELSE 1 END AS total
) AS s
WHERE j.submission_key LIKE 'made-up %%'
"""

_TASKS = """
INSERT INTO app.tasks (job_id, stage, task_index, task_type, parameters, status, attempt,
                       queued_at, started_at, finished_at, lease_expires_at, result, error)
SELECT s.job_id, s.stage, index, 'made.up', jsonb_build_object('index', index), state.status,
       CASE WHEN state.status = 'pending' THEN 0 ELSE 1 END,
       CASE WHEN state.status <> 'pending' THEN s.started_at END,
       CASE WHEN state.status <> 'pending' THEN s.started_at END,
       CASE WHEN state.status IN ('completed', 'failed') THEN s.started_at END,
       CASE WHEN state.status = 'running' THEN clock_timestamp() + interval '1 day' END,
       CASE WHEN state.status = 'completed' THEN jsonb_build_object('index', index) END,
       CASE WHEN state.status = 'failed'
            THEN jsonb_build_object('code', 'bad_tile',
                                    'message', 'The tile ' || index || ' is empty.') END
FROM app.job_stages AS s
JOIN app.jobs AS j USING (job_id)
CROSS JOIN LATERAL generate_series(0, s.tasks_total - 1) AS index
CROSS JOIN LATERAL (
    SELECT CASE WHEN index < s.tasks_completed THEN 'completed'
                WHEN index < s.tasks_completed + s.tasks_failed THEN 'failed'
                WHEN index < s.tasks_completed + s.tasks_failed + s.in_flight THEN 'running'
                ELSE 'pending' END AS status
) AS state
WHERE j.submission_key LIKE 'made-up %%' AND s.tasks_total IS NOT NULL
  AND (%(all)s OR j.job_id = %(big)s)
"""

# Sixty of each job that runs, five seconds apart, and a dozen of those that ended in the last hour.
_SNAPSHOTS = """
INSERT INTO app.job_metrics (job_id, "timestamp", metric_type, payload)
SELECT j.job_id, clock_timestamp() - back * interval '5 seconds', 'snapshot',
       jsonb_build_object(
           'progress', jsonb_build_object(
               'stage', s.stage, 'total_stages', 3, 'stage_name', s.name,
               'tasks_total', s.tasks_total, 'tasks_failed', s.tasks_failed,
               'tasks_completed', greatest(0, s.tasks_completed - (back * s.tasks_total) / 200),
               'progress_pct', 40),
           'rates', jsonb_build_object('tasks_per_minute', 100, 'eta_seconds', 60),
           'context', jsonb_build_object(
               'h3_aggregation', jsonb_build_object('cells_processed', 1)),
           'recent_events', (SELECT jsonb_agg(jsonb_build_object(
               'timestamp', '2026-01-01T00:00:00Z', 'error', false, 'kind', 'stage_started',
               'message', 'Stage process started: 20 tasks')) FROM generate_series(1, 10)))
FROM app.jobs AS j
JOIN app.job_stages AS s ON s.job_id = j.job_id AND s.stage = 1
CROSS JOIN LATERAL generate_series(
    CASE WHEN j.status = 'running' THEN 60 ELSE 12 END, 1, -1) AS back
WHERE j.submission_key LIKE 'made-up %%'
  AND (j.status = 'running' OR j.finished_at > clock_timestamp() - interval '1 hour')
"""

_EVENTS = """
INSERT INTO app.job_metrics (job_id, "timestamp", metric_type, payload)
SELECT j.job_id, j.created_at + n * interval '1 second',
       CASE WHEN j.status = 'failed' AND n = 5 THEN 'error' ELSE 'event' END,
       jsonb_build_object('kind', 'stage_started', 'message', 'Stage process started: 20 tasks')
FROM app.jobs AS j
CROSS JOIN generate_series(1, 5) AS n
WHERE j.submission_key LIKE 'made-up %%'
"""

_CONTEXT = """
INSERT INTO app.job_context (job_id, name, value)
SELECT job_id, 'h3_aggregation', jsonb_build_object(
    'cells_total', 1204311, 'cells_processed', 311042, 'stats_computed', 933126,
    'tiles_discovered', 200, 'tiles_processed', 57, 'current_tile', '28.8 E 2.9 S to 30.9 E 1.0 S')
FROM app.jobs
WHERE submission_key LIKE 'made-up %%' AND status = 'running'
"""

_THROUGHPUT = f"""
INSERT INTO app.throughput (width, begins, job_type, completed, failed)
SELECT width, date_trunc(width, clock_timestamp(), 'UTC') - n * ('1 ' || width)::interval,
       job_type, 100 + (n * 37) %% 900, (n * 7) %% 13
FROM unnest(ARRAY['minute', 'hour']) AS width
CROSS JOIN LATERAL generate_series(0, CASE WHEN width = 'minute' THEN 1499 ELSE 839 END) AS n
CROSS JOIN unnest({_TYPES}) AS job_type
ON CONFLICT DO NOTHING
"""

# What is made up was not done now.
_COUNTED = """
INSERT INTO app.throughput_counted (job_id, stage, completed, failed)
SELECT job_id, stage, tasks_completed, tasks_failed FROM app.job_stages
ON CONFLICT (job_id, stage)
DO UPDATE SET completed = excluded.completed, failed = excluded.failed
"""

_LETTERS = """
INSERT INTO app.dead_letters (received_at, queue, message_id, reason, description, job_id, body)
SELECT clock_timestamp() - n * interval '10 minutes', 'light', 'm' || n,
       'MaxDeliveryCountExceeded', 'It was delivered ten times.',
       encode(sha256(n::text::bytea), 'hex'), repeat('z', 500)
FROM generate_series(1000, 1, -1) AS n
"""

_STATEMENTS = (
    _JOBS, _BIG_JOB, _STAGES, _TASKS, _SNAPSHOTS, _EVENTS, _CONTEXT, _THROUGHPUT, _COUNTED,
    _LETTERS,
)  # fmt: skip


def fill(database_url: str, jobs: int, tasks: int, *, small_tasks: bool = True) -> None:
    """Add `jobs` jobs, and one of `tasks` tasks, to a ledger, and bring its statistics up to date.

    Without `small_tasks` only the large job's tasks have rows, which is faster.

    Raises psycopg.Error where that is not possible, as in a ledger that was filled before.
    """
    parameters = {"jobs": jobs, "tasks": tasks, "big": BIG_JOB, "all": small_tasks}
    with psycopg.connect(database_url, autocommit=True) as connection:
        with connection.transaction():
            for statement in _STATEMENTS:
                connection.execute(statement, parameters)
        connection.execute(
            "VACUUM (ANALYZE) app.jobs, app.job_stages, app.tasks, app.job_metrics, app.throughput"
        )
