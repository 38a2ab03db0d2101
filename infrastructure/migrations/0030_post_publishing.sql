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

-- Every version that was ever current. `change` says how it came to be; `details` holds the
-- rows that it added, updated, removed and left alone, and who asked for a rollback.
--
-- Two relations in geo_versions lead back to a version, and are null once they were dropped:
-- kept_as   holds the whole table as it was in this version, since another took its place;
-- undo_as   turns this version, which changed its predecessor in place, back into that one.
-- `restores` is the version whose rows a rollback brought back. A version can be brought back
-- if one of these ways leads to it: ask services.publishing.history, not kept_as alone.
CREATE TABLE IF NOT EXISTS app.published_versions (
    schema_name   text NOT NULL,
    table_name    text NOT NULL,
    version       integer NOT NULL,
    change        text NOT NULL CHECK (change IN ('replace', 'append', 'upsert', 'rollback')),
    kept_as       text,
    undo_as       text,
    restores      integer,
    row_count     bigint NOT NULL,
    bbox          double precision[],
    table_shape   jsonb NOT NULL,
    key_columns   text[] NOT NULL DEFAULT '{}',
    source        text NOT NULL,
    job_id        text NOT NULL,
    details       jsonb NOT NULL DEFAULT '{}',
    published_at  timestamptz NOT NULL DEFAULT now(),
    retired_at    timestamptz,
    PRIMARY KEY (schema_name, table_name, version)
);
CREATE INDEX IF NOT EXISTS published_versions_of_job ON app.published_versions (job_id);
