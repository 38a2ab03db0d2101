-- Outlines of countries, out of the published table of Natural Earth's.

-- name: has_countries
-- Whether the table is there with the columns that are asked for here.
SELECT count(*) = 5 AS found
FROM pg_attribute
WHERE attrelid = to_regclass('geo.curated_admin0')
  AND attname IN ('geom', 'iso_a3', 'adm0_a3', 'name', 'name_long')
  AND NOT attisdropped

-- name: country
-- All that has the ISO code: the country, and parts of it that have none of their own. Where
-- nothing has it, what Natural Earth calls so.
SELECT ST_AsBinary(ST_Transform(geom, 4326)) AS wkb
FROM geo.curated_admin0
WHERE geom IS NOT NULL
  AND (iso_a3 = %(code)s
       OR (adm0_a3 = %(code)s
           AND NOT EXISTS (SELECT FROM geo.curated_admin0 WHERE iso_a3 = %(code)s)))
ORDER BY gid

-- name: country_names
-- One name for each code: that of the country itself where parts of it share its code.
SELECT DISTINCT ON (iso_a3) iso_a3 AS code, coalesce(name_long, name, iso_a3) AS name
FROM geo.curated_admin0
WHERE iso_a3 IS NOT NULL
ORDER BY iso_a3, adm0_a3 <> iso_a3, gid
