-- Tasks that ended, over time: app.throughput.

-- name: take_turn
-- The row that whoever counts must hold; none where another counts, or did so a moment ago.
SELECT at
FROM app.throughput_turn
WHERE at <= clock_timestamp() - %(min_age)s::interval
FOR UPDATE SKIP LOCKED

-- name: count
-- Add what the counters of stages have grown by since they were counted last. A counter that is
-- lower than it was has begun again, as that of failures does when a job is resumed.
-- Jobs that ended are looked at for some minutes more: what was committed late is counted too.
WITH present AS (
    SELECT s.job_id, s.stage, j.job_type, s.tasks_completed AS completed, s.tasks_failed AS failed
    FROM app.jobs AS j
    JOIN app.job_stages AS s USING (job_id)
    WHERE (j.status IN ('queued', 'running')
           OR j.finished_at > %(last)s::timestamptz - interval '5 minutes')
), changed AS (
    SELECT present.*, counted.completed AS was_completed, counted.failed AS was_failed
    FROM present
    LEFT JOIN app.throughput_counted AS counted USING (job_id, stage)
    WHERE (present.completed, present.failed)
          <> (coalesce(counted.completed, 0), coalesce(counted.failed, 0))
), noted AS (
    INSERT INTO app.throughput_counted (job_id, stage, completed, failed)
    SELECT job_id, stage, completed, failed FROM changed
    ON CONFLICT (job_id, stage)
    DO UPDATE SET completed = excluded.completed, failed = excluded.failed
), added AS (
    SELECT job_type,
           sum(CASE WHEN completed >= coalesce(was_completed, 0)
                    THEN completed - coalesce(was_completed, 0) ELSE completed END) AS completed,
           sum(CASE WHEN failed >= coalesce(was_failed, 0)
                    THEN failed - coalesce(was_failed, 0) ELSE failed END) AS failed
    FROM changed
    GROUP BY job_type
), turned AS (
    UPDATE app.throughput_turn SET at = clock_timestamp()
)
INSERT INTO app.throughput AS t (width, begins, job_type, completed, failed)
SELECT width, date_trunc(width, clock_timestamp(), 'UTC'), job_type, completed, failed
FROM added
CROSS JOIN unnest(ARRAY['minute', 'hour']) AS width
WHERE completed + failed > 0
ON CONFLICT (width, begins, job_type)
DO UPDATE SET completed = t.completed + excluded.completed, failed = t.failed + excluded.failed

-- name: prune
DELETE FROM app.throughput
WHERE (width = 'minute' AND begins < clock_timestamp() - interval '25 hours')
   OR (width = 'hour' AND begins < clock_timestamp() - interval '35 days')

-- name: bins
-- The sums of bins of `seconds`, from the one that holds `since` on; bins in which nothing ended
-- have no row.
SELECT date_bin(make_interval(secs => %(seconds)s), begins, timestamptz '2000-01-01 00:00Z')
           AS begins,
       sum(completed)::bigint AS completed,
       sum(failed)::bigint AS failed
FROM app.throughput
WHERE width = %(width)s
  AND begins >= date_bin(make_interval(secs => %(seconds)s), %(since)s::timestamptz,
                         timestamptz '2000-01-01 00:00Z')
  AND (%(job_type)s::text IS NULL OR job_type = %(job_type)s)
GROUP BY 1
ORDER BY 1

-- name: job_types
-- Which job types they were of, those with most failures first.
SELECT job_type, sum(completed)::bigint AS completed, sum(failed)::bigint AS failed
FROM app.throughput
WHERE width = %(width)s
  AND begins >= date_bin(make_interval(secs => %(seconds)s), %(since)s::timestamptz,
                         timestamptz '2000-01-01 00:00Z')
  AND (%(job_type)s::text IS NULL OR job_type = %(job_type)s)
GROUP BY job_type
ORDER BY failed DESC, completed DESC, job_type
LIMIT %(limit)s
