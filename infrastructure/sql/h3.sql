-- Statistics by the cells of the H3 grid: what is known of datasets, and their rows.
-- Names and literals in braces are put in by psycopg.sql: COPY takes no parameters.

-- name: datasets
SELECT dataset_id, theme, title, unit, source, is_restricted, created_at, updated_at
FROM h3.datasets
WHERE (%(theme)s::text IS NULL OR theme = %(theme)s)
  AND (%(after)s::text IS NULL OR dataset_id > %(after)s)
ORDER BY dataset_id
LIMIT %(limit)s

-- name: dataset
SELECT dataset_id, theme, title, unit, source, is_restricted, created_at, updated_at
FROM h3.datasets
WHERE dataset_id = %(dataset_id)s

-- name: layers
SELECT dataset_id, resolution, band, weighting, cells, bounds, statistics, job_id, updated_at
FROM h3.dataset_layers
WHERE dataset_id = ANY(%(dataset_ids)s)
ORDER BY dataset_id, resolution, band

-- name: rows
-- One row for each cell. The rows of all statistics are merged in the order of the primary key,
-- so that nothing is sorted and the first rows come at once: see in_order.
COPY (
    SELECT h3_index, max(pixel_count), max(nodata_count), {values}
    FROM ({statistics}) AS merged
    GROUP BY h3_index
    ORDER BY h3_index
    LIMIT {limit}
) TO STDOUT (FORMAT binary)

-- name: in_order
-- The planner takes the cells of a dataset for some hundreds, of which a hash table is soon made,
-- where they are millions: to the end of the transaction, it is to follow the primary key.
SELECT set_config('enable_hashagg', 'off', true), set_config('enable_sort', 'off', true),
       set_config('max_parallel_workers_per_gather', '0', true)

-- name: rows_of_statistic
SELECT h3_index, {place} AS place, value, pixel_count, nodata_count
FROM h3.zonal_stats
WHERE theme = {theme} AND dataset_id = {dataset_id} AND band = {band} AND stat_type = {statistic}
  AND h3_index >= {low} AND h3_index < {high}
ORDER BY h3_index

-- name: value_of_statistic
coalesce(max(value) FILTER (WHERE place = {place}), 'NaN')
