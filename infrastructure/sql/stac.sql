-- Reading the STAC catalog through pgstac's own functions (pgstac 0.9.8 and later).

-- name: configure
-- Settings for the rest of the transaction. `readonly` keeps pgstac from writing its caches of
-- searches and counts: parallel searches then share no row, and a count is never older than
-- the transaction. `context` makes pgstac count: exactly, or by the planner's estimate where
-- it expects more than pgstac_settings.context_estimated_count items.
SELECT
    set_config('search_path', 'pgstac, public', true),
    set_config('pgstac.readonly', 'true', true),
    set_config('pgstac.format_cache', 'false', true),
    set_config('pgstac.context', 'auto', true),
    set_config('pgstac.context_stats_ttl', '0 seconds', true),
    set_config('statement_timeout', %(timeout_ms)s::text, true);

-- name: search
-- A FeatureCollection, with `next` and `prev` links that carry paging tokens.
SELECT pgstac.search(%(search)s) AS result;

-- name: collection_search
-- {collections, numberMatched, numberReturned, links}.
SELECT pgstac.collection_search(%(search)s) AS result;

-- name: collection
SELECT pgstac.get_collection(%(collection_id)s) AS result;

-- name: collection_titles
-- What the landing page says of each collection.
SELECT id, content ->> 'title' AS title FROM pgstac.collections ORDER BY id;

-- name: collections_with_items
-- Those that have an item: each one's is looked for in its own partition.
SELECT id, content ->> 'title' AS title
FROM pgstac.collections
WHERE EXISTS (SELECT FROM pgstac.items WHERE items.collection = collections.id)
ORDER BY id;

-- name: collection_exists
SELECT EXISTS (SELECT FROM pgstac.collections WHERE id = %(collection_id)s) AS result;

-- name: item
SELECT pgstac.get_item(%(item_id)s, %(collection_id)s) AS result;

-- name: queryables
-- The JSON Schema of the properties that a filter may name; of one collection, or of all.
SELECT pgstac.get_queryables(%(collection_id)s::text) AS result;

-- name: footprints
-- Where the items of a collection are, with the file, the size in pixels and the bands of one
-- asset, and one property. No base item says any of these, so that the content as it is stored
-- will do.
SELECT id,
       public.ST_AsGeoJSON(geometry)::jsonb AS geometry,
       content -> 'bbox' AS bbox,
       content #>> ARRAY['assets', %(asset)s::text, 'href'] AS href,
       coalesce(
           content #> ARRAY['assets', %(asset)s::text, 'proj:shape'],
           content #> '{properties,proj:shape}'
       ) AS shape,
       jsonb_path_query_array(
           content #> ARRAY['assets', %(asset)s::text], '$.bands[*].data_type'
       ) AS data_types,
       content #>> ARRAY['properties', %(property)s::text] AS property
FROM pgstac.items
WHERE collection = %(collection_id)s
  AND content #> ARRAY['assets', %(asset)s::text, 'href'] IS NOT NULL
ORDER BY id;
