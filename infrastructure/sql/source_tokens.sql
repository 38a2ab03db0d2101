-- Access to sources that was granted to an account: app.source_tokens.

-- name: find
-- Both times in seconds, by the database's clock: what is left, and what there was in all.
SELECT
    sealed,
    extract(epoch FROM expires_at - clock_timestamp())::float8 AS left_seconds,
    extract(epoch FROM expires_at - renewed_at)::float8 AS life_seconds
FROM app.source_tokens
WHERE service = %(service)s AND account = %(account)s

-- name: store
INSERT INTO app.source_tokens (service, account, sealed, expires_at, renewed_at)
VALUES (
    %(service)s, %(account)s, %(sealed)s,
    clock_timestamp() + make_interval(secs => %(life_seconds)s), clock_timestamp()
)
ON CONFLICT (service, account) DO UPDATE SET
    sealed = excluded.sealed,
    expires_at = excluded.expires_at,
    renewed_at = excluded.renewed_at
