-- Published tables, and what PostgreSQL's catalog knows of a table that is to be replaced.
-- The queries that give definitions are run with an empty search_path, so that every name in
-- them is qualified.

-- name: table
SELECT version, key_columns, table_shape, title, restricted, job_id, source
FROM app.published_tables
WHERE schema_name = %(schema_name)s AND table_name = %(table_name)s

-- name: save_table
INSERT INTO app.published_tables AS t
    (schema_name, table_name, version, title, description, attribution, restricted, table_shape,
     key_columns, datetime_column, row_count, bbox, source, job_id)
VALUES (%(schema_name)s, %(table_name)s, %(version)s, %(title)s, %(description)s,
        %(attribution)s, coalesce(%(restricted)s, false), %(table_shape)s, %(key_columns)s,
        %(datetime_column)s, %(row_count)s, %(bbox)s, %(source)s, %(job_id)s)
ON CONFLICT (schema_name, table_name) DO UPDATE
SET version = excluded.version,
    title = coalesce(excluded.title, t.title),
    description = coalesce(excluded.description, t.description),
    attribution = coalesce(excluded.attribution, t.attribution),
    restricted = coalesce(%(restricted)s, t.restricted),
    table_shape = excluded.table_shape,
    key_columns = excluded.key_columns,
    datetime_column = excluded.datetime_column,
    row_count = excluded.row_count,
    bbox = excluded.bbox,
    source = excluded.source,
    job_id = excluded.job_id,
    updated_at = clock_timestamp()
RETURNING title, description, attribution, updated_at

-- name: versions
SELECT version, change, kept_as, undo_as, restores, row_count, bbox, table_shape, key_columns,
       source, job_id, details
FROM app.published_versions
WHERE schema_name = %(schema_name)s AND table_name = %(table_name)s
ORDER BY version

-- name: came_together
SELECT NOT EXISTS (
           SELECT FROM app.published_tables
           WHERE schema_name = %(schema)s AND table_name = %(table)s
       ) OR EXISTS (
           SELECT FROM app.published_versions a JOIN app.published_versions b USING (job_id)
           WHERE a.schema_name = %(schema)s AND a.table_name = %(table)s
             AND b.schema_name = %(other_schema)s AND b.table_name = %(other_table)s
       ) AS together

-- name: version_of_job
-- What a job published; a rollback bears the job whose rows it brought back.
SELECT version, change, row_count, bbox, details
FROM app.published_versions
WHERE schema_name = %(schema_name)s AND table_name = %(table_name)s
  AND job_id = %(job_id)s AND change <> 'rollback'
ORDER BY version DESC
LIMIT 1

-- name: retire
UPDATE app.published_versions
SET retired_at = clock_timestamp(), kept_as = %(kept_as)s
WHERE schema_name = %(schema_name)s AND table_name = %(table_name)s AND version = %(version)s

-- name: add_version
INSERT INTO app.published_versions
    (schema_name, table_name, version, change, undo_as, restores, row_count, bbox, table_shape,
     key_columns, source, job_id, details, published_at)
VALUES (%(schema_name)s, %(table_name)s, %(version)s, %(change)s, %(undo_as)s, %(restores)s,
        %(row_count)s, %(bbox)s, %(table_shape)s, %(key_columns)s, %(source)s, %(job_id)s,
        %(details)s, clock_timestamp())

-- name: forget_relations
-- These were dropped, or are in use again.
UPDATE app.published_versions
SET kept_as = CASE WHEN kept_as = ANY(%(relations)s) THEN NULL ELSE kept_as END,
    undo_as = CASE WHEN undo_as = ANY(%(relations)s) THEN NULL ELSE undo_as END
WHERE schema_name = %(schema_name)s AND table_name = %(table_name)s
  AND (kept_as = ANY(%(relations)s) OR undo_as = ANY(%(relations)s))

-- name: forget_versions
DELETE FROM app.published_versions
WHERE schema_name = %(schema_name)s AND table_name = %(table_name)s

-- name: forget_table
DELETE FROM app.published_tables
WHERE schema_name = %(schema_name)s AND table_name = %(table_name)s

