-- How the database server does, and what waits in the ledger and among the dead letters.

-- name: figures
-- Of sessions that other users own some servers tell nothing but that they are there.
SELECT current_setting('max_connections')::integer AS connections_max,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
           AS connections,
       (SELECT count(*) FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND state = 'active' AND pid <> pg_backend_pid())
           AS active,
       (SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock') AS waiting_for_locks,
       (SELECT extract(epoch FROM clock_timestamp() - min(xact_start))::double precision
        FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend'
          AND pid <> pg_backend_pid()) AS longest_transaction_seconds,
       (SELECT count(*) FROM pg_stat_replication) AS replicas,
       pg_database_size(current_database()) AS bytes,
       extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::double precision
           AS up_seconds,
       current_setting('server_version') AS version

-- name: largest_tables
-- The tables of the ledger that take most room, with their indexes.
SELECT c.relname AS name, pg_total_relation_size(c.oid) AS bytes,
       greatest(c.reltuples, 0)::bigint AS about_rows
FROM pg_class AS c
WHERE c.relnamespace = 'app'::regnamespace AND c.relkind = 'r'
ORDER BY bytes DESC
LIMIT 4

-- name: queue_work
-- Tasks of running stages by the queue that they go through, out of the stages' counters.
SELECT s.queue, count(*)::integer AS stages,
       sum(s.in_flight)::bigint AS in_flight,
       sum(s.tasks_total - s.tasks_completed - s.tasks_failed - s.tasks_cancelled
           - s.in_flight)::bigint AS waiting
FROM app.jobs AS j
JOIN app.job_stages AS s USING (job_id)
WHERE j.status IN ('queued', 'running') AND s.status = 'running' AND s.planned_at IS NOT NULL
GROUP BY s.queue
ORDER BY s.queue

-- name: dead_letters
-- A page of dead letters, newest first, older than the row `before`.
SELECT d.id, d.received_at, d.queue, d.message_id, d.reason, d.description, d.job_id, j.job_type,
       left(d.body, 400) AS body
FROM app.dead_letters AS d
LEFT JOIN app.jobs AS j USING (job_id)
WHERE (%(before)s::bigint IS NULL OR d.id < %(before)s)
  AND (%(queue)s::text IS NULL OR d.queue = %(queue)s)
ORDER BY d.id DESC
LIMIT %(limit)s

-- name: recent_dead_letters
-- How many of the newest dead letters came within a day, by queue; no more than `most` are
-- counted.
SELECT queue, count(*)::integer AS letters
FROM (
    SELECT queue, received_at FROM app.dead_letters ORDER BY id DESC LIMIT %(most)s
) AS newest
WHERE received_at > clock_timestamp() - interval '24 hours'
GROUP BY queue
