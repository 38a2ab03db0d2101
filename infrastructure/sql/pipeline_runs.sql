-- Runs of pipelines, their steps, and the jobs of a step.

-- name: insert
-- Nothing is returned where the run exists already.
INSERT INTO app.pipeline_runs (run_id, name, version, inputs, began_by, due_at, request_id,
                               status, error, finished_at)
VALUES (%(run_id)s, %(name)s, %(version)s, %(inputs)s, %(began_by)s, %(due_at)s, %(request_id)s,
        %(status)s, %(error)s, CASE WHEN %(status)s = 'failed' THEN now() END)
ON CONFLICT DO NOTHING
RETURNING run_id;

-- name: insert_step
INSERT INTO app.pipeline_steps (run_id, step_id, position, status, reason, finished_at)
VALUES (%(run_id)s, %(step_id)s, %(position)s, %(status)s, %(reason)s,
        CASE WHEN %(status)s = 'skipped' THEN now() END);

-- name: document
-- Of deleted pipelines as well: their runs go on.
SELECT document FROM app.pipeline_versions WHERE name = %(name)s AND version = %(version)s;

-- name: get
SELECT run_id, name, version, inputs, began_by, due_at, status, error, cancel_requested, resumes,
       turn, created_at, finished_at, clock_timestamp() AS read_at
FROM app.pipeline_runs WHERE run_id = %(run_id)s;

-- name: lock
-- Whoever changes a run, its steps or their jobs takes the run's row first.
SELECT run_id FROM app.pipeline_runs WHERE run_id = %(run_id)s FOR UPDATE;

-- name: steps
-- Of those that have succeeded nothing is read that may be long.
SELECT step_id, status, reason, items_total, error, decision, deadline,
       CASE WHEN NOT has_succeeded THEN items END AS items,
       CASE WHEN NOT has_succeeded THEN outputs END AS outputs
FROM app.pipeline_steps,
     LATERAL (SELECT status IN ('completed', 'completed_with_errors') AS has_succeeded) AS its_end
WHERE run_id = %(run_id)s ORDER BY position;

-- name: outputs
SELECT step_id, outputs FROM app.pipeline_steps
WHERE run_id = %(run_id)s AND step_id = ANY (%(step_ids)s);

-- name: jobs
-- The newest attempt of each item, as its job is now; not those of several items that have all
-- been done.
SELECT DISTINCT ON (s.step_id, s.item_index)
       s.step_id, s.item_index, s.attempt, s.job_id, s.seen, s.round,
       j.status, j.cancel_requested, j.submission_key
FROM app.pipeline_steps p
JOIN app.pipeline_step_jobs s USING (run_id, step_id)
JOIN app.jobs j USING (job_id)
WHERE p.run_id = %(run_id)s
  AND NOT (p.status IN ('completed', 'completed_with_errors') AND p.items IS NOT NULL)
ORDER BY s.step_id, s.item_index, s.attempt DESC;

-- name: ends
-- What came of jobs that have ended.
SELECT job_id, result, error FROM app.jobs WHERE job_id = ANY (%(job_ids)s);

-- name: save_step
-- The guard on status is what makes a step that has succeeded stay as it is.
UPDATE app.pipeline_steps
SET status = %(status)s, reason = %(reason)s, items = %(items)s, items_total = %(items_total)s,
    outputs = %(outputs)s, error = %(error)s, decision = %(decision)s, deadline = %(deadline)s,
    started_at = CASE WHEN %(begins)s THEN clock_timestamp()
                      WHEN %(status)s = 'pending' THEN NULL
                      ELSE started_at END,
    finished_at = CASE WHEN %(ended)s THEN coalesce(finished_at, clock_timestamp()) END
WHERE run_id = %(run_id)s AND step_id = %(step_id)s
  AND status NOT IN ('completed', 'completed_with_errors');

-- name: add_job
INSERT INTO app.pipeline_step_jobs (run_id, step_id, item_index, attempt, job_id, round, seen)
VALUES (%(run_id)s, %(step_id)s, %(item_index)s, %(attempt)s, %(job_id)s, %(round)s, 'queued');

-- name: mark_job
UPDATE app.pipeline_step_jobs SET round = %(round)s, seen = %(seen)s WHERE job_id = %(job_id)s;

-- name: take_turn
-- The run was looked at. Progress forgives earlier restarts of its orchestration.
UPDATE app.pipeline_runs
SET turn = turn + 1, has_news = false, updated_at = now(),
    restarts = CASE WHEN %(progress)s THEN 0 ELSE restarts END,
    status = CASE WHEN status = 'queued' THEN 'running' ELSE status END,
    started_at = coalesce(started_at, now())
WHERE run_id = %(run_id)s
RETURNING turn;

-- name: finish
-- The guard on status is what makes a run reach one terminal state, once.
UPDATE app.pipeline_runs
SET status = %(status)s, error = %(error)s, finished_at = now(), updated_at = now(),
    started_at = coalesce(started_at, now()), has_news = false
