-- Overviews of published tables, from which the tiles of small zooms are made. Names in braces are
-- filled in by overviews_repository, as quoted identifiers and expressions.

-- name: begin
-- The overview is of one moment: that of the first query, after the lock.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
SET LOCAL application_name = 'geoforge overview';
SET LOCAL jit = off;
SET LOCAL work_mem = '64MB';
LOCK TABLE {table} IN ACCESS SHARE MODE;

-- name: record
INSERT INTO app.tile_overviews (schema_name, table_name, token, row_count)
VALUES (%(schema_name)s, %(table_name)s, %(token)s, 0)
RETURNING overview_id;

-- name: record_failure
INSERT INTO app.tile_overviews (schema_name, table_name, token, row_count, error)
VALUES (%(schema_name)s, %(table_name)s, %(token)s, 0, %(error)s)
ON CONFLICT (schema_name, table_name, token) DO NOTHING;

-- name: forget_failures
DELETE FROM app.tile_overviews
WHERE error IS NOT NULL AND created_at < now() - interval '1 day';

-- name: stop_making
-- The activity of all servers is read anew: within a transaction it stays as it was first seen.
SELECT pg_stat_clear_snapshot();
SELECT pg_cancel_backend(a.pid)
FROM pg_stat_activity a
WHERE a.application_name = 'geoforge overview' AND a.usename = current_user
  AND a.pid IN (
      SELECT l.pid
      FROM pg_locks l
      WHERE l.locktype = 'relation' AND l.granted
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.relation::bigint = ANY({oids}));

-- name: make
-- A feature is drawn from the zoom on at which it is as large as a pixel, or is the largest of
-- the smaller ones that begin in its pixel; of equals a scattered choice, as in tiles.sql. One
-- that is not drawn at the deepest zoom is left out. Columns and rows of pixels are counted from
-- beyond the edges of the world, and with the zoom they make one number, for that groups fastest.
CREATE TABLE {overview} AS
WITH drawn AS MATERIALIZED (
    SELECT gid, {geometry} AS geom FROM {table} WHERE {world}
),
measured AS MATERIALIZED (
    SELECT
        gid, west, south, size,
        CASE
            WHEN size > 0 THEN greatest(0, ceil(ln({pixel} / size) / ln(2)))
            ELSE 'Infinity'
        END AS own_zoom,
        row_number() OVER (ORDER BY size DESC, hashint8(gid), gid) AS rank
    FROM (
        SELECT
            gid, ST_XMin(box) AS west, ST_YMin(box) AS south,
            greatest(ST_XMax(box) - ST_XMin(box), ST_YMax(box) - ST_YMin(box)) AS size
        FROM (SELECT gid, Box2D(geom) AS box FROM drawn WHERE NOT ST_IsEmpty(geom)) AS boxes
    ) AS sized
),
pixels AS (
    SELECT
        rank, zoom,
        (zoom::bigint << 50)
            | ((floor(west / width)::bigint + (1 << 24)) << 25)
            | (floor(south / width)::bigint + (1 << 24)) AS pixel
    FROM measured
    CROSS JOIN LATERAL (
        SELECT zoom, {pixel} / 2 ^ zoom AS width
        FROM generate_series(0, least({deepest}, own_zoom - 1)::integer) AS zoom
    ) AS far
),
first_in_pixel AS (
    SELECT rank, min(zoom) AS zoom
    FROM (SELECT min(zoom) AS zoom, min(rank) AS rank FROM pixels GROUP BY pixel) AS firsts
    GROUP BY rank
),
zooms AS MATERIALIZED (
    SELECT gid, size, rank, least(own_zoom, first_in_pixel.zoom) AS zoom
    FROM measured
    LEFT JOIN first_in_pixel USING (rank)
)
SELECT
    gid, zooms.zoom::smallint AS {zoom}, zooms.size AS {size}, zooms.rank AS {rank},
    drawn.geom{columns}
FROM zooms
JOIN drawn USING (gid)
JOIN {table} AS stored USING (gid)
WHERE zooms.zoom <= {deepest}
ORDER BY zooms.zoom, drawn.geom;

-- name: make_far
-- The part of an overview that is drawn at the smallest zooms, with still fewer points. It is read
-- from the largest on.
CREATE TABLE {far} AS
SELECT gid, {zoom}, {size}, {rank}, ST_Simplify(geom, {tolerance}, true) AS geom{columns}
FROM {overview}
WHERE {zoom} <= {deepest}
ORDER BY {rank};

-- name: finish
ALTER TABLE {overview} ADD PRIMARY KEY (gid);
CREATE INDEX ON {overview} ({rank});
CREATE INDEX ON {overview} USING gist (geom);
ANALYZE {overview};

-- name: count
UPDATE app.tile_overviews
SET row_count = (SELECT count(*) FROM {overview})
WHERE overview_id = %(overview_id)s
RETURNING row_count;

-- name: current
SELECT overview_id
FROM app.tile_overviews
WHERE schema_name = %(schema_name)s AND table_name = %(table_name)s AND token = %(token)s
  AND error IS NULL;

-- name: hold
LOCK TABLE {overview} IN ACCESS SHARE MODE;

-- name: sizes
-- The published tables with their sizes, without indexes.
SELECT
    schema_name, table_name,
    pg_table_size(to_regclass(format('%I.%I', schema_name, table_name))) AS bytes
FROM app.published_tables;

-- name: all
SELECT overview_id, schema_name, table_name, token FROM app.tile_overviews;

-- name: forget
DELETE FROM app.tile_overviews WHERE overview_id = %(overview_id)s;

-- name: patience
SET LOCAL lock_timeout = {};

-- name: drop
DROP TABLE IF EXISTS {overview}, {far};
