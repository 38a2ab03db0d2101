-- How many jobs ended within a day, by status, is counted in this index alone.
CREATE INDEX IF NOT EXISTS jobs_ended ON app.jobs (finished_at, status)
    WHERE finished_at IS NOT NULL;
