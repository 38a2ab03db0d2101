-- What the reconciler looks for: work that a crash left without a message or a worker.

-- name: running_stages
-- A stage that ended a while ago and is still running was not heard of by its orchestrator.
SELECT s.job_id, s.stage, s.done_at IS NOT NULL AS is_done,
       coalesce(s.done_at < now() - interval '10 seconds', false) AS is_unheard
FROM app.job_stages s JOIN app.jobs j USING (job_id)
WHERE j.status IN ('queued', 'running') AND s.status = 'running' AND s.planned_at IS NOT NULL
ORDER BY j.created_at, s.stage;

-- name: needs_repair
-- A look without any lock, which is all that a healthy stage costs.
SELECT EXISTS (
    SELECT FROM app.tasks
    WHERE job_id = %(job_id)s AND stage = %(stage)s AND task_index < %(below)s
      AND ((status = 'queued'
            AND queued_at < now() - make_interval(
                secs => %(resend_after)s * power(2, least(resends, 6))))
           OR (status = 'pending'
               AND not_before < now() - make_interval(
                   secs => %(resend_after)s * power(2, least(resends, 6))))
           OR (status = 'running' AND lease_expires_at < now()))
) AS needed;

-- name: exhausted
-- Tasks whose worker died at the last attempt that they had.
SELECT t.task_index, t.attempt
FROM app.tasks t JOIN app.job_stages s USING (job_id, stage)
WHERE t.job_id = %(job_id)s AND t.stage = %(stage)s AND t.task_index < %(below)s
  AND t.status = 'running' AND t.lease_expires_at < now()
  AND (s.stopping OR t.attempt - t.attempts_before >= s.max_attempts)
ORDER BY t.task_index
FOR UPDATE OF t SKIP LOCKED;

-- name: overdue
-- Queued, or due for a retry, for so long that the message must be taken for lost; or held
-- by a worker whose lease has ended. Sending twice is harmless: the claim decides. Each
-- resend waits twice as long as the one before, up to 64 times.
SELECT task_index, status
FROM app.tasks
WHERE job_id = %(job_id)s AND stage = %(stage)s AND task_index < %(below)s
  AND ((status = 'queued'
        AND queued_at < now() - make_interval(
            secs => %(resend_after)s * power(2, least(resends, 6))))
       OR (status = 'pending'
           AND not_before < now() - make_interval(
               secs => %(resend_after)s * power(2, least(resends, 6))))
       OR (status = 'running' AND lease_expires_at < now()))
ORDER BY task_index
FOR UPDATE SKIP LOCKED;

-- name: requeue
-- The attempt of a worker that died ends here: its task is queued again, in its old place.
UPDATE app.tasks
SET status = 'queued', queued_at = now(), resends = least(resends + 1, 100),
    lease_expires_at = NULL, not_before = NULL
WHERE job_id = %(job_id)s AND stage = %(stage)s AND task_index = ANY(%(indexes)s);

-- name: unsent
-- The send after the commit failed: overdue at once, for the reconciler's next round.
UPDATE app.tasks
SET queued_at = '-infinity'
WHERE job_id = %(job_id)s AND stage = %(stage)s AND task_index = ANY(%(indexes)s)
  AND status = 'queued';

-- name: dead_lettered
-- Take the named tasks that nobody holds as tried: this attempt is spent.
UPDATE app.tasks
SET status = 'running', attempt = attempt + 1, not_before = NULL, lease_expires_at = now()
WHERE job_id = %(job_id)s AND stage = %(stage)s AND task_index = ANY(%(indexes)s)
  AND (status = 'queued' OR (status = 'pending' AND not_before IS NOT NULL))
RETURNING task_index, attempt, attempts_before;
