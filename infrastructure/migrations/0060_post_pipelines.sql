-- Pipelines: their versions, their runs, the steps of a run and the jobs of a step.

CREATE TABLE IF NOT EXISTS app.pipelines (
    name           text PRIMARY KEY,
    -- The newest version.
    version        integer NOT NULL CHECK (version > 0),
    -- Of what fell due before this moment nothing is made up for.
    schedule_from  timestamptz NOT NULL DEFAULT now(),
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    -- Versions and runs stay; a pipeline that is made under the name again goes on counting.
    deleted_at     timestamptz
);

CREATE TABLE IF NOT EXISTS app.pipeline_versions (
    name        text NOT NULL REFERENCES app.pipelines,
    version     integer NOT NULL CHECK (version > 0),
    -- json, not jsonb: a document comes back in the order in which it was written.
    document    json NOT NULL,
    -- What keeps a draft from being run: [{loc, msg}]. Empty where it can be.
    problems    jsonb NOT NULL DEFAULT '[]',
    note        text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version)
);

CREATE TABLE IF NOT EXISTS app.pipeline_runs (
    run_id            text PRIMARY KEY CHECK (run_id ~ '^[0-9a-f]{64}$'),
    name              text NOT NULL,
    version           integer NOT NULL,
    inputs            jsonb NOT NULL,
    -- What began it: by hand, or by schedule with the time at which it fell due.
    began_by          text NOT NULL CHECK (began_by IN ('request', 'schedule')),
    due_at            timestamptz,
    -- Tells one request from the next: the same one again is the same run, by the run's id.
    request_id        text,
    status            text NOT NULL DEFAULT 'queued' CHECK (status IN
                          ('queued', 'running', 'completed', 'completed_with_errors',
                           'failed', 'cancelled')),
    error             jsonb,
    cancel_requested  boolean NOT NULL DEFAULT false,
    resumes           integer NOT NULL DEFAULT 0,
    -- Times that the reconciler had to start an orchestration again; bounded by it.
    restarts          integer NOT NULL DEFAULT 0,
    -- Counts the orchestration's looks at the run: each waits for an event of its own number.
    turn              integer NOT NULL DEFAULT 0,
    created_at        timestamptz NOT NULL DEFAULT now(),
    started_at        timestamptz,
    finished_at       timestamptz,
    updated_at        timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (name, version) REFERENCES app.pipeline_versions,
    CHECK ((finished_at IS NOT NULL) = (status NOT IN ('queued', 'running'))),
    CHECK ((due_at IS NOT NULL) = (began_by = 'schedule'))
);
CREATE UNIQUE INDEX IF NOT EXISTS pipeline_runs_due ON app.pipeline_runs (name, due_at);
CREATE INDEX IF NOT EXISTS pipeline_runs_newest ON app.pipeline_runs (created_at DESC, run_id DESC);
CREATE INDEX IF NOT EXISTS pipeline_runs_of ON app.pipeline_runs (name, created_at DESC);
CREATE INDEX IF NOT EXISTS pipeline_runs_active ON app.pipeline_runs (created_at)
    WHERE status IN ('queued', 'running');

CREATE TABLE IF NOT EXISTS app.pipeline_steps (
    run_id       text NOT NULL REFERENCES app.pipeline_runs ON DELETE CASCADE,
    step_id      text NOT NULL,
    position     integer NOT NULL,
    status       text NOT NULL DEFAULT 'pending' CHECK (status IN
                     ('pending', 'running', 'awaiting_approval', 'completed',
                      'completed_with_errors', 'failed', 'cancelled', 'skipped')),
    -- Why it was skipped, in words.
    reason       text,
    -- The values of a for_each, as they were when the step began; NULL for one job.
    items        jsonb,
    items_total  integer,
    -- What later steps refer to: the job's result, a list of them for a for_each.
    outputs      json,
    error        jsonb,
    -- A gate's: {decision: approved | rejected, by, note, at}, and when it is rejected by itself.
    decision     jsonb,
    deadline     timestamptz,
    started_at   timestamptz,
    finished_at  timestamptz,
    PRIMARY KEY (run_id, step_id),
    CHECK ((finished_at IS NOT NULL)
           = (status NOT IN ('pending', 'running', 'awaiting_approval')))
);

CREATE TABLE IF NOT EXISTS app.pipeline_step_jobs (
    run_id      text NOT NULL,
    step_id     text NOT NULL,
    -- The place of its value in the step's items; 0 for a single job.
    item_index  integer NOT NULL CHECK (item_index >= 0),
    -- From 1; a resume that cannot go on with the job makes another.
    attempt     integer NOT NULL CHECK (attempt > 0),
    job_id      text NOT NULL REFERENCES app.jobs ON DELETE CASCADE,
    PRIMARY KEY (run_id, step_id, item_index, attempt),
    FOREIGN KEY (run_id, step_id) REFERENCES app.pipeline_steps ON DELETE CASCADE
);
-- A job that ends tells the run that it is part of.
CREATE UNIQUE INDEX IF NOT EXISTS pipeline_step_jobs_of_job ON app.pipeline_step_jobs (job_id);
