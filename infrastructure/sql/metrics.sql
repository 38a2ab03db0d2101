-- Snapshots, events and figures of jobs: app.job_metrics and app.job_context.

-- name: insert
INSERT INTO app.job_metrics (job_id, metric_type, payload)
VALUES (%(job_id)s, %(metric_type)s, %(payload)s)

-- name: snapshot_age
-- Seconds since the job's last snapshot; no row where it has none.
SELECT extract(epoch FROM clock_timestamp() - "timestamp")::double precision AS seconds
FROM app.job_metrics
WHERE job_id = %(job_id)s AND metric_type = 'snapshot'
ORDER BY id DESC
LIMIT 1

-- name: recent_samples
-- For each of the jobs, the oldest snapshot within the window, reduced to what rates are made of.
SELECT wanted.job_id, oldest.at, oldest.stage, oldest.ended, oldest.context
FROM unnest(%(job_ids)s::text[]) AS wanted (job_id)
CROSS JOIN LATERAL (
    SELECT "timestamp" AS at,
           (payload #>> '{progress,stage}')::integer AS stage,
           (payload #>> '{progress,tasks_completed}')::integer
               + (payload #>> '{progress,tasks_failed}')::integer AS ended,
           payload -> 'context' AS context
    FROM app.job_metrics
    WHERE job_id = wanted.job_id
      AND metric_type = 'snapshot'
      AND "timestamp" > clock_timestamp() - %(window)s::interval
    ORDER BY "timestamp"
    LIMIT 1
) AS oldest

-- name: page
-- Rows of one job, newest first, older than the row `before`, younger than `since`.
SELECT id, job_id, "timestamp", metric_type, payload
FROM app.job_metrics
WHERE job_id = %(job_id)s
  AND (%(types)s::text[] IS NULL OR metric_type = ANY(%(types)s))
  AND (%(before)s::bigint IS NULL OR id < %(before)s)
  AND (%(since)s::timestamptz IS NULL OR "timestamp" > %(since)s)
ORDER BY id DESC
LIMIT %(limit)s

-- name: put_context
-- Each figure on its own: of two workers that write different figures, both are kept.
INSERT INTO app.job_context (job_id, name, value)
SELECT %(job_id)s, figure.key, figure.value
FROM jsonb_each(%(figures)s) AS figure
ON CONFLICT (job_id, name)
DO UPDATE SET value = excluded.value, updated_at = clock_timestamp()

-- name: merge_context
-- Set figures inside of one named context of a job; its other figures stay.
INSERT INTO app.job_context (job_id, name, value)
VALUES (%(job_id)s, %(context)s, %(figures)s)
ON CONFLICT (job_id, name)
DO UPDATE SET value = job_context.value || excluded.value, updated_at = clock_timestamp()

-- name: contribute
-- Put what tasks have done in the place of what they gave before, and bring the sums in the
-- job's context by the difference up to date. The caller holds a lock: of two attempts at one
-- task the second must see what the first wrote.
-- An attempt counts only while it is the ledger's: a worker that was given up for dead, and is
-- not, would put its half of the work in the place of the whole. Amounts that the same attempt
-- gave before stay where it does not give them anew; those of another attempt are taken back.
WITH heard AS (
    SELECT DISTINCT ON (given.word ->> 'task')
           given.word ->> 'task' AS task,
           given.word -> 'amounts' AS amounts,
           attempt.said_by
    FROM jsonb_array_elements(%(given)s) WITH ORDINALITY AS given (word, position)
    CROSS JOIN LATERAL (
        SELECT array_agg(part::integer ORDER BY place) AS said_by
        FROM jsonb_array_elements_text(nullif(given.word -> 'said_by', 'null'))
             WITH ORDINALITY AS each (part, place)
    ) AS attempt
    WHERE attempt.said_by IS NULL
       OR EXISTS (
           SELECT FROM app.tasks AS t
           WHERE t.job_id = %(job_id)s AND t.stage = attempt.said_by[1]
             AND t.task_index = attempt.said_by[2] AND t.attempt = attempt.said_by[3]
       )
    ORDER BY given.word ->> 'task', given.position DESC
), before AS (
    SELECT amounts
    FROM app.job_contributions
    WHERE job_id = %(job_id)s AND context = %(context)s AND task IN (SELECT task FROM heard)
), placed AS (
    INSERT INTO app.job_contributions AS c (job_id, context, task, amounts, said_by)
    SELECT %(job_id)s, %(context)s, task, amounts, said_by FROM heard
    ON CONFLICT (job_id, context, task)
    DO UPDATE SET
        amounts = CASE
            WHEN c.said_by IS NOT DISTINCT FROM excluded.said_by
            THEN c.amounts || excluded.amounts
            ELSE excluded.amounts
        END,
        said_by = excluded.said_by
    RETURNING amounts
), change AS (
    SELECT name, sum(amount) AS amount
    FROM (
        SELECT key AS name, value::numeric AS amount
        FROM placed CROSS JOIN jsonb_each_text(placed.amounts)
        UNION ALL
        SELECT key, -value::numeric
        FROM before CROSS JOIN jsonb_each_text(before.amounts)
    ) AS each
    GROUP BY name
), shown AS (
    SELECT coalesce((
        SELECT value
        FROM app.job_context
        WHERE job_id = %(job_id)s AND name = %(context)s
    ), '{}') AS value
)
INSERT INTO app.job_context (job_id, name, value)
SELECT %(job_id)s, %(context)s,
       shown.value || jsonb_object_agg(
           change.name, coalesce((shown.value ->> change.name)::numeric, 0) + change.amount
       )
FROM shown CROSS JOIN change
GROUP BY shown.value
ON CONFLICT (job_id, name)
DO UPDATE SET value = excluded.value, updated_at = clock_timestamp()

-- name: contexts
SELECT job_id, jsonb_object_agg(name, value ORDER BY name) AS context
FROM app.job_context
WHERE job_id = ANY(%(job_ids)s)
GROUP BY job_id

-- name: prune
-- Snapshots go when they are older than the retention. Events stay until their job has been
-- over for as long, so that a job's story can be read while it runs and a while after.
DELETE FROM app.job_metrics AS m
WHERE m."timestamp" < clock_timestamp() - %(retention)s
  AND (m.metric_type NOT IN ('event', 'error')
       OR NOT EXISTS (
           SELECT FROM app.jobs AS j
           WHERE j.job_id = m.job_id
             AND (j.finished_at IS NULL OR j.finished_at > clock_timestamp() - %(retention)s)
       ))

-- name: prune_contributions
-- Once nothing of a job can be tried again, its sums are all that is needed, and they stay in
-- app.job_context. A job that can still be resumed has its work files, and keeps these too: what
-- a task said before it failed must be taken back when it says so again.
DELETE FROM app.job_contributions AS c
USING app.jobs AS j
WHERE j.job_id = c.job_id
  AND j.finished_at < clock_timestamp() - %(retention)s
  AND (j.status = 'completed' OR j.work_removed_at IS NOT NULL)

-- name: lost
-- How much of each kind could not be written, as far as rows still tell of it.
SELECT detail.key AS name, sum(detail.value::bigint)::bigint AS number
FROM app.job_metrics AS m
CROSS JOIN jsonb_each_text(m.payload -> 'details') AS detail
WHERE m.metric_type = 'error' AND m.payload ->> 'kind' = %(kind)s
GROUP BY detail.key
