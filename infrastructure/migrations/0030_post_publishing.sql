-- Tables that geoforge publishes, their versions, and what process_vector did and found.
--
-- geo            what readers see
-- geo_staging    tables that a job fills and checks before anyone sees them
-- geo_versions   earlier versions, and what it takes to undo a change in place
CREATE SCHEMA IF NOT EXISTS geo;
CREATE SCHEMA IF NOT EXISTS geo_staging;
CREATE SCHEMA IF NOT EXISTS geo_versions;
REVOKE ALL ON SCHEMA geo_staging, geo_versions FROM PUBLIC;

-- What is published now. bbox is west, south, east, north in CRS84, null where nothing has
-- a geometry; table_shape is a core.models.feature_table.FeatureTable.
CREATE TABLE IF NOT EXISTS app.published_tables (
    schema_name      text NOT NULL,
    table_name       text NOT NULL,
    version          integer NOT NULL,
    title            text,
    description      text,
    attribution      text,
    restricted       boolean NOT NULL DEFAULT false,
    table_shape      jsonb NOT NULL,
    key_columns      text[] NOT NULL DEFAULT '{}',
    datetime_column  text,
    row_count        bigint NOT NULL,
    bbox             double precision[],
    source           text NOT NULL,
    job_id           text NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (schema_name, table_name)
);

-- Every version that was ever current. `change` says how it came to be. `kept_as` names the
-- relation in geo_versions that brings it (replace) or its predecessor (append, upsert) back;
-- null once that was dropped. `details` holds the counts of rows added, updated, removed.
CREATE TABLE IF NOT EXISTS app.published_versions (
    schema_name   text NOT NULL,
    table_name    text NOT NULL,
    version       integer NOT NULL,
    change        text NOT NULL CHECK (change IN ('replace', 'append', 'upsert', 'rollback')),
    kept_as       text,
    row_count     bigint NOT NULL,
    bbox          double precision[],
    table_shape   jsonb NOT NULL,
    source        text NOT NULL,
    job_id        text NOT NULL,
    details       jsonb NOT NULL DEFAULT '{}',
    published_at  timestamptz NOT NULL DEFAULT now(),
    retired_at    timestamptz,
    PRIMARY KEY (schema_name, table_name, version)
);
CREATE INDEX IF NOT EXISTS published_versions_of_job ON app.published_versions (job_id);
