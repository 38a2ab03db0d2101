-- Curated datasets as the API and the pages show them: one query for a page of them.

-- name: situations
-- What is published of datasets, and what is on its way: the version that a gate stopped, and
-- the last attempt to publish that came to an end. The rows of a version that was rolled back
-- to are as old as that version is, whenever the rollback was.
SELECT d.dataset_id, clock_timestamp() AS read_at,
       p.version, p.row_count, p.bbox, p.job_id, p.updated_at AS changed_at,
       coalesce(v.published_at, p.updated_at) AS published_at,
       held.version_id AS held_version_id, held.source_version AS held_source_version,
       held.gates AS held_gates,
       ended.status AS ended_status, ended.error_message AS ended_error
FROM app.curated_datasets d
LEFT JOIN app.published_tables p
    ON p.schema_name = d.target_schema AND p.table_name = d.target_table_name
LEFT JOIN app.curated_versions v ON v.job_id = p.job_id
LEFT JOIN LATERAL (
    SELECT version_id, source_version, gates
    FROM app.curated_versions
    WHERE dataset_id = d.dataset_id AND state = 'held'
    ORDER BY version_id DESC
    LIMIT 1
) held ON true
LEFT JOIN LATERAL (
    SELECT status, error_message
    FROM app.curated_update_log
    WHERE dataset_id = d.dataset_id AND completed_at IS NOT NULL AND NOT dry_run
      AND status <> 'cancelled'
    ORDER BY log_id DESC
    LIMIT 1
) ended ON true
WHERE d.dataset_id = ANY(%(dataset_ids)s)

-- name: last_attempts
-- The open entry of the log of each dataset, else its newest one: a rollback may be the newer.
SELECT l.*, EXISTS (SELECT FROM app.vector_reports r WHERE r.job_id = l.job_id) AS has_report
FROM unnest(%(dataset_ids)s::text[]) AS wanted (dataset_id)
JOIN app.curated_update_log l ON l.log_id = coalesce(
    (SELECT log_id FROM app.curated_update_log
     WHERE dataset_id = wanted.dataset_id AND completed_at IS NULL),
    (SELECT max(log_id) FROM app.curated_update_log WHERE dataset_id = wanted.dataset_id))
