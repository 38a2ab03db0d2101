-- The ledger: jobs, their stages, their tasks.

CREATE TABLE IF NOT EXISTS app.jobs (
    job_id            text PRIMARY KEY CHECK (job_id ~ '^[0-9a-f]{64}$'),
    job_type          text NOT NULL,
    parameters        jsonb NOT NULL,
    submission_key    text NOT NULL,
    run               integer NOT NULL DEFAULT 0 CHECK (run >= 0),
    status            text NOT NULL DEFAULT 'queued' CHECK (status IN
                          ('queued', 'running', 'completed', 'completed_with_errors',
                           'failed', 'cancelled')),
    current_stage     integer NOT NULL DEFAULT 0,
    total_stages      integer NOT NULL CHECK (total_stages > 0),
    -- json, not jsonb: a result is read by people, in the order in which it was written.
    result            json,
    error             jsonb,
    cancel_requested  boolean NOT NULL DEFAULT false,
    -- Times that the job was resumed: what an orchestration of before a resume still wants
    -- to write is recognised by it.
    resumes           integer NOT NULL DEFAULT 0,
    -- Times that the reconciler had to start an orchestration again; bounded by it.
    restarts          integer NOT NULL DEFAULT 0,
    work_removed_at   timestamptz,
    created_at        timestamptz NOT NULL DEFAULT now(),
    started_at        timestamptz,
    finished_at       timestamptz,
    updated_at        timestamptz NOT NULL DEFAULT now(),
    UNIQUE (submission_key, run),
    CHECK ((finished_at IS NOT NULL) = (status NOT IN ('queued', 'running')))
);
CREATE INDEX IF NOT EXISTS jobs_newest ON app.jobs (created_at DESC, job_id DESC);
CREATE INDEX IF NOT EXISTS jobs_active ON app.jobs (created_at)
    WHERE status IN ('queued', 'running');
COMMENT ON TABLE app.jobs IS 'One row for each submitted job and run';

CREATE TABLE IF NOT EXISTS app.job_stages (
    job_id             text NOT NULL REFERENCES app.jobs ON DELETE CASCADE,
    stage              integer NOT NULL CHECK (stage >= 0),
    name               text NOT NULL,
    status             text NOT NULL DEFAULT 'pending' CHECK (status IN
                           ('pending', 'running', 'completed', 'completed_with_errors',
                            'failed', 'cancelled')),
    queue              text NOT NULL,
    max_parallel       integer NOT NULL CHECK (max_parallel > 0),
    tasks_per_message  integer NOT NULL CHECK (tasks_per_message > 0),
    max_attempts       integer NOT NULL CHECK (max_attempts > 0),
    lease_seconds      double precision NOT NULL CHECK (lease_seconds > 0),
    max_failed_share   double precision NOT NULL CHECK (max_failed_share BETWEEN 0 AND 1),
    stop_early         boolean NOT NULL,
    tasks_total        integer,
    tasks_completed    integer NOT NULL DEFAULT 0,
    tasks_failed       integer NOT NULL DEFAULT 0,
    tasks_cancelled    integer NOT NULL DEFAULT 0,
    -- Tasks that hold a place in the window: queued, running, or waiting for a retry.
    in_flight          integer NOT NULL DEFAULT 0,
    -- Pending tasks below this index have all been sent: the window's next claim starts here.
    next_index         integer NOT NULL DEFAULT 0,
    -- Nothing more may begin: the job was cancelled, or too many tasks failed.
    stopping           boolean NOT NULL DEFAULT false,
    planned_at         timestamptz,
    started_at         timestamptz,
    done_at            timestamptz,
    finished_at        timestamptz,
    updated_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, stage),
    CHECK (in_flight BETWEEN 0 AND max_parallel),
    CHECK (tasks_completed + tasks_failed + tasks_cancelled + in_flight
           <= coalesce(tasks_total, 0)),
    CHECK ((planned_at IS NULL) = (tasks_total IS NULL))
) WITH (fillfactor = 50);
COMMENT ON COLUMN app.job_stages.done_at IS
    'When the last task ended; set once, by the transaction that ended it';

CREATE TABLE IF NOT EXISTS app.tasks (
    job_id            text NOT NULL,
    stage             integer NOT NULL,
    task_index        integer NOT NULL CHECK (task_index >= 0),
    task_type         text NOT NULL,
    parameters        jsonb NOT NULL,
    status            text NOT NULL DEFAULT 'pending' CHECK (status IN
                          ('pending', 'queued', 'running', 'completed', 'failed', 'cancelled')),
    -- Claims so far. It only grows: (task, attempt) is what an outcome is fenced by.
    attempt           integer NOT NULL DEFAULT 0,
    -- The attempt at which the task was last put back by hand: retries count from here.
    attempts_before   integer NOT NULL DEFAULT 0,
    -- A pending task with a time here waits for its retry, which a scheduled message brings.
    not_before        timestamptz,
    lease_expires_at  timestamptz,
    -- Set while the task holds a place in the window, and kept when it ends.
    queued_at         timestamptz,
    -- How often the reconciler has sent its message again; each time it waits longer.
    resends           smallint NOT NULL DEFAULT 0,
    started_at        timestamptz,
    finished_at       timestamptz,
    result            jsonb,
    error             jsonb,
    PRIMARY KEY (job_id, stage, task_index),
    FOREIGN KEY (job_id, stage) REFERENCES app.job_stages ON DELETE CASCADE,
    CHECK ((status = 'running') = (lease_expires_at IS NOT NULL))
) WITH (
    -- A task's row is rewritten three times and none of its indexed columns change: with
    -- free space in the page the new versions stay there (HOT) and the index is not touched.
    fillfactor = 40,
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 1
);

-- What Service Bus gave up delivering. The tasks that a message named are settled in the
-- ledger; the message itself is kept here for whoever looks into it.
CREATE TABLE IF NOT EXISTS app.dead_letters (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at  timestamptz NOT NULL DEFAULT now(),
    queue        text NOT NULL,
    message_id   text,
    reason       text,
    description  text,
    job_id       text,
    body         text NOT NULL
);
CREATE INDEX IF NOT EXISTS dead_letters_of_job ON app.dead_letters (job_id);