-- name: relation
-- What has this name, of whatever kind: tables, views and indexes share their names.
SELECT c.oid::bigint AS oid, c.relkind::text AS kind, pg_get_userbyid(c.relowner) AS owner
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s

-- name: columns
-- Names and types, the types without their schemas.
SELECT a.attname AS name,
       regexp_replace(format_type(a.atttypid, a.atttypmod), '^("[^"]+"|[^."]+)\.', '') AS type
FROM pg_attribute a
WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum

-- name: settings
SELECT pg_get_userbyid(c.relowner) AS owner, c.relrowsecurity AS row_security,
       c.relforcerowsecurity AS force_row_security, coalesce(c.reloptions, '{}') AS options
FROM pg_class c
WHERE c.oid = %(oid)s

-- name: grants
-- A null grantee is PUBLIC, a null column the whole table.
SELECT g.column_name, CASE WHEN g.grantee <> 0 THEN pg_get_userbyid(g.grantee) END AS grantee,
       g.privilege_type AS privilege, g.is_grantable AS grantable
FROM (
    SELECT NULL::name AS column_name, a.*
    FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
    WHERE c.oid = %(oid)s
    UNION ALL
    SELECT t.attname, a.*
    FROM pg_attribute t, aclexplode(t.attacl) a
    WHERE t.attrelid = %(oid)s AND t.attnum > 0 AND NOT t.attisdropped
) g
ORDER BY 1, 2, 3

-- name: default_grants
-- What ALTER DEFAULT PRIVILEGES IN SCHEMA says of a table that this role makes there.
SELECT NULL AS column_name, CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END AS grantee,
       a.privilege_type AS privilege, a.is_grantable AS grantable
FROM pg_default_acl d, aclexplode(d.defaclacl) a
WHERE d.defaclobjtype = 'r' AND d.defaclrole = (SELECT oid FROM pg_roles WHERE rolname = current_user)
  AND d.defaclnamespace = to_regnamespace(quote_ident(%(schema)s))

-- name: comments
-- Of the relation (a null column) and of its columns.
SELECT a.attname AS column_name, d.description AS comment
FROM pg_description d
LEFT JOIN pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid AND d.objsubid <> 0
WHERE d.classoid = 'pg_class'::regclass AND d.objoid = %(oid)s
  AND (d.objsubid = 0 OR NOT a.attisdropped)
ORDER BY 1

-- name: policies
SELECT p.polname AS name, p.polpermissive AS permissive,
       CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                     WHEN 'd' THEN 'DELETE' ELSE 'ALL' END AS command,
       ARRAY(SELECT CASE WHEN r <> 0 THEN pg_get_userbyid(r)::text END FROM unnest(p.polroles) r)
           AS roles,
       pg_get_expr(p.polqual, p.polrelid) AS using,
       pg_get_expr(p.polwithcheck, p.polrelid) AS check
FROM pg_policy p
WHERE p.polrelid = %(oid)s
ORDER BY 1

-- name: indexes
-- `definition` is what follows USING; `constraint_kind` is p, u or x where a constraint owns
-- the index.
SELECT i.indexrelid::bigint AS oid, x.relname AS name, i.indisunique AS is_unique,
       substr(pg_get_indexdef(i.indexrelid), 1 + length(format(
           'CREATE %%sINDEX %%I ON %%I.%%I USING ',
           CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, x.relname, n.nspname, c.relname
       ))) AS definition,
       k.contype::text AS constraint_kind,
       pg_get_constraintdef(k.oid) AS constraint_definition,
       d.description AS comment
FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_constraint k
    ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
LEFT JOIN pg_description d
    ON d.objoid = i.indexrelid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
WHERE i.indrelid = %(oid)s
ORDER BY x.relname

-- name: checks
SELECT conname AS name, pg_get_constraintdef(oid) AS definition
FROM pg_constraint
WHERE conrelid = %(oid)s AND contype = 'c'
ORDER BY conname

-- name: names_in_schema
SELECT c.relname AS name
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND starts_with(c.relname, %(prefix)s)

