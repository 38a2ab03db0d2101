-- Which attempt at which task gave the amounts: {stage, task_index, attempt}; NULL outside of
-- tasks. A later attempt's take their place, those of the same attempt are brought up to date.
ALTER TABLE app.job_contributions ADD COLUMN IF NOT EXISTS said_by integer[];

-- The dashboard asks every two seconds whether figures were lost. Errors are few.
CREATE INDEX IF NOT EXISTS job_metrics_errors ON app.job_metrics (id) WHERE metric_type = 'error';
