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

-- name: tasks
-- A page of tasks in the order of stage and index. Each stage is read in the order of its
-- primary key and no further than the page needs. Its counters say whether it can hold tasks
-- of the wanted status at all: without them, looking for the failed tasks of a large stage
-- that has none would read all of it. A queued_at of -infinity marks a message to send again.
SELECT s.stage, s.name AS stage_name, t.task_index, t.task_type, t.status, t.attempt,
       t.parameters, t.result, t.error, nullif(t.queued_at, '-infinity') AS queued_at,
       t.started_at, t.finished_at, t.lease_expires_at
FROM app.job_stages AS s
CROSS JOIN LATERAL (
    SELECT *
    FROM app.tasks AS t
    WHERE t.job_id = s.job_id AND t.stage = s.stage
      AND t.task_index > CASE WHEN s.stage = %(after_stage)s THEN %(after_index)s ELSE -1 END
      AND (%(status)s::text IS NULL OR t.status = %(status)s)
    ORDER BY t.task_index
    LIMIT %(limit)s
) AS t
WHERE s.job_id = %(job_id)s
  AND (%(stage)s::integer IS NULL OR s.stage = %(stage)s)
  AND s.stage >= coalesce(%(after_stage)s::integer, 0)
  AND (%(status)s::text IS NULL OR CASE %(status)s::text
          WHEN 'completed' THEN s.tasks_completed
          WHEN 'failed' THEN s.tasks_failed
          WHEN 'cancelled' THEN s.tasks_cancelled
          ELSE s.tasks_total - s.tasks_completed - s.tasks_failed - s.tasks_cancelled
      END > 0)
ORDER BY s.stage, t.task_index
LIMIT %(limit)s

-- name: summary
-- What is going on now, and what ended within the last day.
SELECT count(*) FILTER (WHERE status = 'running') AS running,
       count(*) FILTER (WHERE status = 'queued') AS queued,
       count(*) FILTER (WHERE status = 'completed') AS completed,
       count(*) FILTER (WHERE status = 'completed_with_errors') AS completed_with_errors,
       count(*) FILTER (WHERE status = 'failed') AS failed,
       count(*) FILTER (WHERE status = 'cancelled') AS cancelled
FROM app.jobs
WHERE status IN ('queued', 'running') OR finished_at > now() - interval '24 hours'
