-- What jobs take of machine and storage, added up with the outcomes of their tasks.

CREATE TABLE IF NOT EXISTS app.job_cost (
    job_id         text NOT NULL REFERENCES app.jobs ON DELETE CASCADE,
    -- Counts from 0, as in app.job_stages; -1 is what a job takes after its last stage.
    stage          integer NOT NULL CHECK (stage >= -1),
    core_seconds   double precision NOT NULL,
    busy_seconds   double precision NOT NULL,
    messages       bigint NOT NULL,
    bytes_read     bigint NOT NULL,
    bytes_written  bigint NOT NULL,
    PRIMARY KEY (job_id, stage)
-- A row is written with every batch of tasks: there is room for its next version beside it.
) WITH (fillfactor = 50);
