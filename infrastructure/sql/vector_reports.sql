-- Quality reports of process_vector: app.vector_reports, vector_chunks, vector_repairs,
-- vector_quarantine; and what app.published_tables and published_versions say of its tables.

-- name: begin
-- A run that begins again (a resume) keeps its first time.
INSERT INTO app.vector_reports (job_id, source, inference)
VALUES (%(job_id)s, %(source)s, %(inference)s)
ON CONFLICT (job_id) DO UPDATE
SET source = excluded.source, inference = excluded.inference

-- name: chunk
SELECT counts FROM app.vector_chunks
WHERE job_id = %(job_id)s AND layer = %(layer)s AND chunk = %(chunk)s

-- name: record_chunk
INSERT INTO app.vector_chunks (job_id, layer, chunk, counts)
VALUES (%(job_id)s, %(layer)s, %(chunk)s, %(counts)s)
ON CONFLICT DO NOTHING

-- name: planned_together
SELECT EXISTS (
    SELECT FROM app.published_versions v JOIN app.vector_reports r USING (job_id)
    WHERE v.schema_name = %(schema)s AND v.table_name = %(table)s
      AND r.inference @> %(layers)s
) AS together

-- name: forget_chunks
WITH chunks AS (DELETE FROM app.vector_chunks WHERE job_id = %(job_id)s),
     repairs AS (DELETE FROM app.vector_repairs WHERE job_id = %(job_id)s)
DELETE FROM app.vector_quarantine WHERE job_id = %(job_id)s

-- name: correct
-- The corrections of a layer are a chunk of their own, written anew by each.
INSERT INTO app.vector_chunks (job_id, layer, chunk, counts)
VALUES (%(job_id)s, %(layer)s, %(chunk)s, %(counts)s)
ON CONFLICT (job_id, layer, chunk) DO UPDATE SET counts = excluded.counts

-- name: chunk_counts
SELECT layer, counts FROM app.vector_chunks
WHERE job_id = %(job_id)s
ORDER BY layer, chunk

-- name: create_repairs_in
-- What a child fills by COPY. Without the ids: it cannot write into the report of another run.
CREATE TEMPORARY TABLE vector_repairs_in (
    source_row     bigint NOT NULL,
    kinds          text[] NOT NULL,
    detail         text,
    fault_at       geometry(Point, 4326),
    area_before    double precision,
    area_after     double precision,
    length_before  double precision,
    length_after   double precision,
    before         geometry(Geometry, 4326),
    after          geometry(Geometry, 4326)
) ON COMMIT DROP

-- name: copy_repairs
COPY pg_temp.vector_repairs_in FROM STDIN (FORMAT binary)

-- name: keep_repairs
INSERT INTO app.vector_repairs
    (job_id, layer, source_row, kinds, detail, fault_at, area_before, area_after,
     length_before, length_after, before, after)
SELECT %(job_id)s, %(layer)s, source_row, kinds, detail, fault_at, area_before, area_after,
       length_before, length_after, before, after
FROM pg_temp.vector_repairs_in
ORDER BY source_row

-- name: create_quarantine_in
CREATE TEMPORARY TABLE vector_quarantine_in (
    source_row     bigint NOT NULL,
    reason         text NOT NULL,
    detail         text NOT NULL,
    properties     jsonb NOT NULL,
    raw            text,
    raw_truncated  boolean NOT NULL,
    geom           geometry(Geometry, 4326)
) ON COMMIT DROP

-- name: copy_quarantine
COPY pg_temp.vector_quarantine_in FROM STDIN (FORMAT binary)

-- name: keep_quarantine
INSERT INTO app.vector_quarantine
    (job_id, layer, source_row, reason, detail, properties, raw, raw_truncated, geom)
SELECT %(job_id)s, %(layer)s, source_row, reason, detail, properties, raw, raw_truncated, geom
FROM pg_temp.vector_quarantine_in
ORDER BY source_row