-- name: dependents
-- The views and materialised views that read the relation, and those that read these: one row
-- for each pair of a view and a relation that it reads.
WITH RECURSIVE edges AS MATERIALIZED (
    SELECT DISTINCT w.ev_class AS dependent, d.refobjid AS relation
    FROM pg_depend d
    JOIN pg_rewrite w ON w.oid = d.objid AND w.rulename = '_RETURN'
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.refobjid <> w.ev_class
), found AS (
    SELECT dependent, relation FROM edges WHERE relation = %(oid)s
    UNION
    SELECT e.dependent, e.relation FROM edges e JOIN found f ON e.relation = f.dependent
)
SELECT f.relation::bigint AS relation, c.oid::bigint AS oid, c.relkind = 'm' AS is_materialised,
       n.nspname AS schema, c.relname AS name, pg_get_viewdef(c.oid) AS definition,
       coalesce(c.reloptions, '{}') AS options, c.relispopulated AS is_populated,
       pg_get_userbyid(c.relowner) AS owner, s.spcname AS tablespace
FROM found f
JOIN pg_class c ON c.oid = f.dependent
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
ORDER BY c.oid

-- name: obstacles
-- Whatever hangs on a relation or its row type and is not made again elsewhere: described.
SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) AS object
FROM pg_depend d
WHERE ((d.refclassid = 'pg_class'::regclass AND d.refobjid = %(oid)s)
       OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (
               SELECT unnest(ARRAY[t.oid, t.typarray]) FROM pg_type t WHERE t.typrelid = %(oid)s)))
  AND NOT CASE d.classid
      WHEN 'pg_type'::regclass THEN EXISTS (
          SELECT FROM pg_type t WHERE t.typrelid = %(oid)s AND d.objid IN (t.oid, t.typarray))
      WHEN 'pg_class'::regclass THEN EXISTS (
          SELECT FROM pg_index i WHERE i.indexrelid = d.objid AND i.indrelid = %(oid)s)
          OR EXISTS (
          SELECT FROM pg_class c WHERE c.oid = %(oid)s AND c.reltoastrelid = d.objid)
      WHEN 'pg_constraint'::regclass THEN EXISTS (
          SELECT FROM pg_constraint k
          WHERE k.oid = d.objid AND k.conrelid = %(oid)s AND k.contype IN ('p', 'u', 'x', 'c'))
      WHEN 'pg_policy'::regclass THEN EXISTS (
          SELECT FROM pg_policy p WHERE p.oid = d.objid AND p.polrelid = %(oid)s)
      WHEN 'pg_rewrite'::regclass THEN EXISTS (
          SELECT FROM pg_rewrite w WHERE w.oid = d.objid AND w.rulename = '_RETURN')
      WHEN 'pg_trigger'::regclass THEN EXISTS (
          SELECT FROM pg_trigger g WHERE g.oid = d.objid AND g.tgisinternal)
      ELSE false END
UNION
SELECT 'inheritance from table ' || inhparent::regclass FROM pg_inherits WHERE inhrelid = %(oid)s
ORDER BY 1

-- name: blockers
-- Who holds locks on these relations.
SELECT a.pid, coalesce(nullif(a.application_name, ''), 'a client') AS application,
       a.usename AS role, a.state,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds
FROM pg_stat_activity a
WHERE a.pid IN (
    SELECT l.pid
    FROM pg_locks l
    WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid()
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND l.relation::bigint = ANY(%(oids)s))
ORDER BY seconds DESC NULLS LAST

-- name: staged
-- Staged tables by job: those of `job` (its id's first digits), or all.
SELECT c.relname AS name
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'geo_staging' AND c.relkind = 'r' AND starts_with(c.relname, %(prefix)s)
ORDER BY 1

-- name: abandoned
-- Staged tables whose job needs them no more: it is unknown, or was completed, or can no longer
-- be resumed because its files between stages were removed.
SELECT c.relname AS name
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN app.jobs j ON starts_with(j.job_id, substr(c.relname, 2, 40))
WHERE n.nspname = 'geo_staging' AND c.relkind = 'r' AND c.relname ~ '^j[0-9a-f]{40}_'
  AND (j.job_id IS NULL OR j.status = 'completed' OR j.work_removed_at IS NOT NULL)
ORDER BY 1
