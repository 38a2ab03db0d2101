-- What geoforge computed last of what people may set (recommendations, unit): values that differ
-- from it were set by people, and stay. Of older entries nothing is known: what they have stays.
ALTER TABLE h3.source_catalog ADD COLUMN IF NOT EXISTS computed jsonb NOT NULL DEFAULT '{}';
