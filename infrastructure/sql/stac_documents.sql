-- Collections of pgSTAC that geoforge writes of its own published tables. Each names its table.

-- name: stored
SELECT content FROM pgstac.collections WHERE id = %(collection_id)s

-- name: upsert
SELECT pgstac.upsert_collection(%(document)s)

-- name: delete
SELECT pgstac.delete_collection(%(collection_id)s)

-- name: without_table
-- Those whose table is no longer published.
SELECT c.id
FROM pgstac.collections c
WHERE c.content ? %(table_field)s
  AND NOT EXISTS (
      SELECT FROM app.published_tables t
      WHERE t.schema_name || '.' || t.table_name = c.content ->> %(table_field)s)
ORDER BY c.id
