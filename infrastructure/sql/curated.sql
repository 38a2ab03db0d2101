-- The registry of curated datasets: app.curated_datasets.

-- name: get
SELECT d.*
FROM app.curated_datasets d
WHERE d.dataset_id = %(dataset_id)s

-- name: get_for_update
-- To the end of the transaction nobody else changes it or begins an update of it.
SELECT d.*
FROM app.curated_datasets d
WHERE d.dataset_id = %(dataset_id)s
FOR UPDATE

-- name: all
SELECT d.*
FROM app.curated_datasets d
WHERE (NOT %(enabled_only)s OR d.enabled)
  AND (%(after)s::text IS NULL OR d.dataset_id > %(after)s)
ORDER BY d.dataset_id
LIMIT %(limit)s

-- name: ids
SELECT dataset_id FROM app.curated_datasets ORDER BY dataset_id

-- name: holder
-- The dataset whose table this is.
SELECT dataset_id
FROM app.curated_datasets
WHERE target_schema = %(target_schema)s AND target_table_name = %(target_table_name)s

-- name: insert
-- No row comes back where the name is taken.
INSERT INTO app.curated_datasets (
    dataset_id, name, description, source_type, source_url, source_config, handler, job_type,
    update_strategy, update_schedule, credential_key, target_table_name, target_schema, enabled,
    restricted, gates, keep_versions, licence, attribution
) VALUES (
    %(dataset_id)s, %(name)s, %(description)s, %(source_type)s, %(source_url)s,
    %(source_config)s, %(handler)s, %(job_type)s, %(update_strategy)s, %(update_schedule)s,
    %(credential_key)s, %(target_table_name)s, %(target_schema)s, %(enabled)s, %(restricted)s,
    %(gates)s, %(keep_versions)s, %(licence)s, %(attribution)s
)
ON CONFLICT (dataset_id) DO NOTHING
RETURNING *

-- name: replace
-- What fell due under another schedule, or while it was disabled, is not run afterwards.
UPDATE app.curated_datasets
SET name = %(name)s,
    description = %(description)s,
    source_type = %(source_type)s,
    source_url = %(source_url)s,
    source_config = %(source_config)s,
    handler = %(handler)s,
    job_type = %(job_type)s,
    update_strategy = %(update_strategy)s,
    update_schedule = %(update_schedule)s,
    credential_key = %(credential_key)s,
    target_table_name = %(target_table_name)s,
    target_schema = %(target_schema)s,
    enabled = %(enabled)s,
    restricted = %(restricted)s,
    gates = %(gates)s,
    keep_versions = %(keep_versions)s,
    licence = %(licence)s,
    attribution = %(attribution)s,
    schedule_from = CASE
        WHEN (update_schedule, source_type = 'manual')
                IS DISTINCT FROM (%(update_schedule)s, %(source_type)s = 'manual')
            OR (%(enabled)s AND NOT enabled)
        THEN now() ELSE schedule_from END,
    revision = revision + 1,
    updated_at = clock_timestamp()
WHERE dataset_id = %(dataset_id)s
RETURNING *

-- name: set_enabled
-- No row comes back where it was so already.
UPDATE app.curated_datasets
SET enabled = %(enabled)s,
    schedule_from = CASE WHEN %(enabled)s THEN now() ELSE schedule_from END,
    revision = revision + 1,
    updated_at = clock_timestamp()
WHERE dataset_id = %(dataset_id)s AND enabled <> %(enabled)s
RETURNING *

-- name: delete
DELETE FROM app.curated_datasets WHERE dataset_id = %(dataset_id)s

-- name: checked
UPDATE app.curated_datasets
SET last_checked_at = clock_timestamp()
WHERE dataset_id = %(dataset_id)s

-- name: updated
-- When another version is published, what was rejected before is history. Days that were read
-- again are no other version: what was rejected is as new as before.
UPDATE app.curated_datasets
SET source_version = %(source_version)s,
    rejected_version = CASE WHEN source_version = %(source_version)s
        THEN nullif(rejected_version, %(source_version)s) END,
    last_updated_at = clock_timestamp()
WHERE dataset_id = %(dataset_id)s

-- name: set_rejected
UPDATE app.curated_datasets
SET rejected_version = %(rejected_version)s
WHERE dataset_id = %(dataset_id)s

-- name: set_last_job
UPDATE app.curated_datasets
SET last_job_id = %(job_id)s
WHERE dataset_id = %(dataset_id)s

-- name: publisher
-- Who published the rows that have a table's name: the dataset whose version they are, the type
-- of the job.
SELECT p.job_id, v.dataset_id, v.source_version, v.published_at, j.job_type
FROM app.published_tables p
LEFT JOIN app.curated_versions v ON v.job_id = p.job_id
LEFT JOIN app.jobs j ON j.job_id = p.job_id
WHERE p.schema_name = %(schema_name)s AND p.table_name = %(table_name)s

-- name: adopt
-- What is known of a dataset that is registered again while its table is published.
UPDATE app.curated_datasets
SET source_version = %(source_version)s, rejected_version = %(rejected_version)s,
    last_updated_at = %(published_at)s
WHERE dataset_id = %(dataset_id)s
RETURNING *

-- name: forget_versions
DELETE FROM app.curated_versions WHERE dataset_id = %(dataset_id)s

-- name: describe_table
-- What people are told of the published table; how it may be shown counts at once.
UPDATE app.published_tables p
SET title = %(name)s, description = %(description)s, restricted = %(restricted)s,
    attribution = coalesce(%(attribution)s, p.attribution)
FROM app.curated_versions v
WHERE p.schema_name = %(target_schema)s AND p.table_name = %(target_table_name)s
  AND v.job_id = p.job_id AND v.dataset_id = %(dataset_id)s
