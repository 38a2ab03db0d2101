-- What can be chosen in forms: {value, label, note} of what holds a text in value or label, the
-- best matches first. A text that is empty is in everything.

-- name: dataset
SELECT dataset_id AS value, name AS label,
       CASE WHEN enabled THEN NULL ELSE 'not updated by schedule' END AS note
FROM app.curated_datasets
WHERE strpos(lower(dataset_id || ' ' || name), lower(%(text)s)) > 0
ORDER BY NOT starts_with(dataset_id, lower(%(text)s)), dataset_id
LIMIT %(limit)s

-- name: table
SELECT schema_name || '.' || table_name AS value,
       coalesce(title, schema_name || '.' || table_name) AS label,
       to_char(row_count, 'FM999,999,999,999')
           || CASE row_count WHEN 1 THEN ' row' ELSE ' rows' END AS note
FROM app.published_tables
WHERE strpos(lower(schema_name || '.' || table_name || ' ' || coalesce(title, '')),
             lower(%(text)s)) > 0
ORDER BY NOT (starts_with(table_name, lower(%(text)s))
              OR starts_with(schema_name || '.' || table_name, lower(%(text)s))),
         schema_name, table_name
LIMIT %(limit)s

-- name: stac_collection
SELECT id AS value, coalesce(content ->> 'title', id) AS label, NULL AS note
FROM pgstac.collections
WHERE strpos(lower(id || ' ' || coalesce(content ->> 'title', '')), lower(%(text)s)) > 0
ORDER BY NOT starts_with(lower(id), lower(%(text)s)), id
LIMIT %(limit)s

-- name: stac_item
-- The item of exactly this id, and those of the first 20,000 by id that hold the text: a
-- collection may have millions. The day is of an item that shows one moment.
SELECT id AS value, id AS label,
       CASE WHEN datetime = end_datetime
            THEN to_char(datetime AT TIME ZONE 'UTC', 'YYYY-MM-DD') END AS note
FROM (
    (SELECT id, datetime, end_datetime
     FROM pgstac.items
     WHERE collection = %(within)s AND id = %(text)s)
    UNION
    (SELECT id, datetime, end_datetime
     FROM (SELECT id, datetime, end_datetime
           FROM pgstac.items
           WHERE collection = %(within)s
           ORDER BY id
           LIMIT 20000) AS first
     WHERE strpos(lower(id), lower(%(text)s)) > 0)
) AS found
ORDER BY id <> %(text)s, NOT starts_with(lower(id), lower(%(text)s)), id
LIMIT %(limit)s

-- name: h3_dataset
SELECT dataset_id AS value, coalesce(title, dataset_id) AS label, theme AS note
FROM h3.datasets
WHERE strpos(lower(dataset_id || ' ' || coalesce(title, '')), lower(%(text)s)) > 0
ORDER BY NOT starts_with(dataset_id, lower(%(text)s)), dataset_id
LIMIT %(limit)s
