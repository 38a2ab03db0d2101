-- Extensions and schemas that pgSTAC and geoforge stand on. Runs before `pypgstac migrate`.
CREATE EXTENSION IF NOT EXISTS postgis;
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE SCHEMA IF NOT EXISTS app;
CREATE SCHEMA IF NOT EXISTS geo;
CREATE SCHEMA IF NOT EXISTS h3;

COMMENT ON SCHEMA app IS 'geoforge: the ledger of jobs and what operators see';
COMMENT ON SCHEMA geo IS 'geoforge: published vector tables and their styles';
COMMENT ON SCHEMA h3 IS 'geoforge: H3 aggregates and the catalog of their sources';
