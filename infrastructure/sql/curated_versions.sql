-- Versions of curated datasets: app.curated_versions. A version is staged, then held or published
-- or discarded; its staged tables are there as long as it is staged or held.

-- name: add
INSERT INTO app.curated_versions
    (dataset_id, job_id, log_id, state, staged, table_shape, key_columns, base_version,
     source_version, definition_digest, source_columns, files, licence, records_read,
     records_loaded, records_quarantined, row_count, bbox, delivers, deletions)
VALUES (%(dataset_id)s, %(job_id)s, %(log_id)s, 'staged', %(staged)s, %(table_shape)s,
        %(key_columns)s, %(base_version)s, %(source_version)s, %(definition_digest)s,
        %(source_columns)s, %(files)s, %(licence)s, %(records_read)s, %(records_loaded)s,
        %(records_quarantined)s, %(row_count)s, %(bbox)s, %(delivers)s, %(deletions)s)
RETURNING *

-- name: of_job
SELECT * FROM app.curated_versions WHERE job_id = %(job_id)s

-- name: get
SELECT * FROM app.curated_versions
WHERE dataset_id = %(dataset_id)s AND version_id = %(version_id)s

-- name: get_for_update
SELECT * FROM app.curated_versions
WHERE dataset_id = %(dataset_id)s AND version_id = %(version_id)s
FOR UPDATE

-- name: held
-- The versions that a gate stopped, newest first.
SELECT * FROM app.curated_versions
WHERE dataset_id = %(dataset_id)s AND state = 'held'
ORDER BY version_id DESC

-- name: current
-- The version whose rows are published: a rollback bears the job whose rows it brought back.
SELECT v.*
FROM app.published_tables p
JOIN app.curated_versions v USING (job_id)
WHERE p.schema_name = %(schema_name)s AND p.table_name = %(table_name)s

-- name: newest_published
-- An increment of a version that was published before is days that were read again: it is not
-- newer than what was published between the two.
SELECT * FROM app.curated_versions v
WHERE v.dataset_id = %(dataset_id)s AND v.state = 'published'
  AND NOT (v.delivers = 'increment' AND EXISTS (
      SELECT FROM app.curated_versions earlier
      WHERE earlier.dataset_id = v.dataset_id AND earlier.state = 'published'
        AND earlier.source_version = v.source_version AND earlier.version_id < v.version_id))
ORDER BY v.version_id DESC
LIMIT 1

-- name: was_made
SELECT EXISTS (
    SELECT FROM app.curated_versions
    WHERE dataset_id = %(dataset_id)s AND source_version = %(source_version)s
      AND definition_digest = %(definition_digest)s
) AS found

-- name: hold
UPDATE app.curated_versions
SET state = 'held', changes = %(changes)s, gates = %(gates)s
WHERE version_id = %(version_id)s

-- name: publish
UPDATE app.curated_versions
SET state = 'published', staged = NULL, deletions = NULL, version = %(version)s,
    changes = %(changes)s, gates = %(gates)s, published_at = clock_timestamp()
WHERE version_id = %(version_id)s

-- name: discard
UPDATE app.curated_versions
SET state = 'discarded', staged = NULL, deletions = NULL,
    changes = coalesce(%(changes)s, changes), gates = coalesce(%(gates)s, gates)
WHERE version_id = %(version_id)s

-- name: discard_others
-- What waits beside this version, or has been left behind, is out of date.
UPDATE app.curated_versions
SET state = 'discarded', staged = NULL, deletions = NULL
WHERE dataset_id = %(dataset_id)s AND version_id <> %(version_id)s AND state IN ('staged', 'held')

-- name: discard_abandoned
-- Versions on their way whose job will not go on with them, and those whose dataset is gone.
UPDATE app.curated_versions v
SET state = 'discarded', staged = NULL, deletions = NULL
WHERE (v.state = 'staged' AND NOT EXISTS (
           SELECT FROM app.jobs j
           WHERE j.job_id = v.job_id AND j.status <> 'completed' AND j.work_removed_at IS NULL))
   OR (v.state IN ('staged', 'held') AND NOT EXISTS (
           SELECT FROM app.curated_datasets d WHERE d.dataset_id = v.dataset_id))

-- name: needed_tables
SELECT needed.name
FROM app.curated_versions v
CROSS JOIN LATERAL unnest(ARRAY[v.staged, v.deletions]) AS needed (name)
WHERE v.staged IS NOT NULL AND needed.name IS NOT NULL

-- name: page
-- Every version that a table had, newest first, with what is known of where its rows came from.
SELECT p.version, p.change, p.restores, p.row_count, p.bbox, p.job_id, p.details,
       p.published_at, p.retired_at,
       v.version_id, v.source_version, v.licence, v.files, v.delivers, v.changes, v.gates,
       v.log_id, v.records_read, v.records_loaded, v.records_quarantined
FROM app.published_versions p
LEFT JOIN app.curated_versions v USING (job_id)
WHERE p.schema_name = %(schema_name)s AND p.table_name = %(table_name)s
  AND (%(before)s::bigint IS NULL OR p.version < %(before)s)
ORDER BY p.version DESC
LIMIT %(limit)s

-- name: source_versions
-- Of some versions of a table, which versions of the source they have.
SELECT DISTINCT v.source_version
FROM app.published_versions p
JOIN app.curated_versions v USING (job_id)
WHERE p.schema_name = %(schema_name)s AND p.table_name = %(table_name)s
  AND p.version = ANY(%(versions)s)