-- name: add_quarantine
-- `rows` is a statement that returns the columns of vector_quarantine_in; it may be a DELETE.
WITH found AS ({rows}), kept AS (
    INSERT INTO app.vector_quarantine
        (job_id, layer, source_row, reason, detail, properties, raw, raw_truncated, geom)
    SELECT %(job_id)s, %(layer)s, source_row, reason, detail, properties, raw, raw_truncated, geom
    FROM found
    ORDER BY source_row
    RETURNING reason
)
SELECT reason, count(*) AS rows FROM kept GROUP BY reason

-- name: take_out
-- Rows out of a staged table, by gid, as they go into quarantine.
DELETE FROM {staged} AS s
USING unnest(%(gids)s::bigint[], %(details)s::text[]) AS wanted (gid, detail)
WHERE s.gid = wanted.gid
RETURNING s.gid AS source_row, %(reason)s::text AS reason, wanted.detail AS detail,
          {properties} AS properties, NULL::text AS raw, false AS raw_truncated, {geom} AS geom

-- name: finish
UPDATE app.vector_reports
SET counts = %(counts)s, tables = %(tables)s, finished_at = clock_timestamp()
WHERE job_id = %(job_id)s

-- name: reports
-- Newest first, with the state of the job; one that was deleted leaves its report.
SELECT r.job_id, r.source, r.counts, r.tables, r.created_at, r.finished_at, j.status
FROM app.vector_reports AS r
LEFT JOIN app.jobs AS j USING (job_id)
WHERE %(time)s::timestamptz IS NULL
   OR (r.created_at, r.job_id) < (%(time)s::timestamptz, %(before)s::text)
ORDER BY r.created_at DESC, r.job_id DESC
LIMIT %(limit)s

-- name: report
SELECT r.job_id, r.source, r.inference, r.counts, r.tables, r.created_at, r.finished_at,
       j.status, j.error, j.parameters, j.started_at
FROM app.vector_reports AS r
LEFT JOIN app.jobs AS j USING (job_id)
WHERE r.job_id = %(job_id)s

-- name: has_report
SELECT EXISTS (SELECT FROM app.vector_reports WHERE job_id = %(job_id)s) AS found

-- name: is_restricted
-- Whether the rows of a run are shown to holders of a key only: those of a restricted table, or of
-- an update of a restricted dataset that has not published them. What a dataset was that is no
-- longer in the registry, nobody knows.
SELECT coalesce(
    (SELECT bool_or(t.restricted)
     FROM app.published_versions AS v
     JOIN app.published_tables AS t USING (schema_name, table_name)
     WHERE v.job_id = %(job_id)s),
    (SELECT coalesce(d.restricted, true)
     FROM app.curated_update_log AS l
     LEFT JOIN app.curated_datasets AS d USING (dataset_id)
     WHERE l.job_id = %(job_id)s),
    false
) AS restricted

-- name: repairs
-- A page of repairs, without the geometries; `drawn` says that there are some.
SELECT repair_id, layer, source_row, kinds, detail, ST_X(fault_at) AS fault_x,
       ST_Y(fault_at) AS fault_y, area_before, area_after, length_before, length_after,
       coalesce(before, after) IS NOT NULL AS drawn
FROM app.vector_repairs
WHERE job_id = %(job_id)s
  AND repair_id > %(after)s
  AND (%(kind)s::text IS NULL OR %(kind)s::text = ANY(kinds))
ORDER BY repair_id
LIMIT %(limit)s

-- name: repair
SELECT repair_id, layer, source_row, kinds, detail, ST_X(fault_at) AS fault_x,
       ST_Y(fault_at) AS fault_y, area_before, area_after, length_before, length_after,
       ST_AsBinary(before) AS before, ST_AsBinary(after) AS after
FROM app.vector_repairs
WHERE job_id = %(job_id)s AND repair_id = %(repair_id)s

