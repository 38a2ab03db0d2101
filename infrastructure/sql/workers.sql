-- The processes that are at work: app.workers.

-- name: beat
INSERT INTO app.workers AS w (worker_id, instance, pid, started_at, last_seen, tasks, busy,
                              memory_bytes, pool_size, pool_in_use, pool_waiting, pool_wait_ms)
VALUES (%(worker_id)s, %(instance)s, %(pid)s, clock_timestamp() - %(age)s::interval,
        clock_timestamp(), %(tasks)s, %(busy)s, %(memory_bytes)s, %(pool_size)s,
        %(pool_in_use)s, %(pool_waiting)s, %(pool_wait_ms)s)
ON CONFLICT (worker_id)
DO UPDATE SET last_seen = excluded.last_seen, tasks = excluded.tasks, busy = excluded.busy,
              memory_bytes = excluded.memory_bytes, pool_size = excluded.pool_size,
              pool_in_use = excluded.pool_in_use, pool_waiting = excluded.pool_waiting,
              pool_wait_ms = excluded.pool_wait_ms

-- name: prune
DELETE FROM app.workers WHERE last_seen < clock_timestamp() - %(older_than)s::interval

-- name: recent
-- Those seen lately, the oldest process first; `job_types` names the type of each job in `busy`.
-- One that fell silent before another began on the same instance was replaced by it.
SELECT w.*, extract(epoch FROM clock_timestamp() - w.last_seen)::double precision AS silent_seconds,
       (SELECT coalesce(jsonb_object_agg(j.job_id, j.job_type), '{}')
        FROM app.jobs AS j
        WHERE j.job_id IN (SELECT each ->> 'job_id' FROM jsonb_array_elements(w.busy) AS each)
       ) AS job_types
FROM app.workers AS w
WHERE w.last_seen > clock_timestamp() - %(within)s::interval
  AND NOT EXISTS (
      SELECT FROM app.workers AS later
      WHERE later.instance = w.instance AND later.started_at > w.last_seen
  )
ORDER BY w.started_at, w.worker_id
LIMIT %(limit)s
