-- Curated datasets: what is registered, every attempt to update it, and every version.

-- See core.models.curated.CuratedDefinition for what a user says; `revision` is the ETag.
CREATE TABLE IF NOT EXISTS app.curated_datasets (
    dataset_id         text PRIMARY KEY,
    name               text NOT NULL,
    description        text,
    source_type        text NOT NULL
        CHECK (source_type IN ('api_bulk_download', 'api_paginated', 'manual')),
    source_url         text,
    source_config      jsonb NOT NULL DEFAULT '{}',
    handler            text NOT NULL,
    job_type           text NOT NULL DEFAULT 'curated_update',
    update_strategy    text NOT NULL CHECK (update_strategy IN ('full_replace', 'upsert')),
    update_schedule    text,
    credential_key     text CHECK (credential_key ~ '^[A-Z][A-Z0-9_]+$'),
    target_table_name  text NOT NULL CHECK (target_table_name ~ '^curated_[a-z0-9_]+$'),
    target_schema      text NOT NULL DEFAULT 'geo',
    enabled            boolean NOT NULL DEFAULT false,
    restricted         boolean NOT NULL DEFAULT false,
    gates              jsonb NOT NULL DEFAULT '{}',
    keep_versions      integer NOT NULL DEFAULT 2,
    licence            text,
    attribution        text,
    revision           integer NOT NULL DEFAULT 1,
    schedule_from      timestamptz NOT NULL DEFAULT now(),
    source_version     text,
    rejected_version   text,
    last_checked_at    timestamptz,
    last_updated_at    timestamptz,
    last_job_id        text,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    UNIQUE (target_schema, target_table_name),
    CHECK (source_type <> 'manual' OR update_schedule IS NULL)
);

-- Every attempt, and what became of it. It has no foreign key: the log of a dataset that was
-- deleted stays. `job_id` is null where no job was begun: a run that could not start, a rollback.
-- `base_version` is the version of the table that the attempt was compared with;
-- `details` holds the plan, the gates and their verdicts, and where the time went.
CREATE TABLE IF NOT EXISTS app.curated_update_log (
    log_id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset_id         text NOT NULL,
    job_id             text,
    update_type        text NOT NULL CHECK (update_type IN ('scheduled', 'manual', 'triggered')),
    action             text NOT NULL DEFAULT 'update'
        CHECK (action IN ('update', 'publish', 'rollback')),
    actor              text,
    due_at             timestamptz,
    dry_run            boolean NOT NULL DEFAULT false,
    forced             boolean NOT NULL DEFAULT false,
    source_version     text,
    source_bytes       bigint,
    base_version       integer,
    published_version  integer,
    records_added      bigint,
    records_updated    bigint,
    records_deleted    bigint,
    records_unchanged  bigint,
    records_total      bigint,
    records_quarantined bigint,
    status             text NOT NULL CHECK (status IN ('started', 'downloading', 'processing',
                           'completed', 'failed', 'skipped', 'cancelled')),
    error_code         text,
    error_message      text,
    details            jsonb NOT NULL DEFAULT '{}',
    started_at         timestamptz NOT NULL DEFAULT now(),
    completed_at       timestamptz,
    duration_seconds   double precision GENERATED ALWAYS AS
        (extract(epoch FROM completed_at - started_at)) STORED
);
CREATE INDEX IF NOT EXISTS curated_update_log_newest
    ON app.curated_update_log (dataset_id, log_id DESC);
CREATE UNIQUE INDEX IF NOT EXISTS curated_update_log_of_job
    ON app.curated_update_log (job_id);
-- One update of a dataset at a time, whoever begins it.
CREATE UNIQUE INDEX IF NOT EXISTS curated_update_log_one_open
    ON app.curated_update_log (dataset_id) WHERE completed_at IS NULL;
-- What fell due is run once.
CREATE UNIQUE INDEX IF NOT EXISTS curated_update_log_due
    ON app.curated_update_log (dataset_id, due_at) WHERE due_at IS NOT NULL;

-- Every version that was staged whole. `state`: staged on its way (one that a gate stopped is
-- held), then published, or discarded. `staged` is its table in geo_staging until then, and
-- `version` that of app.published_versions. `definition_digest` is that of the dataset's definition
-- as the source was read by it, `source_columns` are those that the source had ({name: type}),
-- `files` what was fetched (blob, bytes, sha256). A `snapshot` is the whole dataset, an `increment`
-- what changed; `deletions` is a staged table of the keys whose rows go.
CREATE TABLE IF NOT EXISTS app.curated_versions (
    version_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset_id       text NOT NULL,
    job_id           text NOT NULL UNIQUE,
    log_id           bigint,
    state            text NOT NULL CHECK (state IN ('staged', 'held', 'published', 'discarded')),
    staged           text,
    deletions        text,
    delivers         text NOT NULL DEFAULT 'snapshot'
        CHECK (delivers IN ('snapshot', 'increment')),
    table_shape      jsonb NOT NULL,
    key_columns      text[] NOT NULL DEFAULT '{}',
    base_version     integer,
    version          integer,
    source_version   text NOT NULL,
    definition_digest text NOT NULL,
    source_columns   jsonb NOT NULL,
    files            jsonb NOT NULL,
    licence          text,
    records_read     bigint NOT NULL,
    records_loaded   bigint NOT NULL,
    records_quarantined bigint NOT NULL,
    row_count        bigint NOT NULL,
    bbox             double precision[],
    changes          jsonb,
    gates            jsonb NOT NULL DEFAULT '[]',
    created_at       timestamptz NOT NULL DEFAULT now(),
    published_at     timestamptz
);
CREATE INDEX IF NOT EXISTS curated_versions_newest
    ON app.curated_versions (dataset_id, version_id DESC);

-- How a collection is drawn. style_spec holds {layers, legend}: MapLibre layers without their
-- source, and the legend's entries in their order. `seeded_digest` is that of a style as geoforge
-- made it: one that differs from it was edited since, and is left alone. Null: a user made it.
CREATE TABLE IF NOT EXISTS geo.feature_collection_styles (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection_id  text NOT NULL,
    style_id       text NOT NULL,
    title          text,
    description    text,
    style_spec     jsonb NOT NULL,
    is_default     boolean NOT NULL DEFAULT false,
    seeded_digest  text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (collection_id, style_id)
);
CREATE UNIQUE INDEX IF NOT EXISTS feature_collection_styles_one_default
    ON geo.feature_collection_styles (collection_id) WHERE is_default;
