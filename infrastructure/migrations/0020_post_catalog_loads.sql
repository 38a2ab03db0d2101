-- What each job loaded into pgSTAC, written by the transaction that did it: an attempt that
-- comes after a crash finds its work done, and reports what was done.
CREATE TABLE IF NOT EXISTS app.catalog_loads (
    job_id         text PRIMARY KEY,
    collection_id  text NOT NULL,
    outcome        jsonb NOT NULL,
    loaded_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS catalog_loads_of_collection
    ON app.catalog_loads (collection_id, loaded_at DESC);
