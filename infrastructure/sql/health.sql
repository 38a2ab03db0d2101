-- What the health checks ask of the database.

-- name: migrations
-- The migrations that have been applied, and their digests.
SELECT name, digest FROM app.schema_migrations;

-- name: pgstac_version
SELECT pgstac.get_version() AS version;
