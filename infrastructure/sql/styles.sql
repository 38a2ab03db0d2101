-- How collections are drawn: geo.feature_collection_styles.

-- name: seed
-- Enter a style that geoforge made, or bring the one of before up to date, unless it was edited.
WITH incoming AS (
    SELECT md5(jsonb_build_array(%(title)s::text, %(description)s::text, %(spec)s::jsonb)::text)
        AS digest
)
INSERT INTO geo.feature_collection_styles AS styles
    (collection_id, style_id, title, description, style_spec, seeded_digest)
SELECT %(collection_id)s, %(style_id)s, %(title)s, %(description)s, %(spec)s, digest
FROM incoming
ON CONFLICT (collection_id, style_id) DO UPDATE SET
    title = excluded.title,
    description = excluded.description,
    style_spec = excluded.style_spec,
    seeded_digest = excluded.seeded_digest,
    updated_at = now()
WHERE styles.seeded_digest <> excluded.seeded_digest
  AND styles.seeded_digest
      = md5(jsonb_build_array(styles.title, styles.description, styles.style_spec)::text);

-- name: default_if_none
-- Make a style the default of its collection, unless that has one.
UPDATE geo.feature_collection_styles
SET is_default = true
WHERE collection_id = %(collection_id)s AND style_id = %(style_id)s
  AND NOT EXISTS (
      SELECT FROM geo.feature_collection_styles
      WHERE collection_id = %(collection_id)s AND is_default
  );

-- name: of_collection
-- A collection's styles, the default one first.
SELECT
    style_id, title, description, style_spec, is_default, seeded_digest IS NOT NULL AS is_seeded
FROM geo.feature_collection_styles
WHERE collection_id = %(collection_id)s
ORDER BY is_default DESC, style_id;

-- name: names
-- The styles of some collections, without what they say.
SELECT collection_id, style_id, title, description, is_default
FROM geo.feature_collection_styles
WHERE collection_id = ANY(%(collection_ids)s)
ORDER BY collection_id, is_default DESC, style_id;

-- name: put
-- Enter or replace a style; what a user wrote is not seeded any more. `created`: it is new.
INSERT INTO geo.feature_collection_styles AS styles
    (collection_id, style_id, title, description, style_spec)
VALUES (%(collection_id)s, %(style_id)s, %(title)s, %(description)s, %(spec)s)
ON CONFLICT (collection_id, style_id) DO UPDATE SET
    title = excluded.title,
    description = excluded.description,
    style_spec = excluded.style_spec,
    seeded_digest = NULL,
    updated_at = now()
RETURNING xmax = 0 AS created;

-- name: no_other_default
UPDATE geo.feature_collection_styles
SET is_default = false
WHERE collection_id = %(collection_id)s AND style_id <> %(style_id)s AND is_default;

-- name: default
UPDATE geo.feature_collection_styles
SET is_default = true
WHERE collection_id = %(collection_id)s AND style_id = %(style_id)s;

-- name: forget
DELETE FROM geo.feature_collection_styles WHERE collection_id = %(collection_id)s;

-- name: delete
DELETE FROM geo.feature_collection_styles
WHERE collection_id = %(collection_id)s AND style_id = %(style_id)s;
