-- Reading published tables as features. Names in braces are filled in by features_repository and
-- features_selection, as quoted identifiers and expressions.

-- name: configure
-- Settings for the rest of the transaction. Times are written in UTC. The planner would compile
-- the long expressions of a page, which takes longer than running them.
SELECT
    set_config('statement_timeout', %(timeout_ms)s::text, true),
    set_config('TimeZone', 'UTC', true),
    set_config('jit', 'off', true);

-- name: limit_time
SELECT set_config('statement_timeout', %(timeout_ms)s::text, true);

-- name: tables
-- Every published table, by name.
SELECT
    schema_name, table_name, version, title, description, attribution, restricted, table_shape,
    datetime_column, row_count, bbox, updated_at
FROM app.published_tables
ORDER BY schema_name <> 'geo', schema_name, table_name;

-- name: table
SELECT
    schema_name, table_name, version, title, description, attribution, restricted, table_shape,
    datetime_column, row_count, bbox, updated_at
FROM app.published_tables
WHERE (schema_name, table_name) = (%(schema_name)s, %(table_name)s);

-- name: hold
-- From here to the end of the transaction nobody can put another table in this one's place.
LOCK TABLE {table} IN ACCESS SHARE MODE;

-- name: page
-- The features that follow each other by gid. Each is measured as it is stored, which reads no
-- geometry; once those before it have filled the page, a feature and all after it are left for
-- the next page. The first one is never left. The names with spaces cannot be columns.
SELECT gid, "rows chosen", {feature} AS feature
FROM (
    SELECT
        *,
        count(*) OVER () AS "rows chosen",
        sum({stored_bytes}) OVER (
            ORDER BY gid ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS "bytes before"
    FROM (
        SELECT * FROM {table} WHERE {condition} ORDER BY gid LIMIT %(rows)s
    ) AS chosen
) AS measured
WHERE coalesce("bytes before", 0) < %(page_bytes)s
ORDER BY gid;

-- name: feature
SELECT {feature} AS feature FROM {table} WHERE gid = %(gid)s;

-- name: count
SELECT count(*) AS matched FROM {table} WHERE {condition};

-- name: temporal_extent
-- Both ends as JSON writes times, null where no row has a (finite) time.
SELECT to_json({earliest}) #>> '{{}}' AS earliest, to_json({latest}) #>> '{{}}' AS latest
FROM {table}
WHERE isfinite({column});
