-- Overviews: what large published tables look like from far away, for their vector tiles.
--
-- An overview is a copy of a table in EPSG:3857 with the few points that can be told apart, and
-- with `zoom`, the first zoom at which a feature is drawn. It can be thrown away at any time: tiles
-- are then made from the table itself, which takes longer.
CREATE SCHEMA IF NOT EXISTS geo_overviews;
REVOKE ALL ON SCHEMA geo_overviews FROM PUBLIC;

-- `token` names the version of the table that the overview is of. Its tables are
-- geo_overviews.overview_<overview_id>, and for the smallest zooms overview_<overview_id>_far. One
-- that could not be made has none: `error` says why.
CREATE TABLE IF NOT EXISTS app.tile_overviews (
    overview_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schema_name  text NOT NULL,
    table_name   text NOT NULL,
    token        text NOT NULL,
    row_count    bigint NOT NULL,
    error        text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (schema_name, table_name, token)
);
