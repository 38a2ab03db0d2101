-- What each task has added to the sums that its job shows. A second attempt at a task takes the
-- place of the first one's row: however often tasks are tried, the sums count each once.
CREATE TABLE IF NOT EXISTS app.job_contributions (
    job_id      text NOT NULL REFERENCES app.jobs ON DELETE CASCADE,
    context     text NOT NULL,
    task        text NOT NULL,
    amounts     jsonb NOT NULL,
    PRIMARY KEY (job_id, context, task)
);