-- name: first_drawn_repair
-- The one to show before any was chosen.
SELECT repair_id FROM app.vector_repairs
WHERE job_id = %(job_id)s
  AND repair_id > %(after)s
  AND (%(kind)s::text IS NULL OR %(kind)s::text = ANY(kinds))
  AND coalesce(before, after) IS NOT NULL
ORDER BY repair_id
LIMIT 1

-- name: repair_features
-- GeoJSON features of repairs: the geometry before, the one after, and where the fault is.
SELECT r.repair_id AS id, drawing.feature
FROM app.vector_repairs AS r
CROSS JOIN LATERAL (
    VALUES ('before', r.before), ('after', r.after), ('fault', r.fault_at)
) AS part (role, geom)
CROSS JOIN LATERAL (
    SELECT json_build_object(
        'type', 'Feature',
        'geometry', ST_AsGeoJSON(part.geom, 9)::json,
        'properties', json_build_object(
            '_role', part.role, '_repair', r.repair_id, '_layer', r.layer,
            '_source_row', r.source_row, '_kinds', r.kinds, '_detail', r.detail,
            '_area_before', r.area_before, '_area_after', r.area_after,
            '_length_before', r.length_before, '_length_after', r.length_after
        )
    )::text AS feature
) AS drawing
WHERE r.job_id = %(job_id)s
  AND r.repair_id > %(after)s
  AND (%(filter)s::text IS NULL OR %(filter)s::text = ANY(r.kinds))
  AND part.geom IS NOT NULL
  AND ST_AsText(part.geom) !~* 'nan|inf'
ORDER BY r.repair_id, part.role DESC

-- name: quarantine
SELECT quarantine_id, layer, source_row, reason, detail, properties, raw, raw_truncated,
       geom IS NOT NULL AND NOT ST_IsEmpty(geom) AS drawn
FROM app.vector_quarantine
WHERE job_id = %(job_id)s
  AND quarantine_id > %(after)s
  AND (%(reason)s::text IS NULL OR reason = %(reason)s)
ORDER BY quarantine_id
LIMIT %(limit)s

-- name: quarantined
SELECT quarantine_id, layer, source_row, reason, detail, properties, raw, raw_truncated,
       ST_AsBinary(geom) AS geom
FROM app.vector_quarantine
WHERE job_id = %(job_id)s AND quarantine_id = %(quarantine_id)s

-- name: quarantine_features
-- GeoJSON features of the quarantine. JSON has no NaN: a geometry that holds one is left out,
-- and is still in `_raw`.
SELECT quarantine_id AS id,
       json_build_object(
           'type', 'Feature',
           'id', quarantine_id,
           'geometry',
           CASE WHEN ST_AsText(geom) !~* 'nan|inf' THEN ST_AsGeoJSON(geom, 9)::json END,
           'properties', properties || jsonb_build_object(
               '_reason', reason, '_detail', detail, '_layer', layer,
               '_source_row', source_row, '_raw', raw, '_raw_truncated', raw_truncated
           )
       )::text AS feature
FROM app.vector_quarantine
WHERE job_id = %(job_id)s
  AND quarantine_id > %(after)s
  AND (%(filter)s::text IS NULL OR reason = %(filter)s)
ORDER BY quarantine_id

-- name: places
-- Where the first repairs and quarantined geometries are, for an overview.
(SELECT 'repair' AS what, repair_id AS id, ST_X(fault_at) AS x, ST_Y(fault_at) AS y
 FROM app.vector_repairs
 WHERE job_id = %(job_id)s AND fault_at IS NOT NULL
 ORDER BY repair_id
 LIMIT %(limit)s)
UNION ALL
(SELECT 'quarantine', quarantine_id,
        (ST_XMin(geom) + ST_XMax(geom)) / 2, (ST_YMin(geom) + ST_YMax(geom)) / 2
 FROM app.vector_quarantine
 WHERE job_id = %(job_id)s AND NOT ST_IsEmpty(geom)
 ORDER BY quarantine_id
 LIMIT %(limit)s)
