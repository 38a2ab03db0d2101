-- Statistics of rasters by the cells of the H3 grid, one row for each cell, band and statistic.
--
-- A theme is a partition, which the first dataset of the theme brings. The key's columns are in
-- this order because all that is asked for names dataset and statistic, and then a range of
-- cells: those under one parent are neighbours in it.
CREATE TABLE IF NOT EXISTS h3.zonal_stats (
    theme           text NOT NULL,
    h3_index        bigint NOT NULL,
    dataset_id      text NOT NULL,
    band            integer NOT NULL,
    stat_type       text NOT NULL,
    value           double precision NOT NULL,
    pixel_count     double precision NOT NULL,
    nodata_count    double precision NOT NULL,
    computed_at     timestamptz NOT NULL,
    source_job_id   text NOT NULL,
    PRIMARY KEY (theme, dataset_id, band, stat_type, h3_index)
) PARTITION BY LIST (theme);

-- What is known of the datasets in it. A dataset's rows are of one theme; it may hold several
-- resolutions and bands.
CREATE TABLE IF NOT EXISTS h3.datasets (
    dataset_id      text PRIMARY KEY,
    theme           text NOT NULL,
    title           text,
    unit            text,
    source          jsonb NOT NULL,
    is_restricted   boolean NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);

-- What a dataset holds of each resolution and band, so that nobody counts millions of rows.
-- Its cells may have been computed by several jobs: `weighting` is mixed where in several ways.
-- `bounds` are west, south, east, north in degrees, west beyond east across the antimeridian.
CREATE TABLE IF NOT EXISTS h3.dataset_layers (
    dataset_id      text NOT NULL REFERENCES h3.datasets ON DELETE CASCADE,
    resolution      integer NOT NULL CHECK (resolution BETWEEN 0 AND 15),
    band            integer NOT NULL,
    weighting       text NOT NULL CHECK (weighting IN ('exact', 'centroid', 'mixed')),
    cells           bigint NOT NULL,
    bounds          double precision[] NOT NULL,
    statistics      jsonb NOT NULL,         -- {stat_type: {"min": ..., "max": ...}}
    job_id          text NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dataset_id, resolution, band)
);
