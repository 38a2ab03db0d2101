-- What jobs have taken of machine and storage: app.job_cost.

-- name: add
INSERT INTO app.job_cost AS c
    (job_id, stage, core_seconds, busy_seconds, messages, bytes_read, bytes_written)
VALUES
    (%(job_id)s, %(stage)s, %(core_seconds)s, %(busy_seconds)s, %(messages)s, %(bytes_read)s,
     %(bytes_written)s)
ON CONFLICT (job_id, stage) DO UPDATE SET
    core_seconds = c.core_seconds + excluded.core_seconds,
    busy_seconds = c.busy_seconds + excluded.busy_seconds,
    messages = c.messages + excluded.messages,
    bytes_read = c.bytes_read + excluded.bytes_read,
    bytes_written = c.bytes_written + excluded.bytes_written;

-- name: of_jobs
SELECT job_id, sum(core_seconds) AS core_seconds, sum(busy_seconds) AS busy_seconds,
       sum(messages)::bigint AS messages, sum(bytes_read)::bigint AS bytes_read,
       sum(bytes_written)::bigint AS bytes_written
FROM app.job_cost
WHERE job_id = ANY(%(job_ids)s)
GROUP BY job_id;
