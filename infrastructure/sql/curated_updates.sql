-- Every attempt to update a curated dataset: app.curated_update_log.

-- name: begin
-- Nothing is returned where another row of the dataset is open, or the due time has its row.
INSERT INTO app.curated_update_log
    (dataset_id, job_id, update_type, action, actor, due_at, dry_run, forced, details, status,
     started_at)
VALUES
    (%(dataset_id)s, %(job_id)s, %(update_type)s, %(action)s, %(actor)s, %(due_at)s,
     %(dry_run)s, %(forced)s, coalesce(%(details)s, '{}'::jsonb), 'started', clock_timestamp())
ON CONFLICT DO NOTHING
RETURNING log_id

-- name: record
-- An attempt that is over already. Nothing is returned where its job or due time has a row.
INSERT INTO app.curated_update_log
    (dataset_id, job_id, update_type, action, actor, due_at, dry_run, forced, status,
     source_version, base_version, published_version, records_added, records_updated,
     records_deleted, records_unchanged, records_total, records_quarantined, error_code,
     error_message, details, started_at, completed_at)
VALUES
    (%(dataset_id)s, %(job_id)s, %(update_type)s, %(action)s, %(actor)s, %(due_at)s,
     %(dry_run)s, %(forced)s, %(status)s, %(source_version)s, %(base_version)s,
     %(published_version)s, %(added)s, %(updated)s, %(deleted)s, %(unchanged)s, %(total)s,
     %(quarantined)s, %(error_code)s, %(error_message)s, coalesce(%(details)s, '{}'::jsonb),
     coalesce(%(started_at)s, clock_timestamp()), clock_timestamp())
ON CONFLICT DO NOTHING
RETURNING log_id

-- name: mark
-- How far an attempt is. One that has ended stays as it is; what is not given stays too.
UPDATE app.curated_update_log
SET status = %(status)s,
    source_version = coalesce(%(source_version)s, source_version),
    source_bytes = coalesce(%(source_bytes)s, source_bytes),
    base_version = coalesce(%(base_version)s, base_version),
    details = details || coalesce(%(details)s, '{}'::jsonb)
WHERE job_id = %(job_id)s AND completed_at IS NULL
RETURNING log_id

-- name: finish
-- The end of an attempt, once. What is not given stays as it is.
UPDATE app.curated_update_log
SET status = %(status)s,
    source_version = coalesce(%(source_version)s, source_version),
    base_version = coalesce(%(base_version)s, base_version),
    published_version = coalesce(%(published_version)s, published_version),
    records_added = coalesce(%(added)s, records_added),
    records_updated = coalesce(%(updated)s, records_updated),
    records_deleted = coalesce(%(deleted)s, records_deleted),
    records_unchanged = coalesce(%(unchanged)s, records_unchanged),
    records_total = coalesce(%(total)s, records_total),
    records_quarantined = coalesce(%(quarantined)s, records_quarantined),
    error_code = %(error_code)s,
    error_message = %(error_message)s,
    details = details || coalesce(%(details)s, '{}'::jsonb),
    completed_at = clock_timestamp()
WHERE job_id = %(job_id)s AND completed_at IS NULL
RETURNING log_id

-- name: reopen
-- An attempt that ended in one of these ways goes on with its job. It has one duration, from
-- its first beginning to its last end.
UPDATE app.curated_update_log
SET status = 'started', completed_at = NULL, error_code = NULL, error_message = NULL
WHERE job_id = %(job_id)s AND status = ANY (%(ended_as)s)
RETURNING log_id

-- name: take_due
-- The job of an attempt turns out to be the one of a due time.
UPDATE app.curated_update_log SET due_at = %(due_at)s, update_type = 'scheduled'
WHERE job_id = %(job_id)s AND due_at IS NULL

-- name: get
SELECT l.* FROM app.curated_update_log l WHERE log_id = %(log_id)s

-- name: of_job
SELECT l.* FROM app.curated_update_log l WHERE job_id = %(job_id)s

-- name: under_way
SELECT l.* FROM app.curated_update_log l
WHERE dataset_id = %(dataset_id)s AND completed_at IS NULL

-- name: fetched_versions
-- The versions of the source whose files an attempt may still make use of: one whose job can be
-- resumed, and the one that follows the newest (a dry run, say), which finds the same version.
SELECT DISTINCT l.source_version
FROM app.curated_update_log l
LEFT JOIN app.jobs j USING (job_id)
WHERE l.dataset_id = %(dataset_id)s AND l.source_version IS NOT NULL
  AND (l.log_id = (SELECT max(log_id) FROM app.curated_update_log
                   WHERE dataset_id = %(dataset_id)s AND action = 'update'
                     AND source_version IS NOT NULL)
       OR (j.status <> 'completed' AND j.work_removed_at IS NULL))

-- name: of_due_times
-- Which of some datasets' due times have their row.
SELECT l.dataset_id
FROM unnest(%(dataset_ids)s::text[], %(due_times)s::timestamptz[]) AS due (dataset_id, due_at)
JOIN app.curated_update_log l USING (dataset_id, due_at)

-- name: page
-- has_report: whether its job came as far as a quality report.
SELECT l.*, EXISTS (SELECT FROM app.vector_reports r WHERE r.job_id = l.job_id) AS has_report
FROM app.curated_update_log l
WHERE dataset_id = %(dataset_id)s
  AND (%(before)s::bigint IS NULL OR log_id < %(before)s)
  AND (%(statuses)s::text[] IS NULL OR status = ANY (%(statuses)s))
ORDER BY log_id DESC
LIMIT %(limit)s

-- name: pull_back
-- Datasets that were enabled, or given their schedule, while the clock was ahead: nothing of
-- theirs would fall due until it is there again.
UPDATE app.curated_datasets SET schedule_from = %(now)s
WHERE schedule_from > %(now)s
RETURNING dataset_id

-- name: enabled
-- Whom the scheduler looks at.
SELECT dataset_id FROM app.curated_datasets WHERE enabled ORDER BY dataset_id
