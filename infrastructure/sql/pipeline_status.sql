-- Runs of pipelines as people see them: read-only, from counters; no query here counts tasks.

-- name: runs
-- A page of runs, newest first, after the run (created_at, run_id) of the cursor. What else is
-- shown of them is looked up for those of the page alone.
WITH page AS MATERIALIZED (
    SELECT r.run_id, r.name, r.version, r.status, r.began_by, r.due_at, r.error,
           r.cancel_requested, r.created_at, r.started_at, r.finished_at
    FROM app.pipeline_runs AS r
    WHERE (%(name)s::text IS NULL OR r.name = %(name)s)
      AND (%(status)s::text IS NULL OR r.status = %(status)s)
      AND (NOT %(awaiting)s
           OR (r.status IN ('queued', 'running')
               AND EXISTS (SELECT FROM app.pipeline_steps AS s
                           WHERE s.run_id = r.run_id AND s.status = 'awaiting_approval')))
      AND (%(after_time)s::timestamptz IS NULL
           OR (r.created_at, r.run_id) < (%(after_time)s, %(after_id)s::text))
    ORDER BY r.created_at DESC, r.run_id DESC
    LIMIT %(limit)s
)
SELECT page.*, v.document ->> 'title' AS title, steps.total AS steps_total,
       steps.ended AS steps_ended, steps.awaiting AS awaiting_approval
FROM page
JOIN app.pipeline_versions AS v USING (name, version)
CROSS JOIN LATERAL (
    SELECT count(*) AS total,
           count(*) FILTER (WHERE finished_at IS NOT NULL) AS ended,
           count(*) FILTER (WHERE status = 'awaiting_approval') > 0 AS awaiting
    FROM app.pipeline_steps
    WHERE run_id = page.run_id
) AS steps
ORDER BY page.created_at DESC, page.run_id DESC

-- name: run
SELECT r.run_id, r.name, r.version, r.inputs, r.began_by, r.due_at, r.status, r.error,
       r.cancel_requested, r.created_at, r.started_at, r.finished_at, v.document
FROM app.pipeline_runs AS r
JOIN app.pipeline_versions AS v USING (name, version)
WHERE r.run_id = %(run_id)s

-- name: steps
-- The steps of a run, or one. Outputs of more than `most_bytes` of JSON are left out: a run is
-- looked at again and again. What is long even as it is stored, compressed, is not unpacked for it.
SELECT step_id, status, reason, items_total, error, decision, deadline, started_at, finished_at,
       CASE WHEN size.fits THEN outputs END AS outputs,
       coalesce(NOT size.fits, false) AS outputs_left_out
FROM app.pipeline_steps
CROSS JOIN LATERAL (
    SELECT CASE WHEN pg_column_size(outputs) > %(most_bytes)s THEN false
                ELSE octet_length(outputs::text) <= %(most_bytes)s END AS fits
) AS size
WHERE run_id = %(run_id)s AND (%(step_id)s::text IS NULL OR step_id = %(step_id)s)
ORDER BY position

-- name: job_counts
-- How many jobs of each step are where, each item's last attempt counting.
SELECT l.step_id, count(*) AS jobs,
       count(*) FILTER (WHERE j.status IN ('completed', 'completed_with_errors')) AS completed,
       count(*) FILTER (WHERE j.status = 'failed') AS failed,
       count(*) FILTER (WHERE j.status = 'cancelled') AS cancelled,
       array_agg(j.job_id) FILTER (WHERE j.status IN ('queued', 'running', 'cancelled'))
           AS unfinished
FROM (
    SELECT DISTINCT ON (step_id, item_index) step_id, job_id
    FROM app.pipeline_step_jobs
    WHERE run_id = %(run_id)s AND (%(step_id)s::text IS NULL OR step_id = %(step_id)s)
    ORDER BY step_id, item_index, attempt DESC
) AS l
JOIN app.jobs AS j USING (job_id)
GROUP BY l.step_id

-- name: jobs
-- Jobs of each step in the order of its items, at most `limit` of a step, each item's last
-- attempt. `after` is for one step.
SELECT s.step_id, l.item_index, l.attempt, s.items -> l.item_index AS item, l.job_id,
       j.job_type, j.status, j.parameters, j.error,
       CASE WHEN j.status IN ('completed', 'completed_with_errors') THEN j.result END AS result,
       j.created_at, j.started_at, j.finished_at
FROM app.pipeline_steps AS s
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (item_index) item_index, attempt, job_id
    FROM app.pipeline_step_jobs
    WHERE run_id = s.run_id AND step_id = s.step_id
      AND (%(after)s::integer IS NULL OR item_index > %(after)s)
    ORDER BY item_index, attempt DESC
    LIMIT %(limit)s
) AS l
JOIN app.jobs AS j USING (job_id)
WHERE s.run_id = %(run_id)s AND (%(step_id)s::text IS NULL OR s.step_id = %(step_id)s)
ORDER BY s.position, l.item_index
