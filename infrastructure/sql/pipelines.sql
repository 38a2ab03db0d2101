-- The documents of pipelines: a row for each pipeline, and one for each version of it.

-- name: pipeline
-- One that was not deleted, with its newest version.
SELECT p.name, p.version AS latest_version, p.created_at, p.updated_at,
       v.version, v.document, v.problems, v.note, v.created_at AS saved_at
FROM app.pipelines AS p
JOIN app.pipeline_versions AS v ON v.name = p.name AND v.version = p.version
WHERE p.name = %(name)s AND p.deleted_at IS NULL

-- name: pipeline_for_update
-- As `pipeline`, and it stays so to the end of the transaction.
SELECT p.name, p.version AS latest_version, p.created_at, p.updated_at,
       v.version, v.document, v.problems, v.note, v.created_at AS saved_at
FROM app.pipelines AS p
JOIN app.pipeline_versions AS v ON v.name = p.name AND v.version = p.version
WHERE p.name = %(name)s AND p.deleted_at IS NULL
FOR UPDATE OF p

-- name: version
-- One version of a pipeline that was not deleted.
SELECT p.name, p.version AS latest_version, p.created_at, p.updated_at,
       v.version, v.document, v.problems, v.note, v.created_at AS saved_at
FROM app.pipelines AS p
JOIN app.pipeline_versions AS v ON v.name = p.name
WHERE p.name = %(name)s AND v.version = %(version)s AND p.deleted_at IS NULL

-- name: names
SELECT name FROM app.pipelines WHERE deleted_at IS NULL ORDER BY name LIMIT 1000

-- name: page
-- Pipelines by name. Of each document only what a list shows leaves the server.
SELECT p.name, p.version, p.created_at, p.updated_at,
       v.document ->> 'title' AS title, v.document ->> 'description' AS description,
       v.document -> 'schedule' AS schedule, json_array_length(v.document -> 'steps') AS steps,
       jsonb_array_length(v.problems) AS problems,
       ARRAY(SELECT DISTINCT step ->> 'job'
             FROM json_array_elements(v.document -> 'steps') AS step
             WHERE step ->> 'job' IS NOT NULL
             ORDER BY 1) AS job_types,
       r.run_id AS last_run_id, r.status AS last_run_status, r.created_at AS last_run_created_at,
       EXISTS (SELECT FROM app.pipeline_steps AS s
               WHERE s.run_id = r.run_id AND s.status = 'awaiting_approval') AS last_run_awaits,
       clock_timestamp() AS read_at
FROM app.pipelines AS p
JOIN app.pipeline_versions AS v ON v.name = p.name AND v.version = p.version
LEFT JOIN LATERAL (
    SELECT run_id, status, created_at
    FROM app.pipeline_runs
    WHERE name = p.name
    ORDER BY created_at DESC
    LIMIT 1
) AS r ON true
WHERE p.deleted_at IS NULL AND (%(after)s::text IS NULL OR p.name > %(after)s)
ORDER BY p.name
LIMIT %(limit)s

-- name: versions
-- Newest first, below the version `before`.
SELECT version, note, created_at, jsonb_array_length(problems) AS problems,
       json_array_length(document -> 'steps') AS steps
FROM app.pipeline_versions
WHERE name = %(name)s AND (%(before)s::integer IS NULL OR version < %(before)s)
ORDER BY version DESC
LIMIT %(limit)s

-- name: create
-- The next version of a name that is free: 1, or one more than a deleted pipeline of it had. No
-- row comes back where the name is taken.
INSERT INTO app.pipelines AS p (name, version)
VALUES (%(name)s, 1)
ON CONFLICT (name) DO UPDATE
    SET version = p.version + 1, schedule_from = now(), created_at = now(), updated_at = now(),
        deleted_at = NULL
    WHERE p.deleted_at IS NOT NULL
RETURNING version

-- name: advance
-- Count one version on. What fell due under another schedule is not made up for.
UPDATE app.pipelines
SET version = version + 1, updated_at = now(),
    schedule_from = CASE WHEN %(reschedule)s THEN now() ELSE schedule_from END
WHERE name = %(name)s AND deleted_at IS NULL
RETURNING version

-- name: insert_version
INSERT INTO app.pipeline_versions (name, version, document, problems, note)
VALUES (%(name)s, %(version)s, %(document)s, %(problems)s, %(note)s)

-- name: set_problems
WITH judged AS (
    UPDATE app.pipeline_versions
    SET problems = %(problems)s
    WHERE name = %(name)s AND version = %(version)s
)
UPDATE app.pipelines
SET schedule_from = now()
WHERE name = %(name)s AND %(reschedule)s

-- name: delete
UPDATE app.pipelines
SET deleted_at = now(), updated_at = now()
WHERE name = %(name)s AND deleted_at IS NULL

-- name: active_runs
SELECT run_id
FROM app.pipeline_runs
WHERE name = %(name)s AND status IN ('queued', 'running')
ORDER BY created_at
LIMIT 10
