-- The failed tasks of a job, and what they failed with: each cause once.
-- Written under the stage's advisory lock, in the transaction that settles the tasks.

-- name: record
-- A stage has so many causes at most; what comes beyond them is told apart by its code alone.
WITH failure AS (
    SELECT o.task_index, coalesce(o.error->>'code', 'failed') AS code,
           left(coalesce(o.error->>'message', ''), 2000) AS message
    FROM unnest(%(indexes)s::int[], %(errors)s::jsonb[]) AS o (task_index, error)
), known AS MATERIALIZED (
    SELECT fingerprint FROM app.error_groups
    WHERE job_id = %(job_id)s AND stage = %(stage)s
), marked AS MATERIALIZED (
    -- Once for each message, however many tasks failed with it.
    SELECT code, message, app.error_fingerprint(code, message) AS cause,
           app.error_fingerprint(code, '') AS kind
    FROM (SELECT DISTINCT code, message FROM failure) AS f
), filed AS (
    SELECT f.task_index, f.code, f.message,
           CASE WHEN m.cause IN (SELECT fingerprint FROM known)
                     OR (SELECT count(*) FROM known) < %(most)s
                THEN m.cause ELSE m.kind END AS fingerprint
    FROM failure AS f JOIN marked AS m USING (code, message)
), entered AS (
    -- Not what is there already: a version of the app before these tables puts tasks back and
    -- takes none out. Such a task stays under the cause that it has, and is counted once.
    INSERT INTO app.failed_tasks (job_id, stage, task_index, fingerprint)
    SELECT %(job_id)s, %(stage)s, task_index, fingerprint FROM filed
    ON CONFLICT DO NOTHING
    RETURNING task_index
)
INSERT INTO app.error_groups AS g
    (job_id, stage, fingerprint, code, message, task_index, tasks, first_at, last_at)
SELECT %(job_id)s, %(stage)s, fingerprint, (array_agg(code ORDER BY task_index))[1],
       (array_agg(message ORDER BY task_index))[1], min(task_index), count(*), now(), now()
FROM filed JOIN entered USING (task_index)
GROUP BY fingerprint
ON CONFLICT (job_id, stage, fingerprint) DO UPDATE
SET tasks = g.tasks + excluded.tasks, last_at = excluded.last_at;

-- name: missing
-- Failed tasks of a stage that are not entered.
SELECT t.task_index, t.attempt, t.error
FROM app.tasks AS t
WHERE t.job_id = %(job_id)s AND t.stage = %(stage)s AND t.status = 'failed'
  AND NOT EXISTS (SELECT FROM app.failed_tasks AS f
                  WHERE (f.job_id, f.stage, f.task_index) = (t.job_id, t.stage, t.task_index))
ORDER BY t.task_index
LIMIT %(limit)s;

-- name: count
SELECT count(*) AS tasks FROM app.failed_tasks WHERE job_id = %(job_id)s AND stage = %(stage)s;

-- name: forget_tasks
-- The stage's tasks, and those of the stages behind it, are put back.
DELETE FROM app.failed_tasks WHERE job_id = %(job_id)s AND stage >= %(stage)s;

-- name: forget_groups
DELETE FROM app.error_groups WHERE job_id = %(job_id)s AND stage >= %(stage)s;

-- name: groups
-- The causes of a job's failures, the most frequent first, after the one of the cursor.
SELECT g.fingerprint, g.code, g.message, g.stage, s.name AS stage_name, g.tasks AS count,
       g.task_index, t.parameters, g.first_at, g.last_at
FROM app.error_groups AS g
JOIN app.job_stages AS s USING (job_id, stage)
LEFT JOIN app.tasks AS t USING (job_id, stage, task_index)
WHERE g.job_id = %(job_id)s
  AND (%(after_count)s::integer IS NULL
       OR (-g.tasks, g.stage, g.fingerprint)
          > (-%(after_count)s::integer, %(after_stage)s::integer, %(after)s::text))
ORDER BY -g.tasks, g.stage, g.fingerprint
LIMIT %(limit)s;

-- name: causes
-- How many causes there are.
SELECT count(*) AS causes FROM app.error_groups WHERE job_id = %(job_id)s;
