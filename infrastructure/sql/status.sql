-- Jobs as people see them: read-only, from counters; no query here counts tasks.

-- name: jobs
-- A page of jobs, newest first, after the job (created_at, job_id) of the cursor.
SELECT job_id, job_type, parameters, run, status, current_stage, total_stages, result, error,
       cancel_requested, resumes, work_removed_at, created_at, started_at, finished_at, updated_at,
       clock_timestamp() AS read_at
FROM app.jobs
WHERE (%(job_ids)s::text[] IS NULL OR job_id = ANY(%(job_ids)s))
  AND (%(statuses)s::text[] IS NULL OR status = ANY(%(statuses)s))
  AND (%(job_type)s::text IS NULL OR job_type = %(job_type)s)
  AND (%(after_time)s::timestamptz IS NULL
       OR (created_at, job_id) < (%(after_time)s, %(after_id)s::text))
ORDER BY created_at DESC, job_id DESC
LIMIT %(limit)s

-- name: stages
SELECT job_id, stage, name, status, tasks_total, tasks_completed, tasks_failed, tasks_cancelled,
       started_at, finished_at
FROM app.job_stages
WHERE job_id = ANY(%(job_ids)s)
ORDER BY job_id, stage

-- name: in_key_order
-- For what reads tasks, to the end of the transaction: the planner takes a stage that was just
-- planned for a small one, and would read all of it to sort it.
SET LOCAL enable_sort = off;
SET LOCAL enable_bitmapscan = off

-- name: tasks
-- A page of tasks in the order of stage and index, which is that of the primary key.
-- A queued_at of -infinity marks a message to send again.
SELECT t.stage, s.name AS stage_name, t.task_index, t.task_type, t.status, t.attempt,
       t.parameters, t.result, t.error, nullif(t.queued_at, '-infinity') AS queued_at,
       t.started_at, t.finished_at, t.lease_expires_at
FROM (
    SELECT * FROM app.tasks
    WHERE job_id = %(job_id)s
      AND (stage, task_index) > (%(after_stage)s::integer, %(after_index)s::integer)
      AND stage <= %(last_stage)s::integer
    ORDER BY stage, task_index
    LIMIT %(limit)s
) AS t
JOIN app.job_stages AS s USING (job_id, stage)
ORDER BY t.stage, t.task_index

-- name: failed_tasks
-- As `tasks`, of those that failed: by a table of their own, and so without a look at the others.
SELECT t.stage, s.name AS stage_name, t.task_index, t.task_type, t.status, t.attempt,
       t.parameters, t.result, t.error, nullif(t.queued_at, '-infinity') AS queued_at,
       t.started_at, t.finished_at, t.lease_expires_at
FROM (
    SELECT job_id, stage, task_index FROM app.failed_tasks
    WHERE job_id = %(job_id)s
      AND (%(cause)s::text IS NULL OR fingerprint = %(cause)s)
      AND (stage, task_index) > (%(after_stage)s::integer, %(after_index)s::integer)
      AND stage <= %(last_stage)s::integer
    ORDER BY stage, task_index
    LIMIT %(limit)s
) AS f
JOIN app.tasks AS t USING (job_id, stage, task_index)
JOIN app.job_stages AS s USING (job_id, stage)
ORDER BY t.stage, t.task_index

-- name: task
SELECT t.stage, s.name AS stage_name, t.task_index, t.task_type, t.status, t.attempt,
       t.parameters, t.result, t.error, nullif(t.queued_at, '-infinity') AS queued_at,
       t.started_at, t.finished_at, t.lease_expires_at, t.not_before, t.attempts_before,
       s.max_attempts, s.tasks_total
FROM app.tasks AS t JOIN app.job_stages AS s USING (job_id, stage)
WHERE t.job_id = %(job_id)s AND t.stage = %(stage)s AND t.task_index = %(task_index)s

-- name: numbered
-- The tasks of one index, one of each stage that has so many.
SELECT t.stage, s.name AS stage_name, t.task_index, t.task_type, t.status, t.attempt,
       t.parameters, t.result, t.error, nullif(t.queued_at, '-infinity') AS queued_at,
       t.started_at, t.finished_at, t.lease_expires_at
FROM app.job_stages AS s JOIN app.tasks AS t USING (job_id, stage)
WHERE s.job_id = %(job_id)s AND t.task_index = %(task_index)s
  AND s.stage BETWEEN %(first_stage)s AND %(last_stage)s
ORDER BY t.stage

-- name: window
-- The next so many tasks, and the first of those among them that match: in this state, and with
-- this text in their parameters, result or error. Which tasks these are is read from the key
-- alone, and no row beyond the last match that is wanted: results may be long. What is hidden of
-- an address where it is shown (app.without_secrets) cannot be found either; it is only looked
-- for where the text is there at all.
WITH seen AS MATERIALIZED (
    SELECT stage, task_index FROM app.tasks
    WHERE job_id = %(job_id)s
      AND (stage, task_index) > (%(after_stage)s::integer, %(after_index)s::integer)
      AND stage <= %(last_stage)s::integer
    ORDER BY stage, task_index
    LIMIT %(size)s
), last AS MATERIALIZED (
    SELECT count(*) AS seen, max(stage) AS stage,
           (array_agg(task_index ORDER BY stage DESC, task_index DESC))[1] AS task_index
    FROM seen
)
SELECT last.seen, last.stage AS last_stage, last.task_index AS last_index, found.*
FROM last
LEFT JOIN LATERAL (
    SELECT t.stage, s.name AS stage_name, t.task_index, t.task_type, t.status, t.attempt,
           t.parameters, t.result, t.error, nullif(t.queued_at, '-infinity') AS queued_at,
           t.started_at, t.finished_at, t.lease_expires_at
    FROM app.tasks AS t
    JOIN app.job_stages AS s USING (job_id, stage)
    WHERE t.job_id = %(job_id)s
      AND (t.stage, t.task_index) > (%(after_stage)s::integer, %(after_index)s::integer)
      AND (t.stage, t.task_index) <= (last.stage, last.task_index)
      AND (%(status)s::text IS NULL OR t.status = %(status)s)
      AND (%(text)s::text IS NULL OR EXISTS (
          SELECT FROM (VALUES (t.parameters), (t.result), (t.error)) AS part (value)
          WHERE CASE WHEN position(%(text)s IN lower(part.value::text)) > 0
                     THEN position(%(text)s IN lower(app.without_secrets(part.value))) > 0
                     ELSE false END))
    ORDER BY t.stage, t.task_index
    LIMIT %(most)s
) AS found ON true
ORDER BY found.stage, found.task_index

-- name: window_start
-- Behind the tasks that were sent last: what is queued or running is near them.
SELECT stage, next_index FROM app.job_stages
WHERE job_id = %(job_id)s AND stage BETWEEN %(first_stage)s AND %(last_stage)s
  AND status = 'running' AND in_flight > 0
ORDER BY stage
LIMIT 1

-- name: stage_plans
-- How the stages of a job are run, and how much of each is under way.
SELECT stage, queue, max_parallel, in_flight, planned_at, done_at
FROM app.job_stages
WHERE job_id = %(job_id)s
ORDER BY stage

-- name: pipeline_step
-- The run of a pipeline that a job is part of.
SELECT j.run_id, j.step_id, r.name AS pipeline, r.version
FROM app.pipeline_step_jobs AS j JOIN app.pipeline_runs AS r USING (run_id)
WHERE j.job_id = %(job_id)s
