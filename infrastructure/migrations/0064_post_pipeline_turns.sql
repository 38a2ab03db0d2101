-- Pipelines: what a run has heard of, so that what was lost on the way can be told again.

-- Something was decided or asked for by hand that no turn of the run has looked at yet.
ALTER TABLE app.pipeline_runs ADD COLUMN IF NOT EXISTS has_news boolean NOT NULL DEFAULT false;

-- When it was last checked that the run has an orchestration at work.
ALTER TABLE app.pipeline_runs ADD COLUMN IF NOT EXISTS checked_at timestamptz;

-- A request is known by the run's id, for a pipeline that is made under a name again has others.
DROP INDEX IF EXISTS app.pipeline_runs_request;

-- The job's state as the run's last turn saw it.
ALTER TABLE app.pipeline_step_jobs ADD COLUMN IF NOT EXISTS seen text;
-- The resume of the run (from 0, the first go) in which it was last sent on its way; NULL where
-- the step's parameters are no longer those that the job was made with.
ALTER TABLE app.pipeline_step_jobs ADD COLUMN IF NOT EXISTS round integer DEFAULT 0;
