-- What process_vector read, repaired and set aside.

-- One row a run. `source` names the file; `inference` is what was found in it and why;
-- `counts` the totals, written when they are known.
CREATE TABLE IF NOT EXISTS app.vector_reports (
    job_id       text PRIMARY KEY,
    source       jsonb NOT NULL,
    inference    jsonb NOT NULL DEFAULT '{}',
    counts       jsonb,
    tables       jsonb NOT NULL DEFAULT '[]',
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz
);
CREATE INDEX IF NOT EXISTS vector_reports_newest ON app.vector_reports (created_at DESC, job_id DESC);

-- A chunk whose rows are staged, written by the transaction that staged them: an attempt that
-- comes after a crash finds its work done.
CREATE TABLE IF NOT EXISTS app.vector_chunks (
    job_id     text NOT NULL,
    layer      integer NOT NULL,
    chunk      integer NOT NULL,
    counts     jsonb NOT NULL,
    staged_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, layer, chunk)
);

-- Each geometry that was changed. source_row counts the layer's records from 1. Location and
-- geometries are in WGS 84, null where the record did not get that far; areas in square
-- metres, lengths in metres, on the ellipsoid. The geometries are kept for the first ones of
-- a chunk and left out of the rest.
CREATE TABLE IF NOT EXISTS app.vector_repairs (
    repair_id      bigint GENERATED ALWAYS AS IDENTITY,
    job_id         text NOT NULL,
    layer          integer NOT NULL,
    source_row     bigint NOT NULL,
    kinds          text[] NOT NULL,
    detail         text,
    fault_at       geometry(Point, 4326),
    area_before    double precision,
    area_after     double precision,
    length_before  double precision,
    length_after   double precision,
    before         geometry(Geometry, 4326),
    after          geometry(Geometry, 4326),
    PRIMARY KEY (job_id, repair_id)
);

-- Each record that was read and not loaded, with the text or bytes that it had.
CREATE TABLE IF NOT EXISTS app.vector_quarantine (
    quarantine_id  bigint GENERATED ALWAYS AS IDENTITY,
    job_id         text NOT NULL,
    layer          integer NOT NULL,
    source_row     bigint NOT NULL,
    reason         text NOT NULL,
    detail         text NOT NULL,
    properties     jsonb NOT NULL DEFAULT '{}',
    raw            text,
    raw_truncated  boolean NOT NULL DEFAULT false,
    geom           geometry(Geometry, 4326),
    PRIMARY KEY (job_id, quarantine_id)
);
CREATE INDEX IF NOT EXISTS vector_quarantine_by_reason
    ON app.vector_quarantine (job_id, reason, quarantine_id);
