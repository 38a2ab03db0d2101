-- What is published, and its versions, as the API and the pages show it.

-- name: tables
-- All tables or one. The size is of the table with its indexes, null where it is gone.
SELECT t.schema_name, t.table_name, t.version, t.title, t.description, t.attribution,
       t.restricted, t.table_shape, t.key_columns, t.datetime_column, t.row_count, t.bbox,
       t.source, t.job_id, t.created_at, t.updated_at,
       pg_total_relation_size(to_regclass(format('%%I.%%I', t.schema_name, t.table_name)))
           AS size_bytes,
       r.job_id IS NOT NULL AS has_report
FROM app.published_tables AS t
LEFT JOIN app.vector_reports AS r ON r.job_id = t.job_id
WHERE (%(schema_name)s::text IS NULL
       OR (t.schema_name = %(schema_name)s AND t.table_name = %(table_name)s))
  AND (%(after_schema)s::text IS NULL
       OR (t.schema_name, t.table_name) > (%(after_schema)s::text, %(after_table)s::text))
ORDER BY t.schema_name, t.table_name
LIMIT %(limit)s

-- name: versions
-- Newest first.
SELECT v.version, v.change, v.row_count, v.bbox, v.source, v.job_id, v.details,
       v.published_at, v.retired_at, v.restores,
       v.version = t.version AS current, r.job_id IS NOT NULL AS has_report
FROM app.published_versions AS v
JOIN app.published_tables AS t USING (schema_name, table_name)
LEFT JOIN app.vector_reports AS r ON r.job_id = v.job_id
WHERE v.schema_name = %(schema_name)s AND v.table_name = %(table_name)s
  AND (%(before)s::integer IS NULL OR v.version < %(before)s)
ORDER BY v.version DESC
LIMIT %(limit)s
