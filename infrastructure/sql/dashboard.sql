-- Jobs as the dashboard shows them: without parameters and results, which may be large.
-- A filter that is not given is null; the queries are planned anew each time, so that such a filter
-- is not there for the planner either.

-- name: summary
-- What is going on now, and what ended within the last day: each out of an index alone.
SELECT active.running, active.queued, ended.*
FROM (
    SELECT count(*) FILTER (WHERE status = 'running') AS running,
           count(*) FILTER (WHERE status = 'queued') AS queued
    FROM app.jobs
    WHERE status IN ('queued', 'running')
) AS active
CROSS JOIN (
    SELECT count(*) FILTER (WHERE status = 'completed') AS completed,
           count(*) FILTER (WHERE status = 'completed_with_errors') AS completed_with_errors,
           count(*) FILTER (WHERE status = 'failed') AS failed,
           count(*) FILTER (WHERE status = 'cancelled') AS cancelled
    FROM app.jobs
    WHERE finished_at > now() - interval '24 hours'
) AS ended

-- name: ended
-- The jobs that ended last.
SELECT job_id, job_type, run, status, current_stage, total_stages, cancel_requested, resumes,
       created_at, started_at, finished_at, updated_at, clock_timestamp() AS read_at
FROM app.jobs
WHERE finished_at IS NOT NULL
  AND (%(job_type)s::text IS NULL OR job_type = %(job_type)s)
ORDER BY finished_at DESC
LIMIT %(limit)s

-- name: matching
-- A page of jobs of a status, of a type, with a text: newest first, after the job (created_at,
-- job_id). A text is looked for in the next `most` jobs only, so that the search of something that
-- is nowhere ends, and in what is shown of their parameters; `last_candidate` is the last of them, where the
-- next page begins.
-- The inner limit is what bounds it: nothing of what stands outside is tried on other jobs.
SELECT job_id, job_type, run, status, current_stage, total_stages, cancel_requested, resumes,
       created_at, started_at, finished_at, updated_at, clock_timestamp() AS read_at
FROM (
    SELECT *
    FROM app.jobs
    WHERE (%(status)s::text IS NULL OR status = %(status)s)
      AND (%(job_type)s::text IS NULL OR job_type = %(job_type)s)
      AND (%(after_time)s::timestamptz IS NULL
           OR (created_at, job_id) < (%(after_time)s, %(after_id)s::text))
    ORDER BY created_at DESC, job_id DESC
    LIMIT %(most)s
) AS candidate
WHERE %(text)s::text IS NULL
   OR job_id LIKE %(prefix)s
   OR job_type ILIKE %(pattern)s
   OR app.without_secrets(parameters) ILIKE %(pattern)s
   OR error ->> 'message' ILIKE %(pattern)s
ORDER BY created_at DESC, job_id DESC
LIMIT %(limit)s

-- name: last_candidate
-- Where a search of `most` jobs ended; no row where there were fewer.
SELECT job_id, created_at
FROM app.jobs
WHERE (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(job_type)s::text IS NULL OR job_type = %(job_type)s)
  AND (%(after_time)s::timestamptz IS NULL
       OR (created_at, job_id) < (%(after_time)s, %(after_id)s::text))
ORDER BY created_at DESC, job_id DESC
OFFSET %(most)s - 1
LIMIT 1

-- name: reasons
-- Why each of the jobs failed.
SELECT job_id, error ->> 'message' AS message
FROM app.jobs
WHERE job_id = ANY(%(job_ids)s) AND error IS NOT NULL

-- name: series
-- The newest snapshots of each job, reduced to what rates are made of, oldest first.
SELECT wanted.job_id, latest.at, latest.stage, latest.ended
FROM unnest(%(job_ids)s::text[]) AS wanted (job_id)
CROSS JOIN LATERAL (
    SELECT "timestamp" AS at,
           (payload #>> '{progress,stage}')::integer AS stage,
           (payload #>> '{progress,tasks_completed}')::integer
               + (payload #>> '{progress,tasks_failed}')::integer AS ended
    FROM app.job_metrics
    WHERE job_id = wanted.job_id AND metric_type = 'snapshot'
    ORDER BY "timestamp" DESC
    LIMIT %(per_job)s
) AS latest
ORDER BY wanted.job_id, latest.at

-- name: events
-- The newest events of all jobs, with the type of job that each belongs to.
SELECT m.id, m.job_id, m."timestamp", m.metric_type, m.payload, j.job_type
FROM (
    SELECT *
    FROM app.job_metrics
    WHERE metric_type IN ('event', 'error')
    ORDER BY id DESC
    LIMIT %(most)s
) AS m
JOIN app.jobs AS j USING (job_id)
WHERE (%(job_type)s::text IS NULL OR j.job_type = %(job_type)s)
ORDER BY m.id DESC
LIMIT %(limit)s
