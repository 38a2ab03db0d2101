-- The datasets that a new deployment knows of. They are disabled: an operator enables one when
-- its credentials are there. One that was deleted does not come back. Where the attribution is
-- null, the handler words it for each version, as the terms of the source ask.
INSERT INTO app.curated_datasets (
    dataset_id, name, description, source_type, source_url, source_config, handler,
    update_strategy, update_schedule, credential_key, target_table_name, restricted, gates,
    licence, attribution)
VALUES
    ('wdpa', 'World Database on Protected Areas',
     'Protected areas and other effective area-based conservation measures: polygons and points, '
     'one row for each parcel.',
     'api_bulk_download', NULL, '{}', 'wdpa', 'full_replace', '0 2 * * *', 'IBAT_AUTH_KEY',
     'curated_wdpa_protected_areas', true, '{}',
     'WDPA terms: no redistribution, no commercial use without permission', NULL),
    ('kbas', 'Key Biodiversity Areas',
     'Sites that contribute significantly to the global persistence of biodiversity.',
     'api_bulk_download', NULL, '{}', 'kba', 'full_replace', '0 2 * * *', 'IBAT_AUTH_KEY',
     'curated_kbas', true, '{}',
     'KBA terms: no redistribution, no commercial use without permission', NULL),
    ('acled', 'ACLED events', 'Political violence and protest events, worldwide.',
     'api_paginated', NULL, '{}', 'acled', 'upsert', '0 2 * * 1,4', 'ACLED_USERNAME',
     'curated_acled_events', true, '{}',
     'ACLED terms: raw data must not be shown to other users', NULL),
    ('admin0', 'Countries', 'Natural Earth, 1:10 million: countries.',
     'manual', 'https://naciscdn.org/naturalearth/10m/cultural/ne_10m_admin_0_countries.zip',
     '{}', 'natural_earth_admin0', 'full_replace', NULL, NULL,
     'curated_admin0', false, '{}', 'Public domain', 'Made with Natural Earth'),
    ('admin1', 'States and provinces', 'Natural Earth, 1:10 million: first-level divisions.',
     'manual',
     'https://naciscdn.org/naturalearth/10m/cultural/ne_10m_admin_1_states_provinces.zip',
     '{}', 'natural_earth_admin1', 'full_replace', NULL, NULL,
     'curated_admin1', false, '{}', 'Public domain', 'Made with Natural Earth'),
    ('coastlines', 'Coastlines', 'Natural Earth, 1:10 million: coastlines.',
     'manual', 'https://naciscdn.org/naturalearth/10m/physical/ne_10m_coastline.zip',
     '{}', 'natural_earth_coastlines', 'full_replace', NULL, NULL,
     'curated_coastlines', false, '{}', 'Public domain', 'Made with Natural Earth'),
    ('land', 'Land', 'Natural Earth, 1:10 million: land polygons with the major islands.',
     'manual', 'https://naciscdn.org/naturalearth/10m/physical/ne_10m_land.zip',
     '{}', 'natural_earth_land', 'full_replace', NULL, NULL,
     'curated_land', false, '{}', 'Public domain', 'Made with Natural Earth')
ON CONFLICT DO NOTHING;
