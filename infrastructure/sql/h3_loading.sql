-- Statistics of one job on their way into h3.zonal_stats: a table of the transaction's own, a row
-- for each cell and a column for each statistic, out of which rows are written and removed.
-- Names in braces are put in by psycopg.sql. {stored} is the theme's partition.

-- name: partition
SELECT to_regclass(%(name)s) IS NOT NULL AS exists

-- name: create_partition
-- Attached afterwards: that waits for no reader of the other themes, and none waits for it.
CREATE TABLE {stored} (LIKE h3.zonal_stats INCLUDING ALL)

-- name: attach_partition
ALTER TABLE h3.zonal_stats ATTACH PARTITION {stored} FOR VALUES IN ({theme})

-- name: create_staged
CREATE TEMPORARY TABLE h3_staged (
    h3_index        bigint NOT NULL,
    pixel_count     double precision NOT NULL,
    nodata_count    double precision NOT NULL,
    none            double precision
) ON COMMIT DROP

-- name: add_column
ALTER TABLE pg_temp.h3_staged ADD COLUMN {column} double precision

-- name: copy_staged
COPY pg_temp.h3_staged ({columns}) FROM STDIN (FORMAT binary)

-- name: index_staged
ALTER TABLE pg_temp.h3_staged ADD PRIMARY KEY (h3_index)

-- name: cells_before
-- How many of the job's cells had any statistic.
SELECT count(*) AS cells
FROM pg_temp.h3_staged AS staged
WHERE EXISTS (
    SELECT FROM {stored} AS stored
    WHERE stored.theme = %(theme)s AND stored.dataset_id = %(dataset_id)s
      AND stored.band = %(band)s AND stored.stat_type = ANY(%(statistics)s)
      AND stored.h3_index = staged.h3_index
)

-- name: remove
-- The rows of a statistic for those of the job's cells that have no value of it now. {column} is
-- one that is always null where the job does not have the statistic.
DELETE FROM {stored} AS stored
USING pg_temp.h3_staged AS staged
WHERE stored.theme = %(theme)s AND stored.dataset_id = %(dataset_id)s
  AND stored.band = %(band)s AND stored.stat_type = %(statistic)s
  AND stored.h3_index = staged.h3_index AND staged.{column} IS NULL

-- name: update
-- The rows of a statistic that are there and say something else.
UPDATE {stored} AS stored
SET value = staged.{column}, pixel_count = staged.pixel_count,
    nodata_count = staged.nodata_count, computed_at = now(), source_job_id = %(job_id)s
FROM pg_temp.h3_staged AS staged
WHERE stored.theme = %(theme)s AND stored.dataset_id = %(dataset_id)s
  AND stored.band = %(band)s AND stored.stat_type = %(statistic)s
  AND stored.h3_index = staged.h3_index AND staged.{column} IS NOT NULL
  AND (stored.value, stored.pixel_count, stored.nodata_count)
      IS DISTINCT FROM (staged.{column}, staged.pixel_count, staged.nodata_count)

-- name: insert
-- The rows of a statistic that are not there yet, which takes half the time of ON CONFLICT: nobody
-- else writes rows of the dataset. In the order of the primary key, whose pages are then written
-- one after the other.
INSERT INTO {stored} (
    theme, dataset_id, band, stat_type, h3_index, value, pixel_count, nodata_count, computed_at,
    source_job_id
)
SELECT %(theme)s, %(dataset_id)s, %(band)s, %(statistic)s, h3_index, {column}, pixel_count,
       nodata_count, now(), %(job_id)s
FROM pg_temp.h3_staged AS staged
WHERE {column} IS NOT NULL AND NOT EXISTS (
    SELECT FROM {stored} AS stored
    WHERE stored.theme = %(theme)s AND stored.dataset_id = %(dataset_id)s
      AND stored.band = %(band)s AND stored.stat_type = %(statistic)s
      AND stored.h3_index = staged.h3_index
)
ORDER BY h3_index

-- name: summary
-- What a layer holds of each statistic, and how much of it a job has written.
SELECT stat_type, min(value) AS smallest, max(value) AS largest,
       count(*) FILTER (WHERE source_job_id = %(job_id)s) AS written
FROM {stored} AS stored
WHERE theme = %(theme)s AND dataset_id = %(dataset_id)s AND band = %(band)s
  AND stat_type = ANY(%(statistics)s) AND h3_index >= %(low)s AND h3_index < %(high)s
GROUP BY stat_type
ORDER BY stat_type

-- name: put_dataset
-- What is said of a dataset stays where nothing new is said. What was once restricted stays so:
-- rows of then may still be among its rows.
INSERT INTO h3.datasets AS present (dataset_id, theme, title, unit, source, is_restricted)
VALUES (%(dataset_id)s, %(theme)s, %(title)s, %(unit)s, %(source)s, %(is_restricted)s)
ON CONFLICT (dataset_id) DO UPDATE
SET title = coalesce(excluded.title, present.title),
    unit = coalesce(excluded.unit, present.unit),
    source = excluded.source,
    is_restricted = present.is_restricted OR excluded.is_restricted,
    updated_at = now()
WHERE (present.title, present.unit, present.source, present.is_restricted)
    IS DISTINCT FROM
      (coalesce(excluded.title, present.title), coalesce(excluded.unit, present.unit),
       excluded.source, present.is_restricted OR excluded.is_restricted)

-- name: put_layer
INSERT INTO h3.dataset_layers AS present
    (dataset_id, resolution, band, weighting, cells, bounds, statistics, job_id)
VALUES (%(dataset_id)s, %(resolution)s, %(band)s, %(weighting)s, %(cells)s, %(bounds)s,
        %(statistics)s, %(job_id)s)
ON CONFLICT (dataset_id, resolution, band) DO UPDATE
SET weighting = excluded.weighting, cells = excluded.cells, bounds = excluded.bounds,
    statistics = excluded.statistics, job_id = excluded.job_id, updated_at = now()
WHERE (present.weighting, present.cells, present.bounds, present.statistics, present.job_id)
    IS DISTINCT FROM
      (excluded.weighting, excluded.cells, excluded.bounds, excluded.statistics, excluded.job_id)

-- name: remove_layer
DELETE FROM h3.dataset_layers
WHERE dataset_id = %(dataset_id)s AND resolution = %(resolution)s AND band = %(band)s
