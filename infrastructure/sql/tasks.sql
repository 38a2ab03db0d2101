-- Queries on app.tasks and on the counters of one stage.
-- Those that settle, send or reopen tasks run under the stage's advisory lock; `claim` and
-- `renew` do not: they touch only rows, and (task, attempt) fences what they do.
-- Beside "task_index = ANY(array)" stands the array's range, and rows are found again by ctid:
-- so the plans stay index and tid scans even while the statistics do not know yet that a
-- stage of a million tasks was just planned.

-- name: stage
SELECT * FROM app.job_stages WHERE job_id = %(job_id)s AND stage = %(stage)s;

-- name: stages
SELECT * FROM app.job_stages WHERE job_id = %(job_id)s ORDER BY stage;

-- name: copy
COPY app.tasks (job_id, stage, task_index, task_type, parameters) FROM STDIN;

-- name: planned
UPDATE app.job_stages
SET tasks_total = %(total)s, planned_at = now(), updated_at = now()
WHERE job_id = %(job_id)s AND stage = %(stage)s AND planned_at IS NULL;

-- name: open_stage
UPDATE app.job_stages
SET status = 'running', started_at = coalesce(started_at, now()), updated_at = now()
WHERE job_id = %(job_id)s AND stage = %(stage)s AND status = 'pending';

-- name: next_in_window
-- The next pending tasks for which the window has room.
SELECT t.task_index
FROM app.tasks t
WHERE t.job_id = %(job_id)s AND t.stage = %(stage)s AND t.task_index >= %(next_index)s
  AND t.status = 'pending' AND t.not_before IS NULL
ORDER BY t.task_index
LIMIT %(room)s;

-- name: enqueue
UPDATE app.tasks
SET status = 'queued', queued_at = now()
WHERE job_id = %(job_id)s AND stage = %(stage)s
  AND task_index BETWEEN %(first)s AND %(last)s AND task_index = ANY(%(indexes)s);

-- name: widen
UPDATE app.job_stages
SET in_flight = in_flight + %(sent)s, next_index = %(next_index)s
WHERE job_id = %(job_id)s AND stage = %(stage)s;

-- name: claim
-- A task goes to one worker: queued, due for its retry, or left by a worker that died.
WITH stage AS (
    SELECT lease_seconds, max_attempts
    FROM app.job_stages
    WHERE job_id = %(job_id)s AND stage = %(stage)s AND status = 'running' AND NOT stopping
), claimable AS (
    SELECT t.ctid
    FROM app.tasks t, stage
    WHERE t.job_id = %(job_id)s AND t.stage = %(stage)s
      AND t.task_index BETWEEN %(first)s AND %(last)s AND t.task_index = ANY(%(indexes)s)
      AND (t.status = 'queued'
           OR (t.status = 'pending' AND t.not_before <= now() + interval '1 second')
           OR (t.status = 'running' AND t.lease_expires_at < now()
               AND t.attempt - t.attempts_before < stage.max_attempts))
    ORDER BY t.task_index
    FOR UPDATE OF t SKIP LOCKED
)
UPDATE app.tasks t
SET status = 'running', attempt = t.attempt + 1, started_at = now(), not_before = NULL,
    lease_expires_at = now() + make_interval(secs => stage.lease_seconds)
FROM stage
WHERE t.ctid = ANY(ARRAY(SELECT ctid FROM claimable))
RETURNING t.task_index, t.attempt, t.attempts_before, t.parameters;

-- name: renew
-- The leases still held, and whether their tasks should stop.
UPDATE app.tasks t
SET lease_expires_at = now() + make_interval(secs => s.lease_seconds)
FROM app.job_stages s
WHERE t.job_id = %(job_id)s AND t.stage = %(stage)s
  AND t.task_index BETWEEN %(first)s AND %(last)s AND t.task_index = ANY(%(indexes)s)
  AND t.status = 'running'
  AND (t.task_index, t.attempt) IN (SELECT * FROM unnest(%(indexes)s::int[], %(attempts)s::int[]))
  AND s.job_id = t.job_id AND s.stage = t.stage
RETURNING t.task_index, s.stopping;

-- name: no_nested_loops
-- For `settle`, to the end of the transaction. The planner takes the rows that are running
-- for one or none, and would compare each of them with every outcome.
SET LOCAL enable_nestloop = off;

-- name: settle
-- Write outcomes, each only for the attempt that it belongs to and only while that runs.
WITH outcome AS (
    SELECT * FROM unnest(
        %(indexes)s::int[], %(attempts)s::int[], %(statuses)s::text[],
        %(results)s::jsonb[], %(errors)s::jsonb[], %(retry_in)s::float8[]
    ) AS o (task_index, attempt, status, result, error, retry_in)
)
UPDATE app.tasks t
SET status = o.status, result = o.result, error = o.error, lease_expires_at = NULL,
    not_before = now() + make_interval(secs => o.retry_in),
    finished_at = CASE WHEN o.status <> 'pending' THEN now() END
