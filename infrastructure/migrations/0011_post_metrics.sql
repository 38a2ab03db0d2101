-- Progress of jobs over time, for the dashboard. Rows live for METRICS_RETENTION_MINUTES.
CREATE TABLE IF NOT EXISTS app.job_metrics (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id       text NOT NULL,
    "timestamp"  timestamptz NOT NULL DEFAULT clock_timestamp(),
    metric_type  text NOT NULL CHECK (metric_type IN ('snapshot', 'event', 'error', 'debug')),
    payload      jsonb NOT NULL
);
CREATE INDEX IF NOT EXISTS job_metrics_of_job ON app.job_metrics (job_id, id DESC);
CREATE INDEX IF NOT EXISTS job_metrics_by_time ON app.job_metrics ("timestamp");
