-- Failed tasks and what they failed with: found at once among a million, each cause once.
-- An index on app.tasks by status would do the same, and would end its cheap (HOT) updates:
-- what fails is few, and is written down a second time here instead.

-- The text of an error without what differs from task to task: addresses, paths, names of
-- files, ids and numbers. Of its beginning: messages hold text of strangers' files, and the cause
-- is worked out while the stage's lock is held.
CREATE OR REPLACE FUNCTION app.error_pattern(message text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
           left(message, 400),
           '\m[a-z][a-z0-9+.-]*://[^\s''"<>]+', '<address>', 'gi'),
           '[^\s''"(=,;]*/[^\s''"),;]*', '<path>', 'g'),
           '\m[\w-][\w.-]*\.[a-z][a-z0-9]{1,4}\M', '<name>', 'gi'),
           '\m(?=[a-f-]*[0-9])[0-9a-f]{6,}(-[0-9a-f]+)*\M', '#', 'gi'),
           '[-+]?[0-9]+([.,][0-9]+)*(e[-+]?[0-9]+)?', '#', 'gi')
$$;

-- What tells one cause from another: the code and the pattern of the message.
CREATE OR REPLACE FUNCTION app.error_fingerprint(code text, message text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT left(md5(code || E'\n' || app.error_pattern(message)), 16)
$$;

-- The failed tasks of a stage by cause. Counted in the transaction that settles them, and
-- forgotten in the one that puts them back.
CREATE TABLE IF NOT EXISTS app.error_groups (
    job_id        text NOT NULL,
    stage         integer NOT NULL,
    fingerprint   text NOT NULL,
    code          text NOT NULL,
    -- Of the first task that failed so.
    message       text NOT NULL,
    task_index    integer NOT NULL,
    tasks         integer NOT NULL CHECK (tasks > 0),
    first_at      timestamptz NOT NULL,
    last_at       timestamptz NOT NULL,
    PRIMARY KEY (job_id, stage, fingerprint),
    FOREIGN KEY (job_id, stage) REFERENCES app.job_stages ON DELETE CASCADE
) WITH (fillfactor = 50);

CREATE TABLE IF NOT EXISTS app.failed_tasks (
    job_id        text NOT NULL,
    stage         integer NOT NULL,
    task_index    integer NOT NULL,
    fingerprint   text NOT NULL,
    PRIMARY KEY (job_id, stage, task_index),
    FOREIGN KEY (job_id, stage) REFERENCES app.job_stages ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS failed_tasks_by_cause
    ON app.failed_tasks (job_id, fingerprint, stage, task_index);

-- What failed before there were these tables. Stages without failures are not read.
INSERT INTO app.failed_tasks (job_id, stage, task_index, fingerprint)
SELECT t.job_id, t.stage, t.task_index,
       app.error_fingerprint(coalesce(t.error->>'code', 'failed'),
                             coalesce(t.error->>'message', ''))
FROM app.job_stages AS s JOIN app.tasks AS t USING (job_id, stage)
WHERE s.tasks_failed > 0 AND t.status = 'failed'
ON CONFLICT DO NOTHING;

INSERT INTO app.error_groups
    (job_id, stage, fingerprint, code, message, task_index, tasks, first_at, last_at)
SELECT DISTINCT ON (f.job_id, f.stage, f.fingerprint)
       f.job_id, f.stage, f.fingerprint, coalesce(t.error->>'code', 'failed'),
       left(coalesce(t.error->>'message', ''), 2000), f.task_index,
       count(*) OVER cause, coalesce(min(t.finished_at) OVER cause, now()),
       coalesce(max(t.finished_at) OVER cause, now())
FROM app.failed_tasks AS f JOIN app.tasks AS t USING (job_id, stage, task_index)
WHERE NOT EXISTS (SELECT FROM app.error_groups AS g
                  WHERE g.job_id = f.job_id AND g.stage = f.stage)
WINDOW cause AS (PARTITION BY f.job_id, f.stage, f.fingerprint)
ORDER BY f.job_id, f.stage, f.fingerprint, f.task_index
ON CONFLICT DO NOTHING;