WHERE run_id = %(run_id)s AND status IN ('queued', 'running')
RETURNING run_id;

-- name: request_cancel
UPDATE app.pipeline_runs
SET cancel_requested = true, has_news = true, updated_at = now()
WHERE run_id = %(run_id)s AND status IN ('queued', 'running')
RETURNING run_id;

-- name: note_news
UPDATE app.pipeline_runs SET has_news = true, updated_at = now() WHERE run_id = %(run_id)s;

-- name: reopen
UPDATE app.pipeline_runs
SET status = 'queued', cancel_requested = false, error = NULL, finished_at = NULL, restarts = 0,
    resumes = resumes + 1, has_news = true, updated_at = now()
WHERE run_id = %(run_id)s;

-- name: to_check
-- Runs that should have an orchestration at work. Young ones may still be starting, and one whose
-- row is locked is being seen to.
WITH chosen AS (
    SELECT r.run_id FROM app.pipeline_runs r
    WHERE r.status IN ('queued', 'running')
      AND r.updated_at < now() - make_interval(secs => %(older_than_seconds)s)
      AND (r.checked_at IS NULL
           OR r.checked_at < now() - make_interval(secs => %(idle_seconds)s)
           OR r.status = 'queued' OR r.has_news
           OR EXISTS (SELECT FROM app.pipeline_steps s
                      WHERE s.run_id = r.run_id AND s.status = 'running'))
    ORDER BY r.checked_at NULLS FIRST, r.created_at
    LIMIT %(limit)s
    FOR UPDATE OF r SKIP LOCKED
)
UPDATE app.pipeline_runs r SET checked_at = clock_timestamp()
FROM chosen WHERE r.run_id = chosen.run_id
RETURNING r.run_id;

-- name: unheard
-- Runs about which somebody should have told their orchestration a while ago: something was
-- decided by hand, a gate's time is over, a job has ended, or one that had failed goes on.
SELECT r.run_id
FROM app.pipeline_runs r
WHERE r.status IN ('queued', 'running')
  AND ((r.has_news AND r.updated_at < now() - make_interval(secs => %(older_than_seconds)s))
       OR EXISTS (
           SELECT FROM app.pipeline_steps s
           WHERE s.run_id = r.run_id AND s.status = 'awaiting_approval'
             AND s.deadline < now() - make_interval(secs => %(older_than_seconds)s))
       OR EXISTS (
           SELECT FROM app.pipeline_step_jobs c
           JOIN app.pipeline_steps s USING (run_id, step_id)
           JOIN app.jobs j USING (job_id)
           WHERE c.run_id = r.run_id AND s.status IN ('running', 'failed', 'cancelled')
             AND c.seen IS DISTINCT FROM j.status
             AND (j.finished_at < now() - make_interval(secs => %(older_than_seconds)s)
                  OR (c.seen IN ('failed', 'cancelled') AND j.status IN ('queued', 'running')))))
ORDER BY r.created_at;

-- name: count_restart
UPDATE app.pipeline_runs SET restarts = restarts + 1, updated_at = now()
WHERE run_id = %(run_id)s AND status IN ('queued', 'running')
RETURNING restarts;

-- name: news_of_job
-- Note that a job of a run has ended. Nothing is returned where no run waits for it, or where its
-- next turn is called for already: of a hundred jobs that end at once, one tells. A turn that is
-- being taken has not seen it; this waits for it, and then calls for another.
UPDATE app.pipeline_runs AS r
SET has_news = true, updated_at = now()
FROM app.pipeline_step_jobs c
WHERE c.job_id = %(job_id)s AND r.run_id = c.run_id
  AND r.status IN ('queued', 'running') AND NOT r.has_news
RETURNING r.run_id, r.turn;

-- name: turn
-- Under the row's lock: a turn that is being taken does not see what its reader is about to tell.
SELECT turn FROM app.pipeline_runs
WHERE run_id = %(run_id)s AND status IN ('queued', 'running') FOR UPDATE;

-- name: schedules
-- The newest versions that have a schedule, with what keeps them from being run.
SELECT p.name, p.version, p.schedule_from, v.document -> 'schedule' AS schedule,
       jsonb_array_length(v.problems) AS problems
FROM app.pipelines p JOIN app.pipeline_versions v USING (name, version)
WHERE p.deleted_at IS NULL AND json_typeof(v.document -> 'schedule') = 'object'
ORDER BY p.name;

-- name: due_already
-- Which of some due times have their run.
SELECT r.name
FROM unnest(%(names)s::text[], %(due_times)s::timestamptz[]) AS due (name, due_at)
JOIN app.pipeline_runs r USING (name, due_at);

-- name: pull_back
-- Pipelines that were given their schedule while the clock was ahead: nothing of theirs would
-- fall due until it is there again.
UPDATE app.pipelines SET schedule_from = %(now)s
WHERE schedule_from > %(now)s
RETURNING name;
