-- Loading a collection and its items into pgSTAC in one transaction.

-- name: configure
-- Settings for the rest of the transaction. pypgstac's Loader compares datetimes as text, so
-- the session must spell them as the loader does: in UTC. A lock that a reader holds for
-- longer than 20 seconds fails the load, to be tried again.
SELECT
    set_config('search_path', 'pgstac, public', true),
    set_config('timezone', 'UTC', true),
    set_config('lock_timeout', '20s', true),
    set_config('statement_timeout', '15min', true);

-- name: recorded
SELECT outcome FROM app.catalog_loads WHERE job_id = %(job_id)s;

-- name: record
INSERT INTO app.catalog_loads (job_id, collection_id, outcome)
VALUES (%(job_id)s, %(collection_id)s, %(outcome)s);

-- name: collection
SELECT content FROM pgstac.collections WHERE id = %(collection_id)s;

-- name: base_items
-- Every base item that stored items may lean on: by its tag, and under NULL the one of
-- untagged items. An item's content leaves out what its collection's base item says.
SELECT id, base_item FROM pgstac.base_items WHERE collection = %(collection_id)s
UNION ALL
SELECT NULL, pgstac.collection_base_item(%(collection_id)s);

-- name: has_items
SELECT EXISTS (SELECT FROM pgstac.items WHERE collection = %(collection_id)s) AS found;

-- name: stored_items
-- The items of these ids as they are stored.
SELECT id, content, geometry::text AS geometry, private
FROM pgstac.items
WHERE collection = %(collection_id)s AND id = ANY(%(ids)s);

-- name: create_loaded
-- The ids that this transaction answers for.
CREATE TEMP TABLE loaded_ids (id text NOT NULL) ON COMMIT DROP;

-- name: add_loaded
INSERT INTO loaded_ids SELECT unnest(%(ids)s::text[]);

-- name: analyze_loaded
-- A temporary table has no statistics of its own accord, and the planner would walk it anew
-- for each stored item.
ANALYZE loaded_ids;

-- name: has_others
-- Whether the collection holds items that are not among those. Two counts, since for an EXISTS
-- the planner hopes for an early hit, and there is none where nothing is new.
SELECT
    (SELECT count(*) FROM pgstac.items WHERE collection = %(collection_id)s)
    >
    (SELECT count(*) FROM pgstac.items JOIN loaded_ids ON loaded_ids.id = items.id
     WHERE items.collection = %(collection_id)s)
    AS found;

-- name: prove
-- Each id must be there, and be there once.
SELECT count(*) AS rows, count(DISTINCT items.id) AS ids
FROM pgstac.items
JOIN loaded_ids ON loaded_ids.id = items.id
WHERE items.collection = %(collection_id)s;
