-- Figures that handlers show of their work (files copied, bytes, cells), for the dashboard.
-- One row for each figure: workers write at the same time, and the last one wins per figure.
CREATE TABLE IF NOT EXISTS app.job_context (
    job_id      text NOT NULL REFERENCES app.jobs ON DELETE CASCADE,
    name        text NOT NULL,
    value       jsonb NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job_id, name)
);

-- The dashboard counts what ended within a day.
CREATE INDEX IF NOT EXISTS jobs_finished ON app.jobs (finished_at) WHERE finished_at IS NOT NULL;
