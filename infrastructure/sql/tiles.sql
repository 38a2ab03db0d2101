-- Vector tiles. Names in braces are filled in by tiles_repository, as quoted identifiers and
-- expressions.

-- name: begin
-- All that the transaction reads is of one moment: that of its first query, after the lock. Times
-- are written in UTC. What a tile shows is read again by its key, for which reading the whole
-- table never pays; the planner thinks it does, as PostGIS tells it that its functions are slow.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL statement_timeout = {timeout_ms};
SET LOCAL TimeZone = 'UTC';
SET LOCAL jit = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
LOCK TABLE {table} IN ACCESS SHARE MODE;

-- name: statistics
-- What is known of the columns' values: how many bytes they take, and how many different ones
-- there are (negative: as a share of the rows).
SELECT attname AS name, avg_width AS bytes, n_distinct AS distinct_values
FROM pg_stats
WHERE schemaname = %(schema_name)s AND tablename = %(table_name)s AND NOT inherited;

-- name: tile
-- One tile. Of what is near, the largest come first; of equals a scattered choice. Where there is
-- a crowd, of all that begin in one pixel and are no larger than it the first one stands for all.
-- The names with spaces cannot be columns of the table.
WITH boxes AS MATERIALIZED (
    SELECT
        gid,
        ST_XMin(box) AS west, ST_XMax(box) - ST_XMin(box) AS width,
        ST_YMin(box) AS south, ST_YMax(box) - ST_YMin(box) AS height
    -- OFFSET keeps the box from being made four times.
    FROM (SELECT gid, Box2D(geom) AS box FROM {table} WHERE {near} OFFSET 0) AS near
),
pixels AS (
    SELECT
        gid,
        greatest(width / %(pixel_width)s::float8, height / %(pixel_height)s::float8) AS size,
        floor(west / %(pixel_width)s::float8) AS pixel_column,
        floor(south / %(pixel_height)s::float8) AS pixel_row
    FROM boxes
),
ranked AS (
    SELECT
        gid, size AS "its size",
        row_number() OVER (ORDER BY size DESC, hashint8(gid), gid) AS "its rank"
    FROM (
        SELECT
            gid, size,
            row_number() OVER (
                PARTITION BY pixel_column, pixel_row ORDER BY size DESC, hashint8(gid), gid
            ) AS turn
        FROM pixels
    ) AS in_turn
    WHERE size > 1 OR turn = 1 OR (SELECT count(*) FROM boxes) <= %(crowd)s
    ORDER BY "its rank"
    LIMIT %(features)s
)
SELECT
    ST_AsMVT(feature.*, %(layer)s, %(extent)s, 'geom', 'gid') AS tile,
    count(*) AS features,
    (SELECT count(*) FROM ranked) AS drawn,
    (SELECT count(*) FROM boxes) AS found
FROM (
    SELECT {columns}
    FROM ranked
    JOIN {table} AS stored USING (gid)
    CROSS JOIN LATERAL (SELECT {geometry} AS geom) AS drawn
    WHERE drawn.geom IS NOT NULL
    ORDER BY "its rank"
) AS feature;
