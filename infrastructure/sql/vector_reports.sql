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

-- name: delete_run
WITH chunks AS (DELETE FROM app.vector_chunks WHERE job_id = %(job_id)s),
     repairs AS (DELETE FROM app.vector_repairs WHERE job_id = %(job_id)s),
     quarantine AS (DELETE FROM app.vector_quarantine WHERE job_id = %(job_id)s)
DELETE FROM app.vector_reports WHERE job_id = %(job_id)s
