-- What the dashboard reads: tasks over time, the processes at work, and indexes that keep each of
-- its queries as short as what it shows.

-- How many tasks ended, by minute (kept for a day) and by hour (kept for five weeks). Filled from
-- the counters of stages while jobs run; tasks are never counted.
CREATE TABLE IF NOT EXISTS app.throughput (
    width      text NOT NULL CHECK (width IN ('minute', 'hour')),
    begins     timestamptz NOT NULL,
    job_type   text NOT NULL,
    completed  bigint NOT NULL DEFAULT 0,
    failed     bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (width, begins, job_type)
) WITH (fillfactor = 50);

-- What of each stage's counters stands in app.throughput already.
CREATE TABLE IF NOT EXISTS app.throughput_counted (
    job_id     text NOT NULL,
    stage      integer NOT NULL,
    completed  integer NOT NULL,
    failed     integer NOT NULL,
    PRIMARY KEY (job_id, stage),
    FOREIGN KEY (job_id, stage) REFERENCES app.job_stages ON DELETE CASCADE
) WITH (fillfactor = 50);

-- When it was counted last. Whoever holds the row counts; there is one.
CREATE TABLE IF NOT EXISTS app.throughput_turn (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    at   timestamptz NOT NULL
);

-- What ended before there were charts is not part of them.
INSERT INTO app.throughput_counted (job_id, stage, completed, failed)
SELECT job_id, stage, tasks_completed, tasks_failed
FROM app.job_stages
WHERE NOT EXISTS (SELECT FROM app.throughput_turn)
ON CONFLICT DO NOTHING;
INSERT INTO app.throughput_turn (at) VALUES (clock_timestamp()) ON CONFLICT DO NOTHING;

-- The processes that run tasks and answer requests: each writes its row every few seconds.
CREATE TABLE IF NOT EXISTS app.workers (
    worker_id     uuid PRIMARY KEY,
    -- The machine or instance, as its host names it.
    instance      text NOT NULL,
    pid           integer NOT NULL,
    started_at    timestamptz NOT NULL,
    last_seen     timestamptz NOT NULL DEFAULT clock_timestamp(),
    tasks         integer NOT NULL DEFAULT 0,
    -- What it is at: [{job_id, stage, tasks, seconds}].
    busy          jsonb NOT NULL DEFAULT '[]',
    -- With its child processes; null where the system does not tell.
    memory_bytes  bigint,
    -- Of its connections to the database: how many it has, how many are in use, how many callers
    -- wait for one, and how many milliseconds callers have waited within the last beat.
    pool_size     integer NOT NULL DEFAULT 0,
    pool_in_use   integer NOT NULL DEFAULT 0,
    pool_waiting  integer NOT NULL DEFAULT 0,
    pool_wait_ms  integer NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- A page of jobs of a status or of a type, newest first, however rare the status is.
CREATE INDEX IF NOT EXISTS jobs_of_status ON app.jobs (status, created_at DESC, job_id DESC);
CREATE INDEX IF NOT EXISTS jobs_of_type ON app.jobs (job_type, created_at DESC, job_id DESC);

-- Snapshots are many and events are few: neither is looked for among the other.
CREATE INDEX IF NOT EXISTS job_metrics_snapshots ON app.job_metrics (job_id, "timestamp" DESC)
    WHERE metric_type = 'snapshot';
CREATE INDEX IF NOT EXISTS job_metrics_events ON app.job_metrics (id DESC)
    WHERE metric_type IN ('event', 'error');
CREATE INDEX IF NOT EXISTS job_metrics_losses ON app.job_metrics (id)
    WHERE metric_type = 'error' AND payload ->> 'kind' = 'metrics_lost';
