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

-- name: limit_time
SET LOCAL statement_timeout = {};

-- name: size
-- How many bytes a table takes, without its indexes.
SELECT pg_table_size(to_regclass(format('%%I.%%I', %(schema_name)s::text, %(table_name)s::text)))
    AS bytes;

-- name: statistics
-- What is known of the columns' values: how many bytes they take, and how many different ones
-- there are (negative: as a share of the rows).
SELECT attname AS name, avg_width AS bytes, n_distinct AS distinct_values
FROM pg_stats
WHERE schemaname = %(schema_name)s AND tablename = %(table_name)s AND NOT inherited;

-- name: tile_of_table
-- One tile, with how many features are near it and how many were chosen to be drawn. The largest
-- come first, of equals a scattered choice. In a crowd, one stands for all that begin in the same
-- pixel and are smaller than it.
WITH boxes AS MATERIALIZED (
    SELECT
        gid,
        ST_XMin(box) AS west, ST_XMax(box) - ST_XMin(box) AS width,
        ST_YMin(box) AS south, ST_YMax(box) - ST_YMin(box) AS height
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
in_turn AS (
    SELECT
        gid, size,
        row_number() OVER (
            PARTITION BY size < 1, pixel_column, pixel_row
            ORDER BY size DESC, hashint8(gid), gid
        ) AS turn
    FROM pixels
),
chosen AS MATERIALIZED (
    SELECT gid, size, row_number() OVER (ORDER BY size DESC, hashint8(gid), gid) AS rank
    FROM in_turn
    WHERE size >= 1 OR turn = 1 OR (SELECT count(*) FROM boxes) <= %(crowd)s
    ORDER BY rank
    LIMIT %(features)s
)
SELECT
    ST_AsMVT(feature.*, %(layer)s, %(extent)s, 'geom', 'gid') AS tile,
    count(*) AS features,
    (SELECT count(*) FROM chosen) AS drawn,
    (SELECT count(*) FROM boxes) AS found
FROM (
    SELECT {columns}
    FROM chosen
    JOIN {table} AS stored USING (gid)
    CROSS JOIN LATERAL (SELECT {geometry} AS geom OFFSET 0) AS drawn
    WHERE drawn.geom IS NOT NULL
    ORDER BY chosen.rank
) AS feature;

-- name: tile_of_overview
-- The same from an overview, which knows the sizes and the ranks, and what is drawn at which zoom.
-- How many features are near is not counted: that would take longer than the tile.
SELECT
    ST_AsMVT(feature.*, %(layer)s, %(extent)s, 'geom', 'gid') AS tile,
    count(*) AS features, count(*) AS drawn, NULL AS found
FROM (
    SELECT {columns}
    FROM (
        SELECT *, row_number() OVER (ORDER BY {rank}) AS "place in the tile"
        FROM {table}
        WHERE {near} AND {zoom} <= %(zoom)s
        ORDER BY {rank}
        LIMIT %(features)s
    ) AS stored
    CROSS JOIN LATERAL (
        SELECT stored.{size} / %(pixel)s::float8 AS size, "place in the tile" AS rank
    ) AS chosen
    CROSS JOIN LATERAL (SELECT {geometry} AS geom OFFSET 0) AS drawn
    WHERE drawn.geom IS NOT NULL
    ORDER BY chosen.rank
) AS feature;
