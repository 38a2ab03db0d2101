-- Queries on app.jobs and on the stages as a whole.

-- name: insert
-- Nothing is returned where the job exists already.
INSERT INTO app.jobs (job_id, job_type, parameters, submission_key, run, total_stages)
VALUES (%(job_id)s, %(job_type)s, %(parameters)s, %(submission_key)s, %(run)s, %(total_stages)s)
ON CONFLICT (job_id) DO NOTHING
RETURNING job_id;

-- name: insert_stage
INSERT INTO app.job_stages (job_id, stage, name, queue, max_parallel, tasks_per_message,
                            max_attempts, lease_seconds, max_failed_share, stop_early)
VALUES (%(job_id)s, %(stage)s, %(name)s, %(queue)s, %(max_parallel)s, %(tasks_per_message)s,
        %(max_attempts)s, %(lease_seconds)s, %(max_failed_share)s, %(stop_early)s);

-- name: next_run
SELECT coalesce(max(run) + 1, 0) AS run
FROM app.jobs WHERE submission_key = %(submission_key)s;

-- name: get
SELECT job_id, job_type, parameters, run, status, current_stage, total_stages, result, error,
       cancel_requested, resumes, work_removed_at, created_at, started_at, finished_at, updated_at
FROM app.jobs WHERE job_id = %(job_id)s;

-- name: lock
-- Whoever changes the job and its stages takes the job's row first. NO KEY: a row that refers to the
-- job, as the first of a stage's cost, is written under the stage's lock, which comes after this.
SELECT status FROM app.jobs WHERE job_id = %(job_id)s FOR NO KEY UPDATE;

-- name: begin
UPDATE app.jobs
SET status = 'running', started_at = coalesce(started_at, now()), updated_at = now()
WHERE job_id = %(job_id)s AND status = 'queued';

-- name: enter_stage
-- A new stage is progress, and forgives earlier restarts; planning the same one again is not.
UPDATE app.jobs
SET restarts = CASE WHEN current_stage = %(stage)s THEN restarts ELSE 0 END,
    current_stage = %(stage)s, updated_at = now()
WHERE job_id = %(job_id)s AND status IN ('queued', 'running');

-- name: finish
-- The guard on status is what makes a job reach one terminal state, once.
UPDATE app.jobs
SET status = %(status)s, result = %(result)s, error = %(error)s,
    finished_at = now(), updated_at = now(), started_at = coalesce(started_at, now())
WHERE job_id = %(job_id)s AND status IN ('queued', 'running') AND resumes = %(resumes)s
RETURNING job_id;

-- name: close_open_stages
-- At the end of a job, the stages that it will not run any more.
UPDATE app.job_stages
SET status = %(status)s, stopping = true, finished_at = now(), updated_at = now()
WHERE job_id = %(job_id)s AND status IN ('pending', 'running') AND started_at IS NOT NULL;

-- name: request_cancel
UPDATE app.jobs
SET cancel_requested = true, updated_at = now()
WHERE job_id = %(job_id)s AND status IN ('queued', 'running')
RETURNING job_id;

-- name: reopen
UPDATE app.jobs
SET status = 'queued', cancel_requested = false, restarts = 0, resumes = resumes + 1, result = NULL, error = NULL,
    current_stage = %(stage)s, finished_at = NULL, work_removed_at = NULL, updated_at = now()
WHERE job_id = %(job_id)s;

-- name: active
-- Jobs that should have an orchestration at work. Young ones may still be starting.
SELECT job_id
FROM app.jobs
WHERE status IN ('queued', 'running')
  AND updated_at < now() - make_interval(secs => %(older_than_seconds)s)
ORDER BY created_at;

-- name: count_restart
UPDATE app.jobs SET restarts = restarts + 1, updated_at = now()
WHERE job_id = %(job_id)s AND status IN ('queued', 'running')
RETURNING restarts;

-- name: work_to_remove
-- Ended jobs whose files between stages are still there; resumable ones keep them a day.
SELECT job_id FROM app.jobs
WHERE work_removed_at IS NULL
  AND (status = 'completed' OR finished_at < now() - interval '1 day')
  AND finished_at IS NOT NULL
ORDER BY finished_at LIMIT 100;

-- name: mark_work_removed
-- Before the files go: from here on the job cannot be resumed. One that was is left alone.
UPDATE app.jobs SET work_removed_at = now()
WHERE job_id = %(job_id)s AND status NOT IN ('queued', 'running')
RETURNING job_id;

-- name: unmark_work_removed
UPDATE app.jobs SET work_removed_at = NULL WHERE job_id = %(job_id)s;

-- name: insert_dead_letter
INSERT INTO app.dead_letters (queue, message_id, reason, description, job_id, body)
VALUES (%(queue)s, %(message_id)s, %(reason)s, %(description)s, %(job_id)s, %(body)s);
