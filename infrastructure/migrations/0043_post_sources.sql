-- What the workers share of the services that they ask: when the next request may go out, and the
-- access that was granted. A token is sealed with a key that is made of the account's password,
-- so that a copy of the database opens nothing.
CREATE TABLE IF NOT EXISTS app.request_pace (
    service     text PRIMARY KEY,
    next_at     timestamptz NOT NULL,
    held_until  timestamptz             -- the service has asked everyone to wait until then
);
CREATE TABLE IF NOT EXISTS app.source_tokens (
    service     text NOT NULL,
    account     text NOT NULL,
    sealed      bytea NOT NULL,
    expires_at  timestamptz NOT NULL,
    renewed_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (service, account)
);