FROM outcome o
WHERE t.job_id = %(job_id)s AND t.stage = %(stage)s
  AND t.task_index BETWEEN %(first)s AND %(last)s AND t.task_index = ANY(%(indexes)s)
  AND t.task_index = o.task_index AND t.attempt = o.attempt AND t.status = 'running'
RETURNING t.task_index, t.status, o.retry_in;

-- name: count
UPDATE app.job_stages
SET tasks_completed = tasks_completed + %(completed)s,
    tasks_failed = tasks_failed + %(failed)s,
    tasks_cancelled = tasks_cancelled + %(cancelled)s,
    in_flight = in_flight - %(left_window)s,
    updated_at = now()
WHERE job_id = %(job_id)s AND stage = %(stage)s
RETURNING *;

-- name: stop
UPDATE app.job_stages
SET stopping = true, updated_at = now()
WHERE job_id = %(job_id)s AND stage = %(stage)s AND status = 'running';

-- name: stop_running_stages
-- A cancel shows at once to every claim and every renewal; the tasks follow.
UPDATE app.job_stages
SET stopping = true, updated_at = now()
WHERE job_id = %(job_id)s AND status = 'running'
RETURNING stage;

-- name: cancel_waiting
-- All that has not begun. queued_at tells which of them held a place in the window.
WITH cancelled AS (
    UPDATE app.tasks
    SET status = 'cancelled', not_before = NULL, finished_at = now()
    WHERE job_id = %(job_id)s AND stage = %(stage)s AND status IN ('pending', 'queued')
    RETURNING queued_at
)
SELECT count(*) AS cancelled, count(queued_at) AS left_window FROM cancelled;

-- name: abandon_running
-- At the end of a job that failed outside its tasks: whoever still runs one has lost it.
WITH cancelled AS (
    UPDATE app.tasks
    SET status = 'cancelled', lease_expires_at = NULL, finished_at = now()
    WHERE job_id = %(job_id)s AND stage = %(stage)s AND status = 'running'
    RETURNING 1
)
SELECT count(*) AS cancelled, count(*) AS left_window FROM cancelled;

-- name: mark_done
-- Returns a row to the one transaction that brought the stage to zero.
UPDATE app.job_stages
SET done_at = now(), updated_at = now()
WHERE job_id = %(job_id)s AND stage = %(stage)s
  AND planned_at IS NOT NULL AND done_at IS NULL
  AND tasks_completed + tasks_failed + tasks_cancelled = tasks_total
RETURNING done_at;

-- name: close
UPDATE app.job_stages
SET status = %(status)s, finished_at = now(), updated_at = now()
WHERE job_id = %(job_id)s AND stage = %(stage)s AND status = 'running';

-- name: audit
-- The ledger's own counts, taken once when a stage closes.
SELECT count(*) AS total,
       count(*) FILTER (WHERE status = 'completed') AS completed,
       count(*) FILTER (WHERE status = 'failed') AS failed,
       count(*) FILTER (WHERE status = 'cancelled') AS cancelled
FROM app.tasks WHERE job_id = %(job_id)s AND stage = %(stage)s;

-- name: first_failure
SELECT task_index, error FROM app.tasks
WHERE job_id = %(job_id)s AND stage = %(stage)s AND status = 'failed'
ORDER BY task_index LIMIT 1;

-- name: results
SELECT task_index, parameters, coalesce(result, '{}'::jsonb) AS result
FROM app.tasks
WHERE job_id = %(job_id)s AND stage = %(stage)s AND status = 'completed'
  AND task_index > %(after)s
ORDER BY task_index LIMIT %(limit)s;

-- name: reopen_stage
-- Failed, cancelled and lost tasks go back to pending; what is completed stays.
WITH reopened AS (
    UPDATE app.tasks
    SET status = 'pending', attempts_before = attempt, not_before = NULL, queued_at = NULL,
        lease_expires_at = NULL, finished_at = NULL, error = NULL, resends = 0
    WHERE job_id = %(job_id)s AND stage = %(stage)s AND status <> 'completed'
    RETURNING 1
)
UPDATE app.job_stages
SET status = 'pending', stopping = false, tasks_failed = 0, tasks_cancelled = 0,
    in_flight = 0, next_index = 0, done_at = NULL, finished_at = NULL, updated_at = now()
WHERE job_id = %(job_id)s AND stage = %(stage)s
RETURNING (SELECT count(*) FROM reopened) AS reopened;

-- name: forget_tasks_after
-- Later stages are planned anew from the results that a resumed stage will have.
DELETE FROM app.tasks WHERE job_id = %(job_id)s AND stage > %(stage)s;

-- name: forget_stages_after
UPDATE app.job_stages
SET status = 'pending', stopping = false, tasks_total = NULL, tasks_completed = 0,
    tasks_failed = 0, tasks_cancelled = 0, in_flight = 0, next_index = 0,
    planned_at = NULL, started_at = NULL, done_at = NULL, finished_at = NULL,
    updated_at = now()
WHERE job_id = %(job_id)s AND stage > %(stage)s;
